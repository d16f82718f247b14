"""Looks from images to pictures, arrays and figures."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from torch import nn

from convlens.core.classifier import Classifier
from convlens.core.errors import ConvlensError
from convlens.core.input_spec import InputSpec
from convlens.inspection import EXAMPLE_IMAGE, feature_maps, grad_cam
from convlens.inspection.pictures import Look, Visualizer, visualize_convolution, visualize_pooling
from convlens.inspection.subject import Subject

SPEC = InputSpec(height=12, width=12, channels=1)


@pytest.fixture
def looker() -> Visualizer:
    with torch.random.fork_rng():
        torch.manual_seed(0)
        stages = {
            "a": nn.Sequential(nn.Conv2d(1, 4, 3), nn.ReLU()),
            "b": nn.Sequential(nn.Conv2d(4, 6, 3, stride=2), nn.ReLU()),
        }
        head = nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(6, 3))
        net = Classifier(stages, head, SPEC).eval()
    return Visualizer(Subject(name="mine", classifier=net, classes=("daisy", "rose", "tulip")))


@pytest.fixture
def images() -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (2, 12, 12, 1), np.uint8)


def test_features(looker: Visualizer, images: np.ndarray) -> None:
    look = looker.features(images)
    found = feature_maps(looker.subject.classifier, images)
    assert [*look.figures] == [*look.arrays] == ["features-a", "features-b"]
    np.testing.assert_array_equal(look.arrays["features-b"]["maps"], found[1].maps)
    assert look.summary == {
        "network": "mine",
        "images": ["image 0", "image 1"],
        "layers": [
            {
                "layer": one.layer,
                "shape": shape,
                "dead": len(one.dead),
                "dead_channels": one.dead.tolist(),
            }
            for one, shape in zip(found, ([10, 10, 4], [4, 4, 6]), strict=True)
        ],
    }
    assert [*looker.features(images, layers=["b.0"], scale="shared").figures] == ["features-b.0"]


def test_filters(looker: Visualizer) -> None:
    look = looker.filters(layers=["a", "b"])
    norms = look.arrays["filters-b.0"]["norms"]
    assert look.summary["layers"] == [
        {
            "layer": "a.0",
            "filters": 4,
            "kernel": [3, 3, 1],
            "strongest": int(look.arrays["filters-a.0"]["norms"].argmax()),
        },
        {"layer": "b.0", "filters": 6, "kernel": [3, 3, 4], "strongest": int(norms.argmax())},
    ]
    assert [*looker.filters().figures] == ["filters-a.0"]


def test_probabilities_are_at_the_temperature_of_the_network(
    looker: Visualizer, images: np.ndarray
) -> None:
    warm = Visualizer(replace(looker.subject, temperature=3.0))
    logits = torch.from_numpy(grad_cam(looker.subject.classifier, images).logits)
    for temperature, own in ((1.0, looker), (3.0, warm)):
        expected = (logits / temperature).softmax(1).numpy()
        found = own.gradcam(images).arrays["gradcam-b"]["probabilities"]
        np.testing.assert_allclose(found, expected, rtol=1e-5)


def test_gradcam(looker: Visualizer, images: np.ndarray) -> None:
    look = looker.gradcam(images, class_name="rose")
    found = grad_cam(looker.subject.classifier, images, class_index=1)
    np.testing.assert_array_equal(look.arrays["gradcam-b"]["heat"], found.heat)
    expected = torch.from_numpy(found.logits).softmax(1).numpy()
    np.testing.assert_allclose(look.arrays["gradcam-b"]["probabilities"], expected, rtol=1e-5)
    rows = look.summary["images"]
    assert [row["class"] for row in rows] == ["rose", "rose"]
    assert [row["probability"] for row in rows] == pytest.approx(expected[:, 1].tolist(), rel=1e-5)
    assert [row["evidence"] for row in rows] == [bool(heat.any()) for heat in found.heat]
    likeliest = looker.gradcam(images, layer="a").summary
    assert likeliest["layer"] == "a"
    names = [looker.subject.classes[number] for number in expected.argmax(1)]
    assert [row["class"] for row in likeliest["images"]] == names


def test_shift(looker: Visualizer, images: np.ndarray) -> None:
    look = looker.shift(images[:1])
    told = look.summary
    assert (told["reach"], told["offsets"], told["axis"]) == (3, 7, "x")
    probabilities = look.arrays["shift"]["probabilities"]
    number = probabilities[3].argmax()
    assert told["class"] == looker.subject.classes[number]
    assert told["same_answer"] == (probabilities.argmax(1) == number).sum()
    assert told["lowest_probability"] == pytest.approx(probabilities[:, number].min())
    assert look.arrays["shift"]["maps b"].shape == (7, 4, 4)
    with pytest.raises(ConvlensError, match="2 images are to be moved; name one"):
        looker.shift(images)


def test_a_look_is_saved_under_its_own_names(
    looker: Visualizer, images: np.ndarray, tmp_path: Path
) -> None:
    files = looker.features(images).save(tmp_path / "new")
    assert [path.name for path in files] == [
        "features-a.png",
        "features-b.png",
        "features-a.npz",
        "features-b.npz",
    ]
    assert sorted(path.name for path in (tmp_path / "new").iterdir()) == sorted(
        path.name for path in files
    )
    with np.load(files[2], allow_pickle=False) as arrays:
        assert arrays["maps"].shape == (2, 4, 10, 10)
        assert arrays["images"].tolist() == ["image 0", "image 1"]
    with Image.open(files[0]) as picture:
        assert picture.width > 900


def test_convolution_by_hand() -> None:
    told = visualize_convolution().summary
    assert told["kernel"] == "vertical edge"
    assert (told["image"], told["output"]) == ([5, 5], [3, 3])
    assert (told["at"], told["sum"]) == ([0, 0], 1)
    assert told["window"] == [[1, 2, 0], [0, 1, 2], [1, 0, 1]]
    assert told["products"] == [[-1, 0, 0], [0, 0, 2], [-1, 0, 1]]
    assert told["numbers"]["feature_map"] == [[1, 1, 3], [0, 2, 0], [0, -2, 0]]
    assert told["numbers"]["image"] == EXAMPLE_IMAGE.tolist()
    other = visualize_convolution([[1, 2], [3, 4]], kernel="1 0; 0 1", padding=1, at=(1, 1)).summary
    assert (other["sum"], other["window"]) == (5, [[1, 2], [3, 4]])


def test_a_large_image_is_told_without_its_numbers(tmp_path: Path) -> None:
    pixels = np.full((40, 300), 10, np.uint8)
    pixels[:, 200:] = 250
    Image.fromarray(pixels).save(tmp_path / "edge.png")
    look = visualize_convolution(tmp_path / "edge.png", longest=150)
    assert look.summary["image"] == [20, 150]
    assert "numbers" not in look.summary
    assert look.summary["at"][1] == pytest.approx(99, abs=2)
    assert abs(look.summary["sum"]) == pytest.approx(
        np.abs(look.arrays["convolution"]["feature_map"]).max()
    )


def test_pooling_by_hand() -> None:
    told = visualize_pooling(window=3, stride=1, at=(0, 2)).summary
    assert (told["max"], told["average"]) == (3, pytest.approx(13 / 9))
    assert told["window"] == [[0, 1, 3], [2, 3, 1], [1, 0, 2]]
    padded = visualize_pooling([[-8.0]], window=2, padding=1).summary
    assert (padded["max"], padded["average"]) == (-8, -2)


@pytest.mark.parametrize("at", [(3, 0), (0, 3), (-1, 0)])
def test_a_number_outside_the_output_is_refused(at: tuple[int, int]) -> None:
    with pytest.raises(ConvlensError, match="rows 0 to 2 and columns 0 to 2"):
        visualize_convolution(at=at)


def test_a_sliding_look_is_animated_on_demand(tmp_path: Path) -> None:
    look: Look = visualize_pooling()
    assert [path.suffix for path in look.save(tmp_path)] == [".png", ".npz"]
    still = (tmp_path / "pooling.png").read_bytes()
    files = look.save(tmp_path, animate="webp")
    assert [path.name for path in files] == ["pooling.png", "pooling.npz", "pooling.webp"]
    assert (tmp_path / "pooling.png").read_bytes() == still
    with Image.open(files[-1]) as moving:
        assert moving.n_frames == 4
