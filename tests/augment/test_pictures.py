import io

import numpy as np
import pytest
from PIL import Image

from convlens.augment import AugmentSettings, augment, policy
from convlens.augment.pictures import draw_sheet, first_epochs, picture_path
from convlens.core.canvas import png
from convlens.core.errors import ConvlensError


def found(photographs, options, **changes):
    image = photographs[0]
    return first_epochs(image, options, **{"original": image[6:90, 8:120], **changes})


def words(figure):
    return [text.get_text() for text in figure.texts]


def test_nine_epochs_are_what_training_will_see(photographs):
    options = policy("light", brightness_range=(0.5, 1.5))
    seen = first_epochs(photographs[0], options, original=photographs[0], seed=4, index=17)
    for epoch, image in enumerate(seen.images):
        trained = augment(photographs[:1], options, seed=4, epoch=epoch, indices=[17])
        assert np.array_equal(image, trained[0])


def test_images_have_the_originals_size_whatever_the_margin(photographs):
    assert found(photographs, policy("standard")).images.shape == (9, 84, 112, 3)


def test_the_sheet_shows_ten_images_and_what_was_drawn(photographs):
    seen = found(photographs, policy("standard"))
    figure = draw_sheet(seen, title="a sheet", detail="in detail")
    shown = [axes.get_images()[0].get_array() for axes in figure.axes]
    assert np.array_equal(shown, [seen.original, *seen.images])
    written = words(figure)
    assert written[:4] == ["a sheet", "in detail", "original", "as validation sees it"]
    assert [text for text in written if text.startswith("epoch")] == [
        f"epoch {number}" for number in range(1, 10)
    ]
    assert all(phrase in written for phrases in seen.drawn for phrase in phrases)


def test_an_epoch_that_changes_nothing_says_so(photographs):
    assert (
        words(draw_sheet(found(photographs, AugmentSettings()), title="x")).count("unchanged") == 9
    )


@pytest.mark.parametrize("shape", [(8, 8, 1), (30, 90, 3), (90, 30, 3)])
def test_no_words_leave_the_sheet_or_touch_a_neighbors(photographs, shape):
    image = photographs[0][: shape[0], : shape[1], : shape[2]]
    seen = first_epochs(image, policy("strong", rotation_range=170), original=image)
    figure = draw_sheet(seen, title="x", detail="y")
    figure.draw_without_rendering()
    boxes = [text.get_window_extent() for text in figure.texts if text.get_text()]
    width, height = figure.get_size_inches() * figure.dpi
    assert all(box.x0 >= 0 and box.x1 <= width and 0 <= box.y0 <= height for box in boxes)
    for number, box in enumerate(boxes):
        assert not any(box.overlaps(other) for other in boxes[number + 1 :])
    assert all(text.get_text() for text in figure.texts)


def test_the_picture_is_a_png_that_pillow_reads(photographs):
    figure = draw_sheet(found(photographs, policy("light")), title="a $dollar$ 葉.jpg")
    image = Image.open(io.BytesIO(png(figure)))
    assert image.format == "PNG"
    assert image.width > 1500


def test_the_sheet_goes_to_a_file_or_into_a_folder(tmp_path):
    dotted = tmp_path / "looks.v2"
    dotted.mkdir()
    assert picture_path("a/sheet.PNG").name == "sheet.PNG"
    assert picture_path("a/looks").parts[-2:] == ("looks", "augmentation.png")
    assert picture_path(dotted) == dotted / "augmentation.png"
    with pytest.raises(ConvlensError, match=r"the picture is a PNG file: name it .*sheet.png"):
        picture_path("sheet.jpg")
