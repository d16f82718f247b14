"""Published weights over loopback, weights from a file, and what does not fit."""

from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

from convlens.core import downloads
from convlens.core.cache_folder import cache_folder
from convlens.core.classifier import Classifier
from convlens.core.errors import ConvlensError, WorkFailedError
from convlens.core.input_spec import InputSpec
from convlens.core.reporter import Quiet
from convlens.models import (
    ModelSpec,
    build,
    build_architecture,
    imagenet_normalization,
    known_models,
    published_weights,
)
from convlens.models import published as published_module
from convlens.models.family import family_named
from convlens.models.published import PUBLISHED_WEIGHTS
from tests.models.mirror import Mirror, publish, published_form_of, torchvision_keys

SPEC = InputSpec(height=32, width=32)


class Heard(Quiet):
    def __init__(self) -> None:
        self.lines: list[str] = []

    def say(self, text: str) -> None:
        self.lines.append(text)

    def warn(self, text: str) -> None:
        self.lines.append(f"warning: {text}")


def network(name: str = "mobilenet_v2", *, seed: int = 5) -> Classifier:
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        return build_architecture(ModelSpec(name=name, small_stem=False), SPEC, classes=1000).eval()


@pytest.fixture(scope="module")
def trained() -> Classifier:
    """Stands for the published network: weights that are not those of any other draw."""
    return network()


@pytest.fixture
def mirror(_leaves_nothing_behind: None, trained: Classifier, tmp_path: Path) -> Iterator[Mirror]:
    folder = tmp_path / "mirror"
    folder.mkdir()
    weights = publish(published_form_of(trained, "mobilenet_v2"), "mobilenet_v2", folder)
    running = Mirror(folder)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("CONVLENS_WEIGHTS_URL", running.url)
        patch.setattr(downloads, "PAUSES_SECONDS", (0.0,))
        patch.setattr(published_module, "PUBLISHED_WEIGHTS", {"mobilenet_v2": weights})
        yield running
        running.close()


def pretrained(heard: Quiet, *, classes: int = 1000, **fields: object) -> Classifier:
    channels = fields.pop("channels", 3)
    spec = ModelSpec.model_validate({"name": "mobilenet_v2", "pretrained": True, **fields})
    input_spec = InputSpec(height=32, width=32, channels=channels)
    return build(spec, input_spec, classes=classes, reporter=heard).eval()


def test_published_weights_are_fetched_once_converted_and_offline_afterward(
    mirror: Mirror, trained: Classifier
) -> None:
    heard = Heard()
    net = pretrained(heard)
    assert all(
        torch.equal(a, b)
        for a, b in zip(net.state_dict().values(), trained.state_dict().values(), strict=True)
    )
    assert heard.lines == [f"IMAGENET1K_V1 weights ({next(mirror.folder.iterdir()).name}) loaded"]
    kept = [path.name for path in cache_folder("weights").iterdir() if path.name[0] != "."]
    assert [Path(name).suffix for name in kept] == [".safetensors"]
    mirror.close()
    x = torch.rand(1, 3, 32, 32)
    assert torch.equal(pretrained(heard)(x), trained(x))
    assert len(mirror.requests) == 1


def test_the_head_is_replaced_where_the_classes_differ(mirror: Mirror, trained: Classifier) -> None:
    heard = Heard()
    net = pretrained(heard, classes=5)
    assert "the head's last layer is drawn anew (5 classes, not 1,000)" in heard.lines[0]
    x = torch.rand(2, 3, 32, 32)
    assert torch.equal(net.stages(x), trained.stages(x))
    assert net(x).shape == (2, 5)


def test_another_head_is_drawn_anew(mirror: Mirror, trained: Classifier) -> None:
    heard = Heard()
    net = pretrained(heard, classes=5, head="globalavgpool, dense 16 relu, dense")
    assert "the head is drawn anew (5 classes)" in heard.lines[0]
    x = torch.rand(2, 3, 32, 32)
    assert torch.equal(net.stages(x), trained.stages(x))
    pretrained(heard, head="none")
    assert "its head is set aside" in heard.lines[1]


def test_gray_images_see_the_sum_of_the_first_kernel(mirror: Mirror, trained: Classifier) -> None:
    heard = Heard()
    net = pretrained(heard, channels=1)
    assert "first kernel summed over its colors for gray input" in heard.lines[0]
    gray = torch.rand(2, 1, 32, 32)
    torch.testing.assert_close(net(gray), trained(gray.expand(2, 3, 32, 32)))


def test_other_channels_have_no_published_weights(mirror: Mirror) -> None:
    with pytest.raises(ConvlensError, match="of another shape: stages.stage1.conv.conv.weight"):
        pretrained(Quiet(), channels=4)


def test_a_wrong_bit_is_refused_and_removed(mirror: Mirror) -> None:
    (file,) = mirror.folder.iterdir()
    content = bytearray(file.read_bytes())
    content[5000] ^= 1
    file.write_bytes(content)
    with pytest.raises(WorkFailedError, match="not the published file"):
        pretrained(Quiet())
    assert all(path.name.endswith(".lock") for path in cache_folder("weights").iterdir())


def test_an_interrupted_download_continues(mirror: Mirror, trained: Classifier) -> None:
    (file,) = mirror.folder.iterdir()
    folder = cache_folder("weights")
    folder.mkdir(parents=True)
    (folder / f".{file.name}.part").write_bytes(file.read_bytes()[:100_000])
    x = torch.rand(1, 3, 32, 32)
    assert torch.equal(pretrained(Quiet())(x), trained(x))


def test_a_missing_file_and_no_network_say_how_to_place_it_by_hand(mirror: Mirror) -> None:
    (file,) = mirror.folder.iterdir()
    content = file.read_bytes()
    file.unlink()
    place = cache_folder("weights") / file.name
    with pytest.raises(WorkFailedError, match="the server answered 404") as caught:
        pretrained(Quiet())
    assert f"place it at {place}" in str(caught.value)
    mirror.close()
    with pytest.raises(WorkFailedError, match="cannot be reached") as caught:
        pretrained(Quiet())
    assert f"place it at {place}" in str(caught.value)
    place.write_bytes(content)
    assert pretrained(Quiet())(torch.rand(1, 3, 32, 32)).shape == (1, 1000)


def test_a_cache_that_cannot_be_written_to_is_named(mirror: Mirror) -> None:
    cache_folder("weights").parent.write_text("a file where the folder should be")
    with pytest.raises(ConvlensError, match="cannot write to the cache folder .* CONVLENS_CACHE"):
        pretrained(Quiet())


def test_a_damaged_conversion_is_made_again(mirror: Mirror, trained: Classifier) -> None:
    pretrained(Quiet())
    converted = next(cache_folder("weights").glob("*.safetensors"))
    converted.write_bytes(converted.read_bytes()[:1000])
    heard = Heard()
    x = torch.rand(1, 3, 32, 32)
    assert torch.equal(pretrained(heard)(x), trained(x))
    assert heard.lines[0].startswith("warning: ")
    assert "it is damaged" in heard.lines[0]
    assert len(mirror.requests) == 2


def test_a_bundle_is_rebuilt_without_its_weights(mirror: Mirror) -> None:
    spec = ModelSpec(name="mobilenet_v2", pretrained=True)
    net = build_architecture(spec, SPEC, classes=7)
    assert net.stages.stage1.conv.conv.stride == (2, 2)
    assert mirror.requests == []


@pytest.mark.parametrize("names", ["ours", "torchvision"])
@pytest.mark.parametrize("suffix", [".safetensors", ".pth"])
def test_weights_from_a_file(names: str, suffix: str, trained: Classifier, tmp_path: Path) -> None:
    ours = names == "ours"
    state = trained.state_dict() if ours else published_form_of(trained, "mobilenet_v2")
    file = tmp_path / f"weights{suffix}"
    if suffix == ".pth":
        torch.save(state, file)
    else:
        save_file(state, file)
    heard = Heard()
    spec = ModelSpec(name="mobilenet_v2", weights=file)
    net = build(spec, SPEC, classes=1000, reporter=heard).eval()
    x = torch.rand(1, 3, 32, 32)
    assert torch.equal(net(x), trained(x))
    assert heard.lines == [f"weights from {file} loaded"]


def test_weights_of_a_network_in_text(tmp_path: Path) -> None:
    layers = "conv 4 3, maxpool 2, globalavgpool, dense"
    net = build(ModelSpec(layers=layers), SPEC, classes=3)
    save_file(net.state_dict(), tmp_path / "w.safetensors")
    again = build(ModelSpec(layers=layers, weights=tmp_path / "w.safetensors"), SPEC, classes=3)
    assert torch.equal(again.head.dense1.weight, net.head.dense1.weight)


def test_weights_of_another_network_are_listed_by_key(tmp_path: Path) -> None:
    file = tmp_path / "w.safetensors"
    save_file(network("resnet18").state_dict(), file)
    with pytest.raises(ConvlensError) as caught:
        build(ModelSpec(name="resnet34", weights=file), SPEC, classes=10)
    message = str(caught.value)
    assert "not this network's" in message
    assert "missing in the file: stages.layer1.block3.conv1.conv.weight" in message
    assert " more" in message
    with pytest.raises(ConvlensError, match=r"not in the network: stages\.\S+\.weight"):
        build(ModelSpec(name="simple", weights=file), SPEC, classes=10)
    with pytest.raises(ConvlensError, match=r"64×3×7×7 in the file, 64×3×3×3 in .*small_stem"):
        build(ModelSpec(name="resnet18", weights=file, small_stem=True), SPEC, classes=10)


def test_weights_that_lack_a_layer_or_bring_one_are_refused(
    trained: Classifier, tmp_path: Path
) -> None:
    state = trained.state_dict()
    file = tmp_path / "w.safetensors"
    spec = ModelSpec(name="mobilenet_v2", weights=file)
    lacking = {key: value for key, value in state.items() if "stage3.block2" not in key}
    save_file(lacking, file)
    with pytest.raises(ConvlensError, match="missing in the file: stages.stage3.block2"):
        build(spec, SPEC, classes=1000)
    save_file(state | {"stages.stage9.weight": torch.zeros(1)}, file)
    with pytest.raises(ConvlensError, match="1 not in the network: stages.stage9.weight"):
        build(spec, SPEC, classes=1000)


def test_old_files_without_counters_of_batches_fit(trained: Classifier, tmp_path: Path) -> None:
    theirs = published_form_of(trained, "mobilenet_v2")
    file = tmp_path / "w.pth"
    torch.save({k: v for k, v in theirs.items() if "num_batches" not in k}, file)
    heard = Heard()
    build(ModelSpec(name="mobilenet_v2", weights=file), SPEC, classes=1000, reporter=heard)
    assert heard.lines == [f"weights from {file} loaded"]


def test_every_published_file_names_its_hash_and_belongs_to_a_network() -> None:
    for name, weights in PUBLISHED_WEIGHTS.items():
        assert name in known_models()
        assert family_named(name).from_torchvision is not None
        download = weights.download
        assert download.checksum == f"sha256:{weights.file_name[-12:-4]}"
        assert download.urls[0].endswith(f"/models/{weights.file_name}")
        assert 50 < weights.top1 < 80
    assert {n for n in known_models() if family_named(n).from_torchvision} == {*PUBLISHED_WEIGHTS}


def test_a_network_without_published_weights_lists_those_with() -> None:
    with pytest.raises(ConvlensError, match="'lenet5' has no published weights; .*vgg16"):
        published_weights("lenet5")


def test_the_normalization_that_the_weights_expect() -> None:
    mean, std = imagenet_normalization(3)
    assert (mean, std) == ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225))
    gray_mean, gray_std = imagenet_normalization(1)
    assert gray_mean == pytest.approx((0.449,))
    assert gray_std == pytest.approx((0.226,))
    assert InputSpec(height=9, width=9, channels=1, mean=gray_mean, std=gray_std)
    with pytest.raises(ConvlensError, match="4 channels"):
        imagenet_normalization(4)


def test_the_cache_keeps_the_edition(mirror: Mirror) -> None:
    pretrained(Quiet())
    converted = next(cache_folder("weights").glob("*.safetensors"))
    assert b"IMAGENET1K_V1" in converted.read_bytes()[:100_000]
    assert set(load_file(converted)) == set(torchvision_keys("mobilenet_v2"))
