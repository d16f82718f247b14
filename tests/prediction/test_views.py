import numpy as np
import pytest
import torch

from convlens.core.errors import ConvlensError
from convlens.prediction import count_views, parse_views, views_of


def test_the_mirror_image() -> None:
    images = torch.arange(24, dtype=torch.uint8).view(2, 1, 3, 4)
    plain, mirrored = views_of(images, ["flip"])
    assert plain is images
    assert (mirrored.numpy() == images.numpy()[..., ::-1]).all()


@pytest.mark.parametrize(("height", "width", "down", "right"), [(32, 48, 2, 3), (8, 5, 1, 1)])
def test_crops_are_those_of_the_image_with_its_edges_mirrored(
    height: int, width: int, down: int, right: int
) -> None:
    images = torch.rand(2, 3, height, width)
    wide = np.pad(images.numpy(), [(0, 0), (0, 0), (down, down), (right, right)], mode="reflect")
    expected = [
        wide[..., y : y + height, x : x + width] for y in (0, 2 * down) for x in (0, 2 * right)
    ]
    own, *crops = views_of(images, ["crops"])
    assert own is images
    for crop, theirs in zip(crops, expected, strict=True):
        np.testing.assert_array_equal(crop.numpy(), theirs)


def test_both_make_the_mirror_image_of_every_crop() -> None:
    images = torch.rand(1, 1, 16, 16)
    both = list(views_of(images, ["crops", "flip"]))
    crops = list(views_of(images, ["crops"]))
    for number, crop in enumerate(crops):
        assert torch.equal(both[2 * number], crop)
        assert torch.equal(both[2 * number + 1], crop.flip(-1))


@pytest.mark.parametrize("views", [[], ["flip"], ["crops"], ["flip", "crops"]])
@pytest.mark.parametrize("size", [(1, 1), (1, 9), (7, 1), (6, 6)])
def test_so_many_views_of_the_same_size_and_type_whatever_the_size(
    views: list[str], size: tuple[int, int]
) -> None:
    images = torch.randint(0, 256, (3, 1, *size), dtype=torch.uint8)
    found = list(views_of(images, views))
    assert len(found) == count_views(views)
    assert {view.shape for view in found} == {images.shape}
    assert {view.dtype for view in found} == {torch.uint8}


def test_views_as_they_are_typed() -> None:
    assert parse_views("flip") == ("flip",)
    assert parse_views(" crops , flip,crops") == ("crops", "flip")


@pytest.mark.parametrize("text", ["flop", "flip,", "", "flip crops"])
def test_an_unknown_view_is_refused(text: str) -> None:
    with pytest.raises(ConvlensError, match="expected flip, crops, or"):
        parse_views(text)
