from concurrent.futures import ThreadPoolExecutor
from io import BytesIO
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
import simplejpeg
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from PIL import Image, ImageOps
from PIL.PngImagePlugin import PngInfo
from sklearn.datasets import load_sample_image

from convlens.core.errors import ConvlensError
from convlens.core.input_spec import InputSpec, ResizeRule
from convlens.data import ImageLimits, UnreadableImageError, decode, fit
from convlens.data.resize import plan

PHOTOGRAPHS = [Image.fromarray(load_sample_image(name)) for name in ("china.jpg", "flower.jpg")]
SMALL = PHOTOGRAPHS[0].resize((120, 80), Image.Resampling.BOX)
FORMATS = ["JPEG", "PNG", "WEBP", "BMP", "GIF", "TIFF"]
RULES = ["crop", "stretch", "pad"]
ORIENTED = [  # EXIF orientations 2 to 8
    Image.Transpose.FLIP_LEFT_RIGHT,
    Image.Transpose.ROTATE_180,
    Image.Transpose.FLIP_TOP_BOTTOM,
    Image.Transpose.TRANSPOSE,
    Image.Transpose.ROTATE_270,
    Image.Transpose.TRANSVERSE,
    Image.Transpose.ROTATE_90,
]


def encoded(image: Image.Image, kind: str, **how: object) -> bytes:
    file = BytesIO()
    image.save(file, kind, **how)
    return file.getvalue()


def as_is(channels: int = 3) -> InputSpec:
    return InputSpec(height=80, width=120, channels=channels)


def difference(one: NDArray[np.uint8], other: object) -> NDArray[np.int64]:
    return np.abs(one.astype(int) - np.asarray(other).reshape(one.shape))


def with_pillow(data: bytes, spec: InputSpec) -> NDArray[np.uint8]:
    """Everything in full: decode, turn, resize with Pillow's antialiased bilinear filter, cut."""
    with Image.open(BytesIO(data)) as image:
        upright = ImageOps.exif_transpose(image).convert("RGB")
    scaled, (top, left, rows, columns), corner = plan(upright.height, upright.width, spec)
    resized = upright.resize(scaled[::-1], Image.Resampling.BILINEAR)
    black = Image.new("RGB", (spec.width, spec.height))
    black.paste(resized.crop((left, top, left + columns, top + rows)), corner[::-1])
    return np.asarray(black if spec.channels == 3 else black.convert("L"))


@pytest.mark.parametrize("kind", FORMATS)
def test_every_format_at_its_own_size_is_pillows_answer(kind: str) -> None:
    data = encoded(SMALL, kind)
    assert difference(decode(data, as_is()), with_pillow(data, as_is())).max() <= 1
    assert difference(decode(data, as_is(1)), with_pillow(data, as_is(1))).max() <= 1


def over_white(image: Image.Image) -> Image.Image:
    white = Image.new("RGBA", image.size, (255, 255, 255, 255))
    return Image.alpha_composite(white, image.convert("RGBA")).convert("RGB")


def fading() -> Image.Image:
    """A photograph that fades out to the right."""
    alpha = np.tile(np.linspace(255, 0, SMALL.width).astype(np.uint8), (SMALL.height, 1))
    image = SMALL.convert("RGBA")
    image.putalpha(Image.fromarray(alpha))
    return image


def with_a_hole() -> Image.Image:
    """A palette image one of whose colors is transparent."""
    image = SMALL.quantize(16)
    image.info["transparency"] = 3
    return image


KINDS: dict[str, tuple[bytes, Image.Image]] = {
    "gray": (encoded(SMALL.convert("L"), "PNG"), SMALL.convert("L").convert("RGB")),
    "gray JPEG": (encoded(SMALL.convert("L"), "JPEG", quality=100), SMALL.convert("L")),
    "1 bit": (encoded(SMALL.convert("1"), "PNG"), SMALL.convert("1").convert("RGB")),
    "palette": (encoded(SMALL.quantize(16), "PNG"), SMALL.quantize(16).convert("RGB")),
    "palette with a hole": (encoded(with_a_hole(), "PNG"), over_white(with_a_hole())),
    "GIF with a hole": (
        encoded(with_a_hole(), "GIF", transparency=3),
        over_white(with_a_hole()),
    ),
    "color and alpha": (encoded(fading(), "PNG"), over_white(fading())),
    "gray and alpha": (encoded(fading().convert("LA"), "PNG"), over_white(fading().convert("LA"))),
    "alpha in WebP": (encoded(fading(), "WEBP", lossless=True, exact=True), over_white(fading())),
    "alpha in TIFF": (encoded(fading(), "TIFF"), over_white(fading())),
    "CMYK TIFF": (encoded(SMALL.convert("CMYK"), "TIFF"), SMALL.convert("CMYK").convert("RGB")),
    "LZW TIFF": (encoded(SMALL, "TIFF", compression="tiff_lzw"), SMALL),
    "first frame of a GIF": (
        encoded(
            SMALL.quantize(64), "GIF", save_all=True, append_images=[Image.new("P", (120, 80))]
        ),
        SMALL.quantize(64).convert("RGB"),
    ),
    "first page of a TIFF": (
        encoded(SMALL, "TIFF", save_all=True, append_images=[Image.new("RGB", (120, 80))]),
        SMALL,
    ),
}


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_of_pixel_is_pillows_answer(kind: str) -> None:
    data, expected = KINDS[kind]
    assert difference(decode(data, as_is()), expected.convert("RGB")).max() <= 1
    assert difference(decode(data, as_is(1)), expected.convert("L")).max() <= 1


def test_cmyk_jpeg_is_pillows_answer() -> None:
    data = encoded(SMALL.convert("CMYK"), "JPEG")
    assert difference(decode(data, as_is()), with_pillow(data, as_is())).max() <= 1


@pytest.mark.parametrize("suffix", [".png", ".tiff"])
@pytest.mark.parametrize("channels", [1, 3])
def test_16_bits_are_scaled_not_clipped(suffix: str, channels: int) -> None:
    values = np.random.default_rng(0).integers(0, 65536, (80, 120, channels), np.uint16)
    values[0, :3] = np.array([0, 257, 65535])[:, None]
    data = cv2.imencode(suffix, values)[1].tobytes()
    expected = (values[..., ::-1] / 257).round()
    assert difference(decode(data, as_is(channels)), expected).max() <= 1
    assert decode(data, as_is(channels))[0, :3, 0].tolist() == [0, 1, 255]


def test_16_bit_gray_with_a_transparent_value() -> None:
    values = np.full((80, 120), 1000, np.uint16)
    values[:, 60:] = 50_000
    data = encoded(Image.fromarray(values), "PNG", transparency=1000)
    pixels = decode(data, as_is(1))
    assert (pixels[:, :60] == 255).all()
    assert (pixels[:, 60:] == 195).all()


def test_32_bit_pixels_are_refused_for_they_have_no_white() -> None:
    for mode in ("F", "I"):
        with pytest.raises(UnreadableImageError, match="32-bit numbers of unknown range"):
            decode(encoded(Image.new(mode, (4, 4)), "TIFF"), as_is())


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "TIFF"])
@pytest.mark.parametrize("orientation", range(1, 9))
def test_exif_orientation(kind: str, orientation: int) -> None:
    exif = Image.Exif()
    exif[0x0112] = orientation
    data = encoded(SMALL, kind, exif=exif)
    upright = InputSpec(height=120, width=80) if orientation > 4 else as_is()
    assert difference(decode(data, upright), with_pillow(data, upright)).max() <= 1
    for rule in RULES:
        smaller = InputSpec(height=31, width=24, resize=rule)
        assert difference(decode(data, smaller), with_pillow(data, smaller)).mean() < 3


@pytest.mark.parametrize("orientation", range(2, 9))
def test_a_turned_photograph_is_what_the_coded_data_give_turned(orientation: int) -> None:
    turns = Image.Exif()
    turns[0x0112] = orientation
    image = PHOTOGRAPHS[1].crop((0, 0, 601, 399))  # neither side a multiple of a block
    upright, turned = encoded(image, "JPEG"), encoded(image, "JPEG", exif=turns)
    how = ORIENTED[orientation - 2]
    for height, width in ((40, 40), (96, 80), (224, 300), (500, 400)):
        seen = InputSpec(height=height, width=width, resize="stretch")
        stored = InputSpec(height=width, width=height, resize="stretch")
        as_stored = decode(upright, stored if orientation > 4 else seen)
        expected = np.asarray(Image.fromarray(as_stored).transpose(how))
        assert (decode(turned, seen) == expected).all()
        cropped = InputSpec(height=height, width=width)
        assert difference(decode(turned, cropped), with_pillow(turned, cropped)).mean() < 3


def test_orientation_that_imagemagick_writes_into_a_png() -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    block = exif.tobytes()
    text = PngInfo()
    text.add_text("Raw profile type exif", f"\nexif\n{len(block):8}\n{block.hex()}\n")
    data = encoded(SMALL, "PNG", pnginfo=text)
    upright = InputSpec(height=120, width=80)
    assert difference(decode(data, upright), SMALL.transpose(Image.Transpose.ROTATE_270)).max() == 0


@pytest.mark.parametrize("rule", RULES)
@pytest.mark.parametrize("side", [16, 37, 64, 112, 150, 224, 300, 500])
@pytest.mark.parametrize("photograph", PHOTOGRAPHS, ids=["china", "flower"])
def test_photographs_at_a_dct_scale_are_near_a_full_decode(
    photograph: Image.Image, side: int, rule: ResizeRule
) -> None:
    data = encoded(photograph, "JPEG", quality=90)
    spec = InputSpec(height=side, width=side, resize=rule)
    assert difference(decode(data, spec), with_pillow(data, spec)).mean() < 3


def test_the_smallest_sufficient_dct_scale_is_decoded(monkeypatch: pytest.MonkeyPatch) -> None:
    heights = []
    whole = simplejpeg.decode_jpeg

    def watched(*args: Any, **how: Any) -> NDArray[np.uint8]:
        image = whole(*args, **how)
        heights.append(image.shape[0])
        return image

    monkeypatch.setattr(simplejpeg, "decode_jpeg", watched)
    data = encoded(PHOTOGRAPHS[0], "JPEG")  # 640 × 427
    for side, height in {40: 54, 60: 107, 93: 107, 94: 214, 187: 427, 300: 427}.items():
        decode(data, InputSpec(height=side, width=side))
        assert heights.pop() == height, side


def test_what_libjpeg_cannot_decode_is_left_to_pillow(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise ValueError("Unsupported JPEG process")

    data = encoded(PHOTOGRAPHS[0], "JPEG")
    spec = InputSpec(height=224, width=224)
    expected = decode(data, spec)
    monkeypatch.setattr(simplejpeg, "decode_jpeg", refuse)
    assert difference(decode(data, spec), expected).mean() < 1


@pytest.mark.parametrize("kind", [*FORMATS, "progressive JPEG"])
@pytest.mark.parametrize("part", [0.1, 0.3, 0.5, 0.7, 0.9, 0.99])
def test_a_truncated_file_is_found(kind: str, part: float) -> None:
    progressive = {"progressive": True} if kind.startswith("progressive") else {}
    data = encoded(SMALL, kind.removeprefix("progressive "), **progressive)
    with pytest.raises(UnreadableImageError, match=r"damaged|truncated"):
        decode(data[: int(part * len(data))], as_is())


def test_a_truncated_jpeg_with_a_preview_is_found() -> None:
    preview = encoded(SMALL.resize((40, 30)), "JPEG")
    data = encoded(PHOTOGRAPHS[0], "JPEG", exif=b"Exif\0\0" + preview)
    with pytest.raises(UnreadableImageError, match="truncated: the end-of-image marker"):
        decode(data[: len(data) // 2], as_is())


JPEGS = {
    "baseline": {},
    "progressive": {"progressive": True},
    "restart markers": {"restart_marker_blocks": 2},
    "full chroma": {"subsampling": 0, "quality": 98},
    "optimised": {"optimize": True},
}


@pytest.mark.parametrize("how", JPEGS.values(), ids=JPEGS)
@pytest.mark.parametrize("after", [b"", b"\0" * 10, encoded(SMALL, "JPEG")])
def test_a_whole_jpeg_is_read_whatever_follows_it(how: dict[str, Any], after: bytes) -> None:
    data = encoded(SMALL, "JPEG", **how)
    assert (decode(data + after, as_is()) == decode(data, as_is())).all()


@pytest.mark.parametrize("mode", ["L", "RGB", "CMYK"])
@pytest.mark.parametrize("how", JPEGS.values(), ids=JPEGS)
@given(part=st.floats(0, 1, exclude_max=True))
def test_every_beginning_of_a_jpeg_is_found_truncated(
    mode: str, how: dict[str, Any], part: float
) -> None:
    data = encoded(SMALL.convert(mode), "JPEG", **how)
    with pytest.raises(UnreadableImageError, match=r"truncated|damaged|empty|not an image"):
        decode(data[: int(part * (len(data) - 2))], as_is())


def damaged(what: bytes) -> bytes:
    data = bytearray(encoded(PHOTOGRAPHS[0], "JPEG", quality=90))
    middle = len(data) // 2
    data[middle : middle + len(what)] = what
    return bytes(data)


@pytest.mark.parametrize("rule", RULES)
@pytest.mark.parametrize("side", [50, 224])
@pytest.mark.parametrize(
    "what", [bytes(4096), b"\xff\x42" * 256, b"\xff\xd9"], ids=["zeros", "markers", "an end"]
)
def test_a_jpeg_damaged_in_its_middle_is_found(
    what: bytes, side: int, rule: Any, capfd: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(UnreadableImageError, match="damaged"):
        decode(damaged(what), InputSpec(height=side, width=side, resize=rule))
    assert capfd.readouterr() == ("", "")


def test_a_few_stray_bytes_before_the_end_are_no_damage() -> None:
    data = encoded(SMALL, "JPEG")
    stray = data[:-2] + b"stray" + data[-2:]
    assert (decode(stray, as_is()) == decode(data, as_is())).all()
    with pytest.raises(UnreadableImageError, match=r"\d+ extraneous bytes"):
        decode(data[:-2] + b"stray" * 20 + data[-2:], as_is())


def test_one_image_whoever_asks(tmp_path: Path) -> None:
    data = encoded(PHOTOGRAPHS[0], "JPEG")
    file = tmp_path / "фото 写真.jpg"
    file.write_bytes(data)
    spec = InputSpec(height=96, width=64)
    expected = decode(data, spec)
    before = cv2.getNumThreads()
    try:
        for threads in (1, 2, 4):
            cv2.setNumThreads(threads)
            assert (decode(file, spec) == expected).all()
            assert (decode(str(file), spec) == expected).all()
    finally:
        cv2.setNumThreads(before)
    with ThreadPoolExecutor(4) as pool:
        assert all((p == expected).all() for p in pool.map(lambda _: decode(data, spec), range(16)))


def test_a_name_says_nothing_of_the_format(tmp_path: Path) -> None:
    file = tmp_path / "wrong.png"
    file.write_bytes(encoded(SMALL, "JPEG"))
    assert (decode(file, as_is()) == decode(file.read_bytes(), as_is())).all()


@pytest.mark.parametrize("kind", FORMATS)
@pytest.mark.parametrize("spec", [as_is(3), as_is(1), InputSpec(height=50, width=30, resize="pad")])
def test_pixels_belong_to_the_caller_and_lie_in_order(kind: str, spec: InputSpec) -> None:
    pixels = decode(encoded(SMALL, kind), spec)
    assert pixels.shape == (spec.height, spec.width, spec.channels)
    assert pixels.dtype == np.uint8
    assert pixels.flags.c_contiguous


@given(
    st.integers(1, 60), st.integers(1, 60), st.sampled_from(RULES), st.sampled_from(["JPEG", "PNG"])
)
def test_any_size_becomes_the_inputs_size(
    height: int, width: int, rule: ResizeRule, kind: str
) -> None:
    data = encoded(SMALL.resize((width, height)), kind)
    spec = InputSpec(height=23, width=31, resize=rule)
    assert difference(decode(data, spec), with_pillow(data, spec)).mean() < 8
    assert decode(data, spec, margin=0.5).shape == (34, 46, 3)


def test_margin_keeps_what_the_crop_leaves_out() -> None:
    data = encoded(PHOTOGRAPHS[0], "JPEG", quality=95)
    spec = InputSpec(height=112, width=112)
    kept = decode(data, spec, margin=1 / 0.875 - 1)
    assert kept.shape == (128, 128, 3)
    assert difference(decode(data, spec), kept[8:120, 8:120]).mean() < 1


@pytest.mark.parametrize("shape", [(80, 120), (80, 120, 1), (80, 120, 3)])
@pytest.mark.parametrize("channels", [1, 3])
def test_arrays(shape: tuple[int, ...], channels: int) -> None:
    image = np.random.default_rng(0).integers(0, 256, shape, np.uint8)
    pixels = decode(image, as_is(channels))
    gray = image.reshape(80, 120, -1)
    expected = np.asarray(Image.fromarray(gray.squeeze()).convert("L" if channels == 1 else "RGB"))
    assert difference(pixels, expected).max() <= 1


def test_an_array_and_a_file_of_it_give_the_same_pixels() -> None:
    for rule in RULES:
        spec = InputSpec(height=32, width=48, resize=rule)
        expected = decode(encoded(SMALL, "PNG"), spec)
        assert (decode(np.asarray(SMALL), spec) == expected).all()


def test_fit_keeps_any_number_of_channels() -> None:
    image = np.zeros((50, 40, 7), np.uint8)
    assert fit(image, InputSpec(height=20, width=20)).shape == (20, 20, 7)
    assert decode(image, InputSpec(height=20, width=20, channels=7)).shape == (20, 20, 7)


@pytest.mark.parametrize(
    ("array", "channels", "message"),
    [
        (np.zeros((4, 4, 4), np.uint8), 3, "the image has 4 channels, the network takes 3"),
        (np.zeros((4, 4), np.float32), 3, "float32"),
        (np.zeros((1, 4, 4, 3), np.uint8), 3, r"shape \(1, 4, 4, 3\)"),
        (np.zeros((0, 4, 3), np.uint8), 3, r"shape \(0, 4, 3\)"),
    ],
)
def test_arrays_that_do_not_fit(array: NDArray[np.uint8], channels: int, message: str) -> None:
    with pytest.raises(ConvlensError, match=message) as raised:
        decode(array, InputSpec(height=4, width=4, channels=channels))
    assert raised.value.exit_status == 2


def test_a_file_for_a_network_that_takes_neither_gray_nor_color() -> None:
    with pytest.raises(ConvlensError, match="takes 5 channels, an image file has 1 or 3"):
        decode(encoded(SMALL, "PNG"), as_is(5))


def test_limits_hold_here_too() -> None:
    for kind in FORMATS:
        data = encoded(SMALL, kind)
        with pytest.raises(UnreadableImageError, match="it claims 120 × 80 pixels"):
            decode(data, as_is(), limits=ImageLimits(pixels=1000))
        with pytest.raises(UnreadableImageError, match="bytes"):
            decode(data, as_is(), limits=ImageLimits(bytes=100))


@pytest.mark.parametrize("kind", FORMATS)
@given(at=st.integers(0, 20_000), value=st.integers(0, 255))
def test_a_damaged_byte_is_refused_or_survived(kind: str, at: int, value: int) -> None:
    data = bytearray(encoded(SMALL, kind))
    data[at % len(data)] = value
    try:
        pixels = decode(bytes(data), as_is())
    except UnreadableImageError as error:
        pixels = None
        assert error.reason  # noqa: PT017 - either outcome is right, a crash is not
    assert pixels is None or pixels.shape == (80, 120, 3)
