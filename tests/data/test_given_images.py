"""Every kind of object that may be passed as an image, and what it must give."""

from io import BytesIO

import numpy as np
import pytest
import torch
from PIL import Image

from convlens.core.errors import ConvlensError
from convlens.core.input_spec import InputSpec
from convlens.data import UnreadableImageError, decode
from convlens.data.arrays import read_arrays
from convlens.data.given_images import list_images, picture_file, stack_images

SPEC = InputSpec(height=24, width=32, channels=3)
PIXELS = np.random.default_rng(0).integers(0, 256, (24, 32, 3), dtype=np.uint8)
RGB = Image.fromarray(PIXELS)
MODES = ("1", "L", "LA", "P", "PA", "RGB", "RGBA", "RGBX", "CMYK", "YCbCr", "HSV", "La", "RGBa")


def decoded(given):
    """The pixels that a network is fed."""
    content = picture_file(given, "it") if isinstance(given, Image.Image) else given
    return decode(content, SPEC)


def refusal(images, **options):
    with pytest.raises(ConvlensError) as caught:
        list_images(images, **options)
    assert caught.value.exit_status == 2
    return caught.value.message


@pytest.mark.parametrize("mode", MODES)
def test_a_picture_of_every_mode_gives_what_its_colors_are(mode):
    through = {"La": "LA", "RGBa": "RGBA", "PA": "P"}.get(mode, mode)
    smooth = RGB.resize((4, 3)).resize((32, 24), Image.Resampling.NEAREST)
    picture = smooth.convert(through)
    picture = picture if through == mode else picture.convert(mode)
    expected = picture
    if mode in {"La", "RGBa"}:
        expected = picture.convert(through)
    found = decoded(picture).astype(int)
    assert np.abs(found - np.asarray(expected.convert("RGB"))).max() <= 1
    (one,), _ = list_images(picture)
    assert (decoded(one) == found).all()
    stacked = stack_images([picture, picture], "X").pixels
    assert np.abs(stacked[0].astype(int) - found).max() == 0


def test_a_palette_is_looked_up_not_read_as_numbers():
    palette = RGB.quantize(64)
    file = BytesIO()
    palette.save(file, "PNG")
    assert (decoded(palette) == decode(file.getvalue(), SPEC)).all()
    assert np.abs(decoded(palette).astype(int) - PIXELS).mean() < 30
    assert np.abs(np.asarray(palette).astype(int) - PIXELS[..., 0]).mean() > 30


def test_lab_and_sixteen_bits():
    from PIL import ImageCms

    srgb, lab = ImageCms.createProfile("sRGB"), ImageCms.createProfile("LAB")
    picture = ImageCms.profileToProfile(RGB, srgb, lab, outputMode="LAB")
    assert np.abs(decoded(picture).astype(int) - PIXELS).mean() < 4
    values = np.linspace(0, 65535, 24 * 32).astype(np.uint16).reshape(24, 32)
    wide = Image.fromarray(values)
    assert wide.mode.startswith("I;16")
    file = BytesIO()
    wide.save(file, "PNG")
    assert (decoded(wide) == decode(file.getvalue(), SPEC)).all()
    big = Image.frombytes("I;16B", (32, 24), values.astype(">u2").tobytes())
    assert (decoded(big) == decoded(wide)).all()


def test_transparent_parts_are_laid_over_white_as_in_files():
    clear = np.dstack([PIXELS, np.zeros((24, 32), np.uint8)])
    assert (decoded(Image.fromarray(clear)) == 255).all()
    palette = Image.new("P", (32, 24), 0)
    palette.info["transparency"] = 0
    assert (decoded(palette) == 255).all()


def test_a_picture_is_turned_upright_as_its_file_is(tmp_path):
    exif = Image.Exif()
    exif[0x0112] = 6
    RGB.transpose(Image.Transpose.ROTATE_90).save(tmp_path / "a.png", exif=exif)
    assert (decode(tmp_path / "a.png", SPEC) == PIXELS).all()
    with Image.open(tmp_path / "a.png") as picture:
        assert (decoded(picture) == PIXELS).all()


@pytest.mark.parametrize("mode", ["I", "F"])
def test_pictures_of_unknown_range_are_refused(mode):
    with pytest.raises(UnreadableImageError, match="32-bit numbers"):
        picture_file(RGB.convert("L").convert(mode), "it")


def test_a_damaged_picture_is_refused_in_words(tmp_path):
    RGB.save(tmp_path / "a.jpg")
    (tmp_path / "a.jpg").write_bytes((tmp_path / "a.jpg").read_bytes()[:900])
    with (
        Image.open(tmp_path / "a.jpg") as picture,
        pytest.raises(UnreadableImageError, match="cannot read it"),
    ):
        picture_file(picture, "it")


@pytest.fixture
def file(tmp_path):
    RGB.save(tmp_path / "a.png")
    return tmp_path / "a.png"


def forms(file):
    """The same image as every kind of object that holds one."""
    floats = PIXELS / np.float32(255)
    return {
        "path": str(file),
        "Path": file,
        "NumPy string": np.str_(file),
        "bytes": file.read_bytes(),
        "bytearray": bytearray(file.read_bytes()),
        "memoryview": memoryview(file.read_bytes()),
        "open file": file.open("rb"),
        "BytesIO": BytesIO(file.read_bytes()),
        "Pillow": RGB,
        "Pillow, opened": Image.open(file),
        "H x W x C": PIXELS,
        "floats": floats,
        "float64": PIXELS / 255,
        "tensor H x W x C": torch.from_numpy(PIXELS),
        "not contiguous": PIXELS[::-1][::-1],
        "nothing masked": np.ma.array(PIXELS),
    }


KINDS = (
    "path", "Path", "NumPy string", "bytes", "bytearray", "memoryview", "open file", "BytesIO",
    "Pillow", "Pillow, opened", "H x W x C", "floats", "float64", "tensor H x W x C",
    "not contiguous", "nothing masked",
)  # fmt: skip


@pytest.mark.parametrize("kind", KINDS)
def test_one_image_of_any_kind_alone_and_in_every_container(file, kind):
    for wrap in (
        lambda one: one,
        lambda one: [one],
        lambda one: (one,),
        lambda one: iter([one]),
        lambda one: (image for image in [one]),
        lambda one: [file, one][1:],
    ):
        with_file = forms(file)
        (given,), _ = list_images(wrap(with_file[kind]))
        assert (decoded(given) == PIXELS).all()
        with_file["open file"].close()
        with_file["Pillow, opened"].close()


def test_batches(file):
    batch = np.stack([PIXELS, PIXELS[::-1]])
    objects = np.empty(2, object)
    objects[:] = [str(file), batch[1]]
    for images in (
        batch,
        batch.transpose(0, 3, 1, 2),
        torch.from_numpy(batch).permute(0, 3, 1, 2),
        batch / 255,
        list(batch),
        tuple(batch),
        list(batch.transpose(0, 3, 1, 2)),
        [RGB, batch[1]],
        [str(file), torch.from_numpy(batch[1])],
        [file.read_bytes(), batch[1] / 255],
        objects,
    ):
        given, _ = list_images(images)
        assert all((decoded(one) == own).all() for one, own in zip(given, batch, strict=True))


def test_paths_in_arrays_and_series(file):
    for paths in (
        np.array([str(file)] * 2),
        np.array([file, str(file)], dtype=object),
        (p for p in [file, file]),
        map(str, [file, file]),
    ):
        assert list_images(paths)[0] == [str(file)] * 2


def test_one_gray_image_alone():
    gray = PIXELS[..., 0]
    for images in (gray, gray[..., None], gray[None], torch.from_numpy(gray), gray / 255):
        given, _ = list_images(images)
        assert len(given) == 1
        assert (given[0][..., 0] == gray).all()
    (given,), _ = list_images(gray > 128)
    assert sorted(np.unique(given).tolist()) == [0, 255]


def test_images_of_several_sizes_are_listed():
    given, _ = list_images([PIXELS, PIXELS[:20, :, 0], Image.new("L", (9, 7))])
    assert [decoded(one).shape for one in given] == [(24, 32, 3)] * 3


@pytest.mark.parametrize(
    ("images", "words"),
    [
        ([], ["images is empty", "paths"]),
        (np.zeros((0, 8, 8, 3), np.uint8), ["no images"]),
        (PIXELS.transpose(2, 0, 1), ["3 x 24 x 32", "images.transpose(1, 2, 0)", "[..., None]"]),
        (torch.zeros(3, 24, 32), ["3 x 24 x 32", "images.permute(1, 2, 0)"]),
        (np.zeros((100, 3)), ["flattened"]),
        (np.zeros((1, 784)), ["flattened"]),
        (np.zeros(784), ["shape 784"]),
        (np.zeros((24, 32, 2), np.uint8)[None], ["2 channels"]),
        (np.zeros((24, 32, 4), np.uint8), ["4 channels", "alpha"]),
        ([PIXELS, np.zeros((24, 32, 5), np.uint8)], ["images[1]", "5 channels"]),
        ([PIXELS, np.full((24, 32), np.nan)], ["images[1]", "NaN"]),
        ([PIXELS[None]], ["images[0] has shape 1 x 24 x 32 x 3"]),
        ([None], ["images[0]"]),
        ([1, 2, 3], ["int64"]),
        (None, ["NoneType"]),
        (7, ["images is a int"]),
        ({"a": 1}, ["images is a dict"]),
        (object(), ["images is a object"]),
        (np.ma.masked_less(PIXELS, 9), ["masked"]),
        ([np.ma.masked_less(PIXELS, 9)], ["images[0] is masked"]),
    ],
)
def test_what_is_no_image_is_named(images, words):
    message = refusal(images)
    for word in words:
        assert word in message


def test_flattened_images_are_known_by_the_network_s_size():
    assert "flattened" in refusal(np.zeros((100, 784), np.uint8), flat=784)
    assert len(list_images(np.zeros((100, 784), np.uint8), flat=192)[0]) == 1


def test_a_file_opened_as_text_or_closed(tmp_path):
    (tmp_path / "a.txt").write_text("x")
    with (tmp_path / "a.txt").open() as file:
        assert "open(path, 'rb')" in refusal(file)
    assert "cannot be read" in refusal(file)


def test_pictures_and_contents_are_trained_on_as_pixels(file):
    pictures = [RGB, RGB.quantize(256), file.read_bytes(), PIXELS, RGB.convert("L")]
    found = read_arrays((pictures, [0, 1, 0, 1, 0]))
    assert found.arrays.shape == (5, 24, 32, 3)
    assert (found.arrays[0] == PIXELS).all()
    assert (found.arrays[2] == PIXELS).all()
    assert not found.axis_added
    gray = read_arrays(([PIXELS[..., 0]] * 2, [0, 1]))
    assert gray.axis_added
    assert "different sizes" in _refused(([RGB, RGB.resize((9, 9))], [0, 1]))
    assert "32-bit numbers" in _refused(([RGB.convert("F"), RGB], [0, 1]))


def _refused(source):
    with pytest.raises(ConvlensError) as caught:
        read_arrays(source)
    return caught.value.message


@pytest.mark.parametrize("channels", [2, 5])
def test_one_image_of_other_channels_is_not_many_images(channels):
    with pytest.raises(ConvlensError, match=f"may be one image of {channels} channels"):
        list_images(np.zeros((24, 24, channels), np.uint8))
    given, _ = list_images(np.zeros((24, 24, channels, 1), np.uint8))
    assert len(given) == 24
