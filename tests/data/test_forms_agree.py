"""A folder of telephone photographs through every form of source: the same pixels."""

import shutil
import tarfile

import numpy as np
import pytest
from PIL import Image

from convlens.core.input_spec import InputSpec
from convlens.core.reporter import Quiet
from convlens.data import open_for_evaluation, open_source, read_pixels

SPEC = InputSpec(height=24, width=32)


@pytest.fixture
def photographs(tmp_path):
    """Mixed sizes and formats, all eight EXIF orientations, one truncated, one without a header."""
    root = tmp_path / "été" / "photos"
    rng = np.random.default_rng(0)
    for number in range(16):
        folder = root / ("katze" if number % 2 else "hund")
        folder.mkdir(parents=True, exist_ok=True)
        rows, columns = (60, 80) if number % 3 else (96, 54)
        coarse = rng.integers(0, 256, (6, 6, 3), np.uint8)
        image = Image.fromarray(coarse).resize((columns, rows), Image.Resampling.BICUBIC)
        exif = Image.Exif()
        exif[0x0112] = 1 + number // 2
        suffix = ("jpg", "png", "webp")[number % 3]
        image.save(folder / f"IMG_{number:04} ü.{suffix}", exif=exif)
    whole = (root / "hund" / "IMG_0000 ü.jpg").read_bytes()
    (root / "hund" / "truncated.jpg").write_bytes(whole[: len(whole) * 3 // 5])
    (root / "katze" / "text.jpg").write_text("no image")
    return root


def forms(root, tmp_path):
    """The same photographs as a folder, as archives and as a table."""
    yield root
    yield shutil.make_archive(str(tmp_path / "photos"), "zip", root.parent, "photos")
    for kind in ("gz", "xz"):
        path = tmp_path / f"photos.tar.{kind}"
        with tarfile.open(path, f"w:{kind}") as archive:
            archive.add(root, "photos")
        yield path
    rows = [f"{p.relative_to(root.parent)},{p.parent.name}" for p in sorted(root.rglob("*.*"))]
    table = root.parent / "photos.csv"
    table.write_text("\n".join(["image,label", *rows]), "utf-8")
    yield table


def by_file(images, numbers):
    """Class and pixels of each image that could be read, by its file's name."""
    pixels = read_pixels(images, numbers, SPEC, reporter=Quiet())
    return {
        images.paths[row].replace("\\", "/").split("/")[-1]: (images.labels[row], image)
        for row, image in zip(pixels.rows, pixels.array, strict=True)
    }, pixels.skipped


def test_every_form_gives_the_same_pixels(photographs, tmp_path):
    seen = []
    for source in forms(photographs, tmp_path):
        images = open_source(source, reporter=Quiet())
        assert images.classes == ("hund", "katze")
        found, skipped = by_file(images, np.arange(len(images)))
        assert len(found) == 16
        assert [s.path.endswith("truncated.jpg") for s in skipped] == [True]
        assert [s.path.endswith("text.jpg") for s in images.skipped] == [True]
        seen.append(found)
    for other in seen[1:]:
        assert other.keys() == seen[0].keys()
        for name, (label, image) in other.items():
            assert label == seen[0][name][0]
            assert (image == seen[0][name][1]).all()


def test_arrays_of_those_pixels_are_those_pixels(photographs, tmp_path):
    images = open_source(photographs, reporter=Quiet())
    pixels = read_pixels(images, np.arange(len(images)), SPEC, reporter=Quiet())
    labels = np.array(images.classes)[images.labels[pixels.rows]]
    np.savez(tmp_path / "photos.npz", X=pixels.array, y=labels)
    for source in (tmp_path / "photos.npz", (pixels.array / np.float32(255), labels)):
        again = open_for_evaluation(source, classes=images.classes, reporter=Quiet())
        found = read_pixels(again, again.splits["test"], SPEC, reporter=Quiet())
        assert (found.array == pixels.array).all()
        assert (again.labels == images.labels[pixels.rows]).all()
