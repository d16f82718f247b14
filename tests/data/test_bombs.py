"""Small files that would take gigabytes or minutes."""

import json
import struct
import subprocess
import sys
import time
import zlib
from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from PIL.PngImagePlugin import PngImageFile

from convlens.core.input_spec import InputSpec
from convlens.data import ImageLimits, UnreadableImageError, decode, decode_apart, read_header
from convlens.data.decode_demand import MEMORY, demand_of
from convlens.data.formats import format_of
from convlens.data.jpeg import count_scans, parse_jpeg
from convlens.data.limits import LIMITS

SPEC = InputSpec(height=32, width=32)
GIGABYTE = 1_000_000_000

MEASURE = """
import json, sys
from convlens.core.input_spec import InputSpec
from convlens.core.memory import peak_resident
from convlens.data import UnreadableImageError, decode, decode_apart
import resource, time
decode(sys.argv[1], InputSpec(height=32, width=32))
before, began = peak_resident(), time.monotonic()
try:
    said = str(decode(sys.argv[2], InputSpec(height=32, width=32)).shape)
except UnreadableImageError as error:
    said = error.reason
decode_apart._WORKERS.end_all()
children = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss * 1024
print(json.dumps([said, peak_resident() - before, children, time.monotonic() - began]))
"""


def chunk(kind: bytes, content: bytes) -> bytes:
    return (
        struct.pack(">I", len(content))
        + kind
        + content
        + struct.pack(">I", zlib.crc32(kind + content))
    )


def palette_bomb(side: int) -> bytes:
    """A PNG of one bit a pixel, with a palette of which one color is transparent."""
    row = bytes(1 + (side + 7) // 8)
    packer = zlib.compressobj(9)
    data = b"".join(packer.compress(row) for _ in range(side)) + packer.flush()
    return (
        b"\x89PNG\r\n\x1a\n"
        + chunk(b"IHDR", struct.pack(">IIBBBBB", side, side, 1, 3, 0, 0, 0))
        + chunk(b"PLTE", bytes(6))
        + chunk(b"tRNS", b"\0")
        + chunk(b"IDAT", data)
        + chunk(b"IEND", b"")
    )


def progressive(side: int) -> bytes:
    file = BytesIO()
    Image.new("L", (side, side), 90).save(file, "JPEG", progressive=True)
    return file.getvalue()


def with_scans(data: bytes, scans: int) -> bytes:
    """A progressive JPEG whose last scan comes so often."""
    last = data.rindex(b"\xff\xda")
    return data[:last] + data[last:-2] * scans + b"\xff\xd9"


def bmp_of_wide_rows() -> bytes:
    """A BMP whose row has more than 2^31 bits, in fewer pixels than are read."""
    width, height = 95_000_000, 1
    header = struct.pack("<IiiHHIIiiII", 40, width, height, 1, 24, 0, 0, 0, 0, 0, 0)
    return b"BM" + struct.pack("<IHHI", 1078, 0, 0, 54) + header + bytes(1024)


def measured(folder: Path, data: bytes) -> tuple[str, int, int, float]:
    Image.new("RGB", (8, 8)).save(folder / "warm.png")
    (folder / "bomb").write_bytes(data)
    done = subprocess.run(
        [sys.executable, "-c", MEASURE, folder / "warm.png", folder / "bomb"],
        capture_output=True,
        text=True,
        check=True,
        timeout=300,
    )
    said, here, apart, seconds = json.loads(done.stdout)
    return said, here, apart, seconds


@pytest.mark.parametrize(
    ("name", "data"),
    [
        ("palette", palette_bomb(14_000)),
        ("scans", with_scans(progressive(64), 5_000)),
        ("wide rows", bmp_of_wide_rows()),
    ],
)
def test_a_bomb_is_refused_with_a_reason_within_a_gigabyte(
    tmp_path: Path, name: str, data: bytes
) -> None:
    said, here, apart, _ = measured(tmp_path, data)
    assert "memory" in said or "scans" in said or "damaged" in said
    assert here < GIGABYTE // 4
    assert apart < GIGABYTE


def test_a_large_palette_with_transparency_is_decoded_in_strips(tmp_path: Path) -> None:
    """4 bytes of a pixel at the peak, not 20: in a process of its own."""
    side = 6_000
    said, here, apart, _ = measured(tmp_path, palette_bomb(side))
    assert said == "(32, 32, 3)"
    assert here < 60_000_000
    assert apart < 8 * side * side + 200_000_000


def test_strips_give_the_pixels_of_the_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    noise = np.random.default_rng(0).integers(0, 256, (70, 50, 4), np.uint8)
    files = []
    for image in (Image.fromarray(noise), Image.fromarray(noise[..., :3]).quantize(9)):
        image.info["transparency"] = 3
        image.save(file := BytesIO(), "PNG")
        files.append(file.getvalue())
    wide = noise[..., 0].astype(np.uint16) * 257
    Image.fromarray(wide).save(file := BytesIO(), "PNG")
    files.append(file.getvalue())
    spec = InputSpec(height=70, width=50)
    whole = [decode(data, spec) for data in files]
    monkeypatch.setattr("convlens.data.decode_with_pillow._STRIP", 500)
    for before, data in zip(whole, files, strict=True):
        assert (decode(data, spec) == before).all()


def test_scans_are_counted_to_the_end_of_the_picture_alone() -> None:
    data = progressive(64)
    ordinary = count_scans(data, parse_jpeg(data), most=100)
    assert 2 <= ordinary <= 10
    more = with_scans(data, 30)
    assert count_scans(more, parse_jpeg(more), most=100) == ordinary + 29
    assert count_scans(data + b"\xff\xda" * 999, parse_jpeg(data), most=100) == ordinary


def test_few_passes_over_many_pixels_are_refused_as_many_over_few_are() -> None:
    data = progressive(512)
    with pytest.raises(UnreadableImageError, match="scans"):
        decode(with_scans(data, 200), SPEC)
    with pytest.raises(UnreadableImageError, match="scans"):
        decode(data, SPEC, limits=ImageLimits(work=512 * 512))
    assert decode(data, SPEC).shape == (32, 32, 3)


def test_a_jpeg_header_of_millions_of_segments_is_refused_at_once() -> None:
    began = time.monotonic()
    for filler in (b"\xff\xe5\0\2", b"\xff\xd0"):
        with pytest.raises(UnreadableImageError, match="segments"):
            read_header(b"\xff\xd8" + filler * 4_000_000)
    with pytest.raises(UnreadableImageError, match="truncated"):
        read_header(b"\xff\xd8" + b"\xff" * 40_000_000)
    assert time.monotonic() - began < 5


def test_a_tiff_whose_tags_fill_the_file_is_refused_unread() -> None:
    values = 3_000_000
    entries = [(256, 4, 1, 8), (257, 4, 1, 8), (273, 4, values, 200), (279, 4, values, 200)]
    directory = struct.pack("<H", len(entries))
    directory += b"".join(struct.pack("<HHII", *entry) for entry in entries) + bytes(4)
    data = (b"II*\0" + struct.pack("<I", 8) + directory).ljust(200, b"\0") + bytes(4 * values)
    with pytest.raises(UnreadableImageError, match="its tags hold 6,000,002 values"):
        read_header(data)
    with pytest.raises(UnreadableImageError, match="its tags hold"):
        decode(data, SPEC)


def test_what_takes_long_or_complains_is_decoded_apart() -> None:
    def apart(data: bytes) -> bool:
        return demand_of(data, format_of(data, "it"), "it", LIMITS).apart

    def saved(kind: str, image: Image.Image, **how: object) -> bytes:
        image.save(file := BytesIO(), kind, **how)
        return file.getvalue()

    small = Image.new("RGB", (64, 64))
    assert not apart(saved("JPEG", small, progressive=True))
    assert not apart(saved("PNG", small))
    assert not apart(saved("TIFF", small))
    assert apart(saved("TIFF", small, compression="tiff_lzw"))
    assert apart(saved("AVIF", small))
    assert apart(palette_bomb(6_000))
    assert apart(b"P3 2 2 255 " + b"1 " * 12)


def test_a_deadline_ends_a_decode_and_the_next_one_works() -> None:
    slow = with_scans(progressive(3_000), 60)
    limits = ImageLimits(seconds=0.2)
    with pytest.raises(UnreadableImageError, match=r"takes longer than 0.2 s"):
        decode(slow, SPEC, limits=limits)
    Image.new("RGB", (40, 40), "red").save(file := BytesIO(), "TIFF", compression="tiff_lzw")
    assert (decode(file.getvalue(), SPEC) == [255, 0, 0]).all()


def test_a_decoder_that_crashes_costs_its_image_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    Image.new("RGB", (40, 40), "red").save(file := BytesIO(), "TIFF", compression="tiff_lzw")
    decode_apart._WORKERS.end_all()
    with monkeypatch.context() as patch:
        patch.setattr(decode_apart, "_PROGRAM", "import os; os.abort()")
        with pytest.raises(UnreadableImageError, match="its decoder crashed"):
            decode(file.getvalue(), SPEC)
    assert decode(file.getvalue(), SPEC).shape == (32, 32, 3)


def test_without_another_process_an_image_is_decoded_here(monkeypatch: pytest.MonkeyPatch) -> None:
    Image.new("RGB", (40, 40), "red").save(file := BytesIO(), "TIFF", compression="tiff_lzw")
    decode_apart._WORKERS.end_all()
    monkeypatch.setattr(sys, "executable", "/no/such/python")
    assert (decode(file.getvalue(), SPEC) == [255, 0, 0]).all()


def test_what_a_c_library_complains_of_is_in_the_reason_and_not_on_the_terminal(
    capfd: pytest.CaptureFixture[str],
) -> None:
    noise = np.random.default_rng(0).integers(0, 256, (64, 64, 3), np.uint8)
    Image.fromarray(noise).save(file := BytesIO(), "TIFF", compression="tiff_adobe_deflate")
    data = bytearray(file.getvalue())
    data[2000:2100] = bytes(byte ^ 0x5A for byte in data[2000:2100])
    with pytest.raises(UnreadableImageError, match="ZIPDecode"):
        decode(bytes(data), SPEC)
    assert capfd.readouterr() == ("", "")


def test_decodes_wait_for_memory_that_others_hold() -> None:
    order: list[str] = []
    with MEMORY.held(600_000_000, 768_000_000):
        from convlens.core.threads import Threads

        threads = Threads(1)

        def second() -> None:
            with MEMORY.held(600_000_000, 768_000_000):
                order.append("second")

        waiting = threads.submit(second)
        time.sleep(0.05)
        order.append("first")
    waiting.result(5)
    threads.close()
    assert order == ["first", "second"]


def test_a_frame_larger_than_its_canvas_is_measured_by_what_it_is() -> None:
    Image.new("L", (9_000, 9_000)).save(file := BytesIO(), "GIF")
    data = bytearray(file.getvalue())
    data[6:10] = struct.pack("<HH", 8, 8)
    assert not demand_of(bytes(data), "GIF", "it", LIMITS).apart
    assert decode(bytes(data), SPEC).shape == (32, 32, 3)
    with pytest.raises(UnreadableImageError, match="MB of memory"):
        decode(bytes(data), SPEC, limits=ImageLimits(memory=80_000_000))


def many_chunks(*, before: int = 0, after: int = 0) -> bytes:
    whole = palette_bomb(8)
    at = whole.index(b"IDAT") - 4
    start, pixels = whole[:at] + chunk(b"teXt", b"") * before, whole[at:]
    return start + chunk(b"IDAT", b"") * after + pixels


@pytest.mark.parametrize("data", [many_chunks(before=100_000), many_chunks(after=100_000)])
def test_a_png_of_a_hundred_thousand_chunks_is_refused_before_pillow_walks_them(
    data: bytes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "a.png"
    file.write_bytes(data)
    monkeypatch.setattr(PngImageFile, "_open", lambda _: pytest.fail("Pillow reads it"))
    for source in (data, file):
        with pytest.raises(UnreadableImageError, match=r"a PNG of more than 4,\d\d\d chunks"):
            decode(source, SPEC)
    with pytest.raises(UnreadableImageError, match="chunks"):
        read_header(data)


def test_a_png_of_many_chunks_of_an_encoders_size_is_read() -> None:
    assert decode(many_chunks(before=1000, after=1000), SPEC).shape == (32, 32, 3)
    noise = np.random.default_rng(0).integers(0, 256, (1000, 1000, 3), np.uint8)
    file = BytesIO()
    Image.fromarray(noise).save(file, "PNG")
    whole = file.getvalue()
    at, size = whole.index(b"IDAT") - 4, 2_900_000
    pieces = [whole[at + 8 : at + 8 + size][n : n + 8192] for n in range(0, size, 8192)]
    assert len(pieces) > 300
    assert read_header(whole[:at] + b"".join(chunk(b"IDAT", p) for p in pieces)).width == 1000
