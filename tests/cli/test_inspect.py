import json
import sys

import pytest
import torch

from convlens import api
from convlens.cli.layer_table import layer_table
from convlens.cli.main import main
from convlens.cli.quantities import short, size
from convlens.core.errors import ConvlensError
from convlens.core.input_spec import InputSpec
from convlens.inspection import trace
from convlens.models import ModelSpec, build, known_models
from convlens.prediction import Bundle, save_bundle

DEEPEST = {"resnet101", "resnet152"}


@pytest.fixture
def run(capsys, monkeypatch):
    """Runs the command line on 80 columns; returns its exit status, stdout and stderr."""
    monkeypatch.setenv("COLUMNS", "80")

    def call(*words):
        with pytest.raises(SystemExit) as left:
            main([*map(str, words)])
        told = capsys.readouterr()
        return left.value.code or 0, told.out, told.err

    return call


def test_the_small_network(run):
    status, out, err = run("inspect", "simple", "--input", "28x28x1")
    assert (status, err) == (0, "")
    rows = {line.split()[0]: line for line in out.splitlines() if line.startswith(" ")}
    assert rows["dense1"].split() == [
        "dense1",
        "128",
        "576",
        "→",
        "128",
        "73,856",
        "73.7k",
        "26",
        "1.02k",
    ]
    assert "26×26×16 (28−3+2·0)/1+1=26     160 97.3k     3    1  86.5k" in out
    assert "98,442 parameters (all trainable): 394 kB" in out


def test_json_has_the_agreed_keys_and_nothing_beside(run):
    status, out, err = run("inspect", "simple", "--input", "28x28x1", "--json")
    assert (status, err) == (0, "")
    told = json.loads(out)
    assert told["input"] == [28, 28, 1]
    assert (told["parameters"], told["trainable_parameters"]) == (98_442, 98_442)
    assert told["macs"] == sum(layer["macs"] for layer in told["layers"])
    first = told["layers"][0]
    assert first["name"] == "block1.conv1"
    assert first["type"] == "Conv2d"
    assert first["output_shape"] == [26, 26, 16]
    assert (first["parameters"], first["trainable_parameters"]) == (160, 160)
    assert first["receptive_field"] == 3
    assert told["training_memory"]["batch_size"] == 32


def test_the_published_network_and_another_number_of_classes(run):
    assert "138,357,544 parameters" in run("inspect", "vgg16")[1]
    out = run("inspect", "vgg16", "--classes", 10)[1]
    assert f"{138_357_544 - 990 * 4097:,} parameters" in out


def test_a_head_of_ones_own_and_none(run):
    head = "globalavgpool, dense 256 relu, dense"
    assert "131,328" in run("inspect", "vgg16", "--head", head)[1]
    assert "14,714,688 parameters" in run("inspect", "vgg16", "--head", "none")[1]


def test_layers_as_text(run):
    words = ("--layers", "flatten, dense 1024, dense", "--input", "224x224x3")
    status, out, _ = run("inspect", *words)
    assert status == 0
    assert "154,141,696" in out


@pytest.mark.parametrize("name", [name for name in known_models() if name not in DEEPEST])
def test_eighty_columns(run, name):
    out = run("inspect", name)[1]
    assert max(map(len, out.splitlines())) <= 80


@pytest.mark.slow
@pytest.mark.parametrize("name", sorted(DEEPEST))
def test_eighty_columns_for_the_deepest(run, name):
    test_eighty_columns(run, name)


def test_names_in_the_table_are_those_of_layers():
    """The line of the module and the label of the row, put together, name a module."""
    spec = InputSpec(height=64, width=64)
    network = build(ModelSpec(name="resnet18", head="none"), spec, classes=0)
    place, found = "", set()
    for line in list(layer_table(trace(network, (3, 64, 64)).layers))[1:]:
        if not line.plain.startswith(" "):
            place = line.plain
        elif line.plain.split()[0] != "add":
            found.add(f"{place}.{line.plain.split()[0]}")
    modules = {path.removeprefix("stages.") for path, _ in network.named_modules()}
    assert len(found) == 1 + 16 + 3  # the stem, two for each block, the shortcuts
    assert found <= modules


def test_long_labels_and_sums_have_lines_of_their_own():
    module = torch.nn.Sequential()
    module.add_module("a_name_longer_than_the_column", torch.nn.Conv2d(1, 2, 3, dilation=2))
    lines = [line.plain for line in layer_table(trace(module, (1, 28, 32)).layers)]
    assert lines[1:] == [
        " a_name_longer_than_the_column",
        "      24×28×2                    20 12.1k     5    1  5.38k",
        "              (28−5+2·0)/1+1=24, 5=2·(3−1)+1",
        "              (32−5+2·0)/1+1=28, 5=2·(3−1)+1",
    ]


def test_frozen_parameters_are_marked():
    module = torch.nn.Sequential(torch.nn.Conv2d(1, 2, 3), torch.nn.Conv2d(2, 2, 3))
    module[0].requires_grad_(False)
    lines = [line.plain for line in layer_table(trace(module, (1, 8, 8)).layers)]
    assert "20*" in lines[1]
    assert "38 " in lines[2]


@pytest.fixture
def bundle(tmp_path):
    spec = InputSpec(height=32, width=48, channels=3)
    model = ModelSpec(name="resnet18", head="globalavgpool, dense")
    network = build(model, spec, classes=4)
    folder = tmp_path / "bundle"
    save_bundle(Bundle(classifier=network, model=model, classes=tuple("abcd")), folder)
    return folder


def test_a_bundle(run, bundle):
    status, out, _ = run("inspect", bundle, "--json")
    told = json.loads(out)
    assert status == 0
    assert told["input"] == [32, 48, 3]
    assert told["layers"][-1]["output_shape"] == [4]
    assert any("small-image stem" in note for note in told["notes"])
    larger = json.loads(run("inspect", bundle, "--input", "64x64x3", "--json")[1])
    assert larger["input"] == [64, 64, 3]
    assert larger["parameters"] == told["parameters"]


def test_any_module_in_python():
    module = torch.nn.Sequential(torch.nn.Conv2d(1, 16, 3), torch.nn.MaxPool2d(2))
    found = api.inspect(module, input="28x28x1")
    assert found.output_shape == (16, 13, 13)
    with pytest.raises(ConvlensError, match="pass --input"):
        api.inspect(module)
    with pytest.raises(ConvlensError, match="model is a Tensor; expected a network"):
        api.inspect(torch.zeros(3, 8, 8))


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("vgg61",), "unknown model 'vgg61'; did you mean"),
        (("photo.jpg",), "which is an image, not a network"),
        (("simple", "--input", "28x28"), "28x28 lacks its channels"),
        (("vgg16", "--input", "20x20x3"), "vgg16 needs at least 32 pixels"),
        (("--layers", "conv 8 9, flatten, dense", "--input", "8x8x1"), "9×9 window does not fit"),
        (("--layers", "conf 8 3, flatten, dense", "--input", "8x8x1"), "conf"),
        (("--layers", "conv 8 3, flatten, dense"), "pass --input"),
        (("simple", "--layers", "flatten, dense"), "not both"),
        ((), "no network was named"),
        (("simple", "--classes", "0"), "--classes"),
        (("/dev",), "bundle"),
    ],
)
def test_bad_requests(run, words, told):
    status, out, err = run("inspect", *words)
    assert status == 2
    assert out == ""
    assert told in " ".join(err.split())
    assert "Traceback" not in err
    status, out, err = run("inspect", *words, "--json")
    assert status == 2
    assert told in json.loads(out)["error"]["message"].replace("\n", " ")


def test_the_input_of_another_network(run, bundle):
    status, _, err = run("inspect", bundle, "--input", "64x64x1")
    assert status == 2
    assert "3 channels" in " ".join(err.split())


@pytest.mark.parametrize(
    ("number", "text"),
    [
        (0, "0"),
        (7, "7"),
        (999, "999"),
        (1000, "1k"),
        (999499, "999k"),
        (999500, "1M"),
        (123456789, "123M"),
        (15470314496, "15.5G"),
        (2000000000000000.0, "2P"),
    ],
)
def test_short(number, text):
    assert short(number) == text


def test_size():
    assert [size(n) for n in (40, 4096, 553_430_176)] == ["40 B", "4.1 kB", "553 MB"]


OWN = """
from torch import nn

def channels():
    return nn.Sequential(nn.Conv2d(1, 8, 3), nn.ReLU(), nn.Conv2d(16, 4, 3))

def size(classes):
    return nn.Sequential(nn.Conv2d(1, 8, 3), nn.Flatten(), nn.Linear(5408, classes))

class Slip(nn.Module):
    def forward(self, x):
        return x.no_such_thing

def slip():
    return Slip()
"""


@pytest.fixture
def own(tmp_path):
    """A file of the user's own, in a folder with a space in its name."""
    path = tmp_path / "my nets, all" / "own.py"
    path.parent.mkdir()
    path.write_text(OWN)
    before = set(sys.modules)
    yield path
    for name in set(sys.modules) - before:
        if name.startswith("convlens_own_"):
            del sys.modules[name]


def test_an_own_network_in_a_folder_with_a_space(run, own):
    status, out, err = run("inspect", f"{own}:size", "--input", "28x28x1")
    assert (status, err) == (0, "")
    assert "5,408 → 10" in out


@pytest.mark.parametrize("verb", ["inspect", "visualize filters"])
def test_an_own_network_that_does_not_fit_is_explained(run, own, verb):
    status, out, err = run(*verb.split(), f"{own}:channels", "--input", "28x28x1")
    assert (status, out) == (2, "")
    assert "'2' (Conv2d) fails: it takes 16 channels, but 8 reach it from '1'" in err
    assert "26×26×8  (28 − 3 + 2·0)/1 + 1 = 26" in err
    assert "to mend it: in_channels=8 here" in err
    status, _, err = run(*verb.split(), f"{own}:size", "--input", "32x32x1")
    assert status == 2
    assert "30·30·8 = 7,200 ≠ 5,408" in err
    assert "an input of 28 pixels a side" in err


def test_a_slip_in_an_own_network_names_its_line(run, own):
    status, _, err = run("inspect", f"{own}:slip", "--input", "28x28x1")
    assert status == 2
    assert "failed (line 12): AttributeError" in " ".join(err.split())


def test_a_folder_that_is_not_there_is_no_networks_name(run):
    for verb in ("inspect", "compare"):
        status, _, err = run(verb, "runs/nowhere")
        assert status == 2
        assert "runs/nowhere does not exist" in err
