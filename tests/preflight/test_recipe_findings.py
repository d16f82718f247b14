"""Every finding about a recipe on one made to have exactly that fault; silence on one without."""

import shlex
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from convlens.core.errors import ConvlensError
from convlens.core.reporter import Quiet
from convlens.core.settings import apply_setting, merge
from convlens.data import DataSettings, ImageSet, open_source
from convlens.preflight import Finding, check_recipe, network_findings, plan_of
from convlens.recipe import resolve_defaults

ASKED: dict[str, Any] = {"source": "here"}
GPU = torch.device("cuda", 0)


def images(
    n: int = 200, *, side: int = 32, channels: int = 3, names: tuple[str, str] = ("cat", "dog")
) -> ImageSet:
    pixels = np.random.default_rng(0).integers(0, 256, (n, side, side, channels), dtype=np.uint8)
    labels = np.array(names)[np.arange(n) % 2]
    settings = DataSettings(val=0.1, test=0)
    return open_source((pixels, labels), settings=settings, reporter=Quiet())


def findings(asked: dict[str, Any], shown: ImageSet | None = None) -> dict[str, Finding]:
    shown = images() if shown is None else shown
    recipe, _ = resolve_defaults({**ASKED, **asked}, shown)
    found = check_recipe(plan_of(recipe.trusting_code(), shown))
    return {finding.code: finding for finding in found}


def with_setting(asked: dict[str, Any], remedy: str) -> dict[str, Any]:
    """What is asked, with a remedy's ``--set`` options applied, as the command line would."""
    for option in remedy.split("--set ")[1:]:
        (word,) = shlex.split(option.split(",  ")[0].split(" or ")[0].strip())
        asked = merge(asked, apply_setting({}, word))
    return asked


WEIGHTS = {"name": "vgg16", "weights": "weights.safetensors"}
NORMALISED = {"mean": [0.485, 0.456, 0.406], "std": [0.229, 0.224, 0.225]}


@pytest.mark.parametrize(
    "asked",
    [
        {},
        {"model": {"name": "resnet18"}},
        {"model": {"name": "vgg11", "head": "globalavgpool, dense"}},
        {"model": {**WEIGHTS, "pretrained": False}, "input": NORMALISED},
        {"model": {"layers": "conv 8 3 same relu, maxpool 2, globalavgpool, dense"}},
    ],
)
def test_what_is_chosen_by_rule_has_no_faults(asked: dict[str, Any]) -> None:
    assert not findings(asked)


def test_the_default_for_pretrained_networks_has_no_faults() -> None:
    shown = images(side=64)
    model = {"name": "resnet18", "pretrained": True}
    assert not findings({"model": model, "input": {"height": 128, "width": 128}}, shown)


# The chapter's four mistakes


def test_images_without_their_channel_axis_are_given_one_and_told() -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (100, 28, 28), dtype=np.uint8)
    shown = open_source((pixels, np.arange(100) % 2), reporter=Quiet())
    found = findings({}, shown)
    assert found.keys() == {"channel-axis"}
    assert "28x28x1" in found["channel-axis"].message
    assert findings({}, replace(shown, notes=())) == found
    assert not findings({}, replace(shown, axis_added=False))


def test_gray_images_where_the_network_takes_color() -> None:
    asked = {"input": {"channels": 3}}
    found = findings(asked, images(channels=1))
    assert found["channel-axis"].severity == "note"
    assert not findings(with_setting(asked, found["channel-axis"].remedy.partition(",")[0]),
                        images(channels=1))  # fmt: skip


@pytest.mark.parametrize(
    "setting",
    [
        "augment.validation=true",
        "augment.val=true",
        "augment.test_images=true",
        "augment.apply_to_validation=true",
        "augment_validation.rotation_range=20",
        "val_augment=true",
    ],
)
def test_there_is_no_way_to_augment_what_is_measured_on(setting: str) -> None:
    with pytest.raises(ConvlensError) as refused:
        resolve_defaults(merge(ASKED, apply_setting({}, setting)), images())
    assert "training images are augmented, and no others" in refused.value.message
    assert setting.partition("=")[0].rpartition(".")[2] in refused.value.message.replace(
        "augment_validation", "rotation_range"
    )


def test_augmentation_in_data_or_training_is_no_key_either() -> None:
    for setting in ("data.augment=true", "training.augment_val=true"):
        with pytest.raises(ConvlensError, match="unknown key"):
            resolve_defaults(merge(ASKED, apply_setting({}, setting)), images())


@pytest.mark.parametrize(
    ("optimizer", "rate", "high"),
    [("adam", 1e-3, True), ("adam", 1e-4, False), ("sgd", 0.05, True), ("sgd", 0.005, False)],
)
def test_a_rate_too_high_for_loaded_layers_names_both(
    optimizer: str, rate: float, high: bool
) -> None:
    training = {
        "phases": [{"train": "last 3", "epochs": 5}],
        "optimizer": {"name": optimizer, "learning_rate": rate},
    }
    found = findings({"model": WEIGHTS, "input": NORMALISED, "training": training})
    assert found.keys() == ({"fine-tuning-rate"} if high else set())
    if high:
        told = found["fine-tuning-rate"]
        assert f"{rate:g}" in told.message
        assert f"{rate / 10:g}" in told.message + told.remedy
        assert told.evidence["recommended"] == pytest.approx(rate / 10)


def test_a_high_rate_is_right_for_the_head_alone_and_from_scratch() -> None:
    training = {"phases": [{"train": "head"}], "optimizer": {"learning_rate": 0.01}}
    assert not findings({"model": WEIGHTS, "input": NORMALISED, "training": training})
    training = {"optimizer": {"name": "adam", "learning_rate": 0.001}}
    assert not findings({"model": {"name": "vgg11"}, "training": training})


def test_flatten_where_pooling_would_do_names_both_counts_of_the_chapter() -> None:
    """25,088 × 256 weights against 512 × 256, as the chapter has it; biases count here."""
    head = "flatten, dense 256 relu, dense"
    asked = {"model": {**WEIGHTS, "head": head}, "input": {**NORMALISED, "height": 224,
             "width": 224}}  # fmt: skip
    found = findings(asked, images(8000, side=8))
    flat = found["flatten-head"]
    assert flat.evidence["flattened"] == 25_088 * 256 + 256 == 6_422_784
    assert flat.evidence["pooled"] == 512 * 256 + 256 == 131_328
    for count in ("6,422,784", "131,328"):
        assert count in flat.message
    assert flat.remedy == '--head "globalavgpool, dense 256 relu, dense"'
    asked["model"]["head"] = flat.remedy.split('"')[1]
    assert "flatten-head" not in findings(asked, images(8000, side=8))


# The others


def test_a_softmax_before_the_loss(tmp_path: Path) -> None:
    code = """
from torch import nn
def build(classes):
    body = nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten())
    return nn.Sequential(body, nn.Linear(4, classes)%s)
"""
    for ending, codes in (
        ("", set()),
        (", nn.Softmax(dim=1)", {"softmax-output"}),
        (", nn.Sigmoid()", {"softmax-output"}),
    ):
        file = tmp_path / f"net{len(ending)}.py"
        file.write_text(code % ending)
        assert findings({"model": {"name": f"{file}:build"}}).keys() == codes


@pytest.mark.parametrize(
    ("forward", "names"),
    [
        ("self.head(self.conv(x).mean((2, 3)))", None),
        ("self.head(self.conv(x).detach().mean((2, 3)))", ["conv.weight", "conv.bias"]),
        ("self.head(x.new_tensor(self.conv(x).data.numpy()).mean((2, 3)))", ["conv.weight"]),
        ("self.head(x.repeat(1, 2, 1, 1)[:, :4].mean((2, 3)))", ["conv.weight"]),  # not used
    ],
)
def test_weights_that_no_gradient_reaches(
    tmp_path: Path, forward: str, names: list[str] | None
) -> None:
    file = tmp_path / "net.py"
    file.write_text(f"""
from torch import nn
class Net(nn.Module):
    def __init__(self, classes):
        super().__init__()
        self.conv, self.head = nn.Conv2d(3, 4, 3), nn.Linear(4, classes)
    def forward(self, x):
        return {forward}
def build(classes):
    return Net(classes)
""")
    found = findings({"model": {"name": f"{file}:build"}})
    assert ("no-gradient" in found) == (names is not None)
    for name in names or ():
        assert name in found["no-gradient"].message
        assert found["no-gradient"].severity == "warning"
        assert found["no-gradient"].evidence["weights"] == 112


def test_code_that_scales_pixels_again(tmp_path: Path) -> None:
    file = tmp_path / "net.py"
    file.write_text("""
from torch import nn
class Net(nn.Module):
    def __init__(self, classes):
        super().__init__()
        self.conv, self.head = nn.Conv2d(3, 4, 3), nn.Linear(4, classes)
    def forward(self, x):
        return self.head(self.conv(x / 255.0).relu().mean((2, 3)))
def build(classes):
    return Net(classes)
""")
    found = findings({"model": {"name": f"{file}:build"}})
    assert found.keys() == {"scaled-twice"}
    assert found["scaled-twice"].severity == "warning"
    file.write_text(file.read_text().replace("x / 255.0", "x"))
    assert not findings({"model": {"name": f"{file}:build"}})


@pytest.mark.parametrize(
    ("given", "code"),
    [
        ({"mean": [123.7, 116.3, 103.5], "std": [58.4, 57.1, 57.4]}, "scaled-twice"),
        ({"std": [1 / 255] * 3}, "not-scaled"),
        ({"mean": [0.5] * 3, "std": [0.25] * 3}, ""),
    ],
)
def test_pixels_scaled_twice_or_not_at_all(given: dict[str, Any], code: str) -> None:
    asked = {"input": given}
    found = findings(asked)
    assert found.keys() == ({code} if code else set())
    if code:
        assert found[code].severity == "error"
        assert not findings(with_setting(asked, found[code].remedy))


def test_published_weights_with_other_normalization() -> None:
    model = {"name": "resnet18", "pretrained": True}
    size = {"height": 128, "width": 128}
    asked = {"model": model, "input": {**size, "mean": [0.5] * 3, "std": [0.5] * 3}}
    found = findings(asked)
    assert found.keys() == {"backbone-normalization"}
    assert not findings(with_setting(asked, found["backbone-normalization"].remedy))


def test_weights_of_the_users_own_may_want_another_normalization() -> None:
    found = findings({"model": WEIGHTS, "input": {"mean": [0.5] * 3, "std": [0.5] * 3}})
    assert found.keys() == {"backbone-normalization"}
    assert found["backbone-normalization"].severity == "note"
    assert "unless your weights were trained otherwise" in found["backbone-normalization"].remedy


def test_batch_normalization_on_tiny_batches() -> None:
    asked = {"model": {"name": "resnet18"}, "training": {"batch_size": 4}}
    assert findings(asked).keys() == {"tiny-batches"}
    assert not findings({"model": {"name": "vgg11"}, "training": {"batch_size": 4}})
    head_alone = {"batch_size": 4, "phases": [{"train": "head"}]}
    weights = {"name": "resnet18", "weights": "w.safetensors"}
    asked = {"model": weights, "training": head_alone, "input": {"height": 64, "width": 64}}
    assert "tiny-batches" not in findings(asked)


def test_mirrored_digits() -> None:
    asked = {"augment": {"horizontal_flip": True}}
    assert not findings(asked)
    found = findings(asked, images(names=("2", "5")))
    assert found.keys() == {"flip-changes-class"}
    remedied = with_setting(asked, found["flip-changes-class"].remedy)
    assert not findings(remedied, images(names=("2", "5")))


def test_an_input_below_the_networks_stride() -> None:
    shown = images(side=16)
    asked = {"model": {"name": "resnet18", "small_stem": False}}
    found = findings(asked, shown)
    assert found.keys() == {"input-below-stride"}
    size = int(found["input-below-stride"].remedy.split()[-1])
    assert not findings({**asked, "input": {"height": size, "width": size}}, shown)


def test_a_network_that_refuses_the_images() -> None:
    found = findings({"model": {"name": "alexnet"}})
    assert found.keys() == {"network-refuses"}
    assert "32×32" in found["network-refuses"].message
    assert "--size" in found["network-refuses"].remedy


REFUSED: dict[str, tuple[dict[str, Any], str, str]] = {
    "a window": ({"layers": "conv 8 40, flatten, dense"}, "= −7", "an input of at least 40×40; or"),
    "a vector": ({"layers": "flatten, conv 8 3, dense"}, "conv 8 3     fails", "put it before the"),
    "the end": ({"layers": "flatten, dense 7"}, "ends in a vector of 7", "close it with a dense"),
    "no head": ({"layers": "conv 8 3"}, "hold no head", "end them with 'globalavgpool, dense'"),
    "an option": ({"name": "standard", "width": 0.5}, "does not have it", "leave it out"),
}  # fmt: skip


@pytest.mark.parametrize("case", REFUSED)
def test_what_would_mend_a_network_is_the_remedy_alone(case: str) -> None:
    model, problem, remedy = REFUSED[case]
    told = findings({"model": model})["network-refuses"]
    assert problem in told.message
    assert "to mend it" not in told.message + told.remedy
    assert told.remedy.startswith(remedy)


def test_a_stage_to_train_that_is_not_there_is_told_with_those_that_are() -> None:
    phases = {"phases": [{"train": "stage:block99", "epochs": 1}]}
    told = findings(
        {"model": {"name": "vgg11", "head": "globalavgpool, dense"}, "training": phases}
    )
    assert told["network-refuses"].message == "unknown stage 'block99'"
    assert "Known: block1, block2" in told["network-refuses"].remedy


OWN = """
from torch import nn
def build(classes):
    return nn.Sequential(nn.Conv2d(3, 8, 3), nn.Flatten(), nn.Linear(8, classes))
def broken(classes):
    class Broken(nn.Module):
        def forward(self, x):
            raise ValueError("one thing; to mend it: another")
    return Broken()
"""


def test_a_network_of_ones_own_is_told_what_would_mend_it_and_its_own_words_stay_whole(
    tmp_path: Path,
) -> None:
    file = tmp_path / "own.py"
    file.write_text(OWN)
    told = findings({"model": {"name": f"{file}:build"}})["network-refuses"]
    assert "30·30·8 = 7,200 ≠ 8" in told.message
    assert "a dense layer that takes 7,200" in told.remedy
    broken = findings({"model": {"name": f"{file}:broken"}})["network-refuses"]
    assert broken.message.endswith("one thing; to mend it: another")
    assert broken.remedy == "another --size, or another network"


def test_a_step_that_does_not_fit_into_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    asked = {"model": {"name": "resnet18"}, "training": {"batch_size": 64}}
    monkeypatch.setattr(network_findings, "available_memory", lambda: 400_000_000)
    found = findings(asked)
    assert found.keys() == {"memory"}
    assert found["memory"].severity == "error"
    assert not findings(with_setting(asked, found["memory"].remedy))
    monkeypatch.setattr(network_findings, "available_memory", lambda: None)
    assert not findings(asked)


@pytest.mark.parametrize("processes", [1, 4])
def test_a_step_is_made_in_the_memory_of_the_gpu(
    processes: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each of several processes has a GPU and its part of the batch."""
    asked = {"model": {"name": "resnet18"}, "training": {"batch_size": 64 * processes}}
    shown = images(1000)
    monkeypatch.setattr(network_findings, "available_memory", lambda: 400_000_000)
    free = 40_000_000_000

    def mem_get_info(device: torch.device) -> tuple[int, int]:
        assert device == GPU
        return free, 80_000_000_000

    monkeypatch.setattr(torch.cuda, "mem_get_info", mem_get_info)

    def found(asked: dict[str, Any]) -> dict[str, Finding]:
        recipe, _ = resolve_defaults({**ASKED, **asked}, shown)
        plan = plan_of(recipe, shown, device=GPU, processes=processes)
        return {finding.code: finding for finding in check_recipe(plan)}

    assert not found(asked)
    free = 250_000_000
    told = found(asked)
    assert told.keys() == {"memory"}
    assert "a step of 64 images" in told["memory"].message
    assert "250 MB are free on the GPU" in told["memory"].message
    assert not found(with_setting(asked, told["memory"].remedy))


def test_a_head_of_far_more_parameters_than_images() -> None:
    found = findings({"model": {"name": "vgg11", "head": "globalavgpool, dense 4096 relu, dense"}})
    assert found.keys() == {"large-head"}
    assert found["large-head"].evidence["parameters"] == 512 * 4096 + 4096 + 4096 * 2 + 2
    assert not findings({"model": {"name": "vgg11", "head": "globalavgpool, dense"}})


@pytest.mark.parametrize("name", ["early_stopping", "reduce_on_plateau"])
def test_patience_longer_than_the_run(name: str) -> None:
    asked = {"training": {"epochs": 5, name: {"patience": 5}}}
    found = findings(asked)
    assert found.keys() == {"patience-too-long"}
    assert not findings(with_setting(asked, found["patience-too-long"].remedy))


def test_a_batch_of_more_images_than_there_are() -> None:
    asked = {"training": {"batch_size": 181}}
    found = findings(asked)
    assert found.keys() == {"batch-too-large"}
    assert not findings(with_setting(asked, found["batch-too-large"].remedy))
    assert not findings({"training": {"batch_size": 180}})


def test_few_images_get_neither_batches_beyond_them_nor_tiny_ones() -> None:
    model = {"name": "resnet18"}
    found = findings({"model": model, "training": {"batch_size": 64}}, images(34))
    assert found.keys() == {"batch-too-large"}
    assert found["batch-too-large"].remedy == "--set training.batch_size=8"
    found = findings({"model": model}, images(6))
    assert found["batch-too-large"].remedy == "--set training.batch_size=4"
    assert found["tiny-batches"].remedy == "add training images, or train the head alone"


@pytest.mark.parametrize("epochs", [1, 3])
def test_a_patience_that_nobody_asked_for_is_no_fault(epochs: int) -> None:
    model = {"name": "resnet18", "pretrained": True}
    size = {"height": 64, "width": 64}
    assert not findings({"model": model, "training": {"epochs": epochs}, "input": size})


def test_no_patience_fits_a_single_epoch() -> None:
    found = findings({"training": {"epochs": 1, "early_stopping": {"patience": 1}}})
    remedy = found["patience-too-long"].remedy
    assert remedy == "--epochs 2, or leave early_stopping out"


def test_what_a_recipe_is_looked_at_for_leaves_torchs_generator_alone() -> None:
    torch.manual_seed(3)
    before = torch.get_rng_state()
    findings({"model": {"layers": "conv 8 3 relu, flatten, dropout 0.5, dense"}})
    assert torch.equal(before, torch.get_rng_state())
