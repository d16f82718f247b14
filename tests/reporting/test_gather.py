"""Gathering: the images that are shown are the right ones, and what is gone is said to be."""

import numpy as np
import pytest

from convlens.core.errors import ConvlensError
from convlens.core.input_spec import InputSpec
from convlens.models import ModelSpec, build
from convlens.reporting.gallery import least_sure, worst_mistakes
from convlens.reporting.overlays import draw_overlays, telling_layer
from convlens.reporting.pictures import LONGEST, encode
from convlens.reporting.writing import report_path


def probabilities(n: int, k: int, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    rows = rng.dirichlet(np.ones(k), n).astype(np.float32)
    return rows, rng.integers(0, k, n)


def test_the_worst_mistakes_are_wrong_and_none_is_surer() -> None:
    rows, labels = probabilities(500, 4)
    found = worst_mistakes(rows, labels, limit=12)
    wrong = np.flatnonzero(rows.argmax(1) != labels)
    assert len(found) == 12
    assert set(found) <= set(wrong)
    sure = rows.max(1)
    assert (np.diff(sure[found]) <= 0).all()
    assert sure[found].min() >= sure[np.setdiff1d(wrong, found)].max()


def test_the_least_sure_are_no_surer_than_any_other() -> None:
    rows, labels = probabilities(500, 4)
    worst = worst_mistakes(rows, labels, limit=12)
    found = least_sure(rows, limit=12, without=worst)
    assert not set(found) & set(worst)
    sure = rows.max(1)
    others = np.setdiff1d(np.arange(500), np.concatenate([found, worst]))
    assert sure[found].max() <= sure[others].min()


def test_no_mistake_is_no_image() -> None:
    rows = np.eye(3, dtype=np.float32)
    assert len(worst_mistakes(rows, np.arange(3), limit=12)) == 0
    assert list(least_sure(rows, limit=12)) == [0, 1, 2]


@pytest.mark.parametrize("channels", [1, 3, 5])
@pytest.mark.parametrize("shape", [(8, 8), (40, 300), (700, 500)])
def test_pictures_are_small_files_of_the_right_shape(shape: tuple[int, int], channels: int) -> None:
    image = np.random.default_rng(0).integers(0, 256, (*shape, channels), np.uint8)
    found = encode(image)
    assert max(found.width, found.height) <= max(LONGEST, 96)
    assert found.width / found.height == pytest.approx(shape[1] / shape[0], rel=0.05)
    assert found.few == (max(shape) <= 96)
    assert found.uri.startswith(f"data:image/{found.kind};base64,")


def test_a_small_picture_keeps_every_pixel() -> None:
    import io

    from PIL import Image

    image = np.random.default_rng(0).integers(0, 256, (8, 9, 3), np.uint8)
    assert (np.asarray(Image.open(io.BytesIO(encode(image).content))) == image).all()


@pytest.mark.parametrize(
    ("side", "layer", "noted"), [(8, "block2.conv2_norm", True), (64, "block3", False)]
)
def test_grad_cam_is_taken_where_a_map_still_says_where(side: int, layer: str, noted: bool) -> None:
    spec = InputSpec(height=side, width=side)
    network = build(ModelSpec(name="standard"), spec, classes=4)
    found, note = telling_layer(network)
    assert (found, bool(note)) == (layer, noted)
    pixels = np.random.default_rng(0).integers(0, 256, (5, side, side, 3), np.uint8)
    overlays, used, _ = draw_overlays(network, pixels)
    assert used == layer
    assert len(overlays) == 5
    assert None not in overlays


def test_a_report_is_an_html_file() -> None:
    with pytest.raises(ConvlensError, match=r"name it plants\.html"):
        report_path("plants.pdf")
