import json

import pytest

from convlens.cli.main import main
from convlens.core.input_spec import InputSpec
from convlens.models import ModelSpec, build
from convlens.prediction import Bundle, save_bundle


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


QUICK = ("--repeats", 3, "--batch-size", 2, "--device", "cpu")


def test_side_by_side(run):
    words = ("resnet18", "mobilenet_v2", "--input", "32x32x3", "--head", "none")
    status, out, err = run("compare", *words, *QUICK)
    assert (status, err) == (0, "")
    rows = [line.split() for line in out.splitlines()]
    resnet = next(row for row in rows if row[:1] == ["resnet18"])
    assert {"11,168,832", "4×4×512", "69.8"} <= set(resnet)
    assert "which is best on your images" in " ".join(out.split())
    assert "torchvision" in out
    assert max(map(len, out.splitlines())) <= 80


def test_json_is_one_object(run):
    words = ("simple", "lenet5", "--input", "32x32x1", "--gradients", "--json")
    status, out, err = run("compare", *words, *QUICK)
    assert (status, err) == (0, "")
    told = json.loads(out)
    assert told["input"] == [32, 32, 1]
    assert [network["name"] for network in told["networks"]] == ["simple", "lenet5"]
    simple = told["networks"][0]
    assert simple["feature_shape"] == [4, 4, 64]
    assert simple["latency"]["n"] >= 3
    assert simple["gradients"][0]["name"] == "block1.conv1"
    assert simple["top1"] is None


def test_the_input_that_all_were_published_for(run):
    told = json.loads(run("compare", "standard", "standard_no_bn", "--json", *QUICK)[1])
    assert told["input"] == [32, 32, 3]


def test_stacked_small_kernels_as_text(run):
    words = ("conv 8 3, conv 8 3", "conv 8 5", "--head", "none", "--input", "12x12x8", "--json")
    twice, once = json.loads(run("compare", *words, *QUICK)[1])["networks"]
    assert twice["receptive_field"] == once["receptive_field"] == 5
    assert (twice["parameters"], once["parameters"]) == (1168, 1608)


def test_gradients_by_depth_as_text(run):
    plain = ", ".join(["conv 8 3 same relu"] * 8)
    residual = f"conv 8 3 same relu, {', '.join(['residual 8'] * 4)}"
    words = (plain, residual, "--head", "none", "--input", "16x16x3", "--gradients")
    status, out, _ = run("compare", *words, *QUICK)
    assert status == 0
    assert "first / last" in out
    assert max(map(len, out.splitlines())) <= 80


def test_a_trained_network_beside_a_named_one(run, tmp_path):
    spec, model = InputSpec(height=32, width=32), ModelSpec(name="standard")
    trained = Bundle(classifier=build(model, spec, classes=4), model=model, classes=tuple("abcd"))
    save_bundle(trained, tmp_path / "run" / "bundle")
    words = (tmp_path / "run", "standard_no_bn", "--json")
    found = json.loads(run("compare", *words, *QUICK)[1])
    assert found["input"] == [32, 32, 3]
    assert found["networks"][0]["parameters"] == 815_530 - 6 * 257


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("simple", "resnet19"), "did you mean 'resnet18'?"),
        (("simple", "--input", "32x32"), "lacks its channels"),
        (("vgg16", "--input", "16x16x3"), "needs at least 32 pixels"),
        (("simple", "--device", "tpu"), "device is 'tpu'"),
        (("simple", "--repeats", "1"), "--repeats"),
        ((), "MODEL"),
    ],
)
def test_bad_requests(run, words, told):
    status, out, err = run("compare", *words)
    assert (status, out) == (2, "")
    assert told in " ".join(err.split())
    assert "Traceback" not in err
