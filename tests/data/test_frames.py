"""Animations and files of several pages: the first frame is used, and it is said."""

from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from tests.data.conftest import Listener

import convlens
from convlens.data import read_header, scan_headers

NOISE = [
    Image.fromarray(np.random.default_rng(seed).integers(0, 256, (32, 32, 3), np.uint8))
    for seed in range(100, 104)
]


def saved(kind: str, frames: int, first: int = 0, **how: object) -> bytes:
    more = (
        {"save_all": True, "append_images": NOISE[first + 1 : first + frames]} if frames > 1 else {}
    )
    NOISE[first].save(file := BytesIO(), kind, **more, **how)
    return file.getvalue()


@pytest.mark.parametrize("kind", ["GIF", "PNG", "WEBP", "TIFF", "AVIF"])
def test_several_frames_are_seen_in_the_header(kind: str) -> None:
    assert read_header(saved(kind, 3)).several_frames
    assert not read_header(saved(kind, 1)).several_frames


def test_a_thumbnail_or_overview_is_no_page() -> None:
    data = bytearray(saved("TIFF", 2, tiffinfo={254: 1}))
    assert not read_header(bytes(data)).several_frames


def test_damage_behind_the_first_frame_is_no_matter() -> None:
    header = read_header(saved("GIF", 3)[:-600])
    assert header.width == 32


def test_they_are_counted_in_check_and_told_by_predict(tmp_path: Path) -> None:
    folder = tmp_path / "images"
    for name in ("a", "b"):
        (folder / name).mkdir(parents=True)
        for number in range(6):
            seed = number + 10 * (name == "b")
            noise = np.random.default_rng(seed).integers(0, 256, (32, 32, 3), np.uint8)
            Image.fromarray(noise).save(folder / name / f"{number}.png")
    (folder / "a" / "moving.gif").write_bytes(saved("GIF", 3))
    (folder / "b" / "pages.tif").write_bytes(saved("TIFF", 2, first=2))
    scan = scan_headers([str(folder / "a" / "moving.gif"), str(folder / "a" / "0.png")], Listener())
    assert scan.several_frames is not None
    assert scan.several_frames.tolist() == [True, False]
    checked = convlens.check(str(folder), measure=False, quiet=True)
    finding = next(f for f in checked.findings if f.code == "several-frames")
    assert finding.severity == "warning"
    assert finding.evidence["count"] == 2
    assert {Path(file).name for file in finding.files} == {"moving.gif", "pages.tif"}
    run = convlens.train(str(folder), model="simple", epochs=1, out=tmp_path / "run", quiet=True)
    listener = Listener()
    convlens.load(run.bundle).predict([folder], reporter=listener)
    told = [line for line in listener.warned if "several frames" in line]
    assert len(told) == 1
    assert told[0].startswith("2 of 14 files")
