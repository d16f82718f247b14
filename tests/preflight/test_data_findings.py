"""Every finding on data made to hold exactly that fault; silence on data without it."""

import errno
import os
import shutil
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from PIL import Image
from scipy.stats import binomtest
from sklearn.datasets import load_digits
from tests.preflight.scenes import (
    blurry,
    brightened,
    cropped,
    encoded,
    found_in,
    resized,
    scene,
    source,
)

from convlens import api
from convlens.core.errors import ConvlensError
from convlens.core.reporter import Quiet
from convlens.data import DataSettings, ImageSet, Skipped, open_source
from convlens.preflight import (
    Finding,
    check_data,
    finding_of,
    look_for_faults,
    near_duplicates,
    write_cleaned,
)
from convlens.preflight.context import sides
from convlens.preflight.image_facts import look_at
from convlens.preflight.labels import few_from_scratch
from convlens.preflight.pictures import BLURRED
from convlens.preflight.split_findings import half_width, images_to_tell
from convlens.recipe import resolve_defaults

CLEAN = {"validation-small"}


def found_with(images: ImageSet, **asked: object) -> dict[str, Finding]:
    """The findings about images that are to be trained on as asked."""
    recipe, _ = resolve_defaults({"source": "here", **asked}, images)
    findings = check_data(look_for_faults(images, Quiet(), recipe=recipe))
    return {finding.code: finding for finding in findings}


def large_digits(each: int | None = None) -> tuple[np.ndarray, np.ndarray]:
    """scikit-learn's handwriting at 32 pixels: the first few of each class, or all."""
    digits = load_digits()
    small = (digits.images * 15.9).astype(np.uint8)
    chosen = np.sort(
        np.concatenate([np.flatnonzero(digits.target == digit)[:each] for digit in range(10)])
    )
    large = [np.asarray(Image.fromarray(own).resize((32, 32))) for own in small[chosen]]
    return np.stack(large), digits.target[chosen]


def test_a_clean_source_has_nothing_but_a_small_validation_split(tmp_path: Path) -> None:
    assert found_in(source(tmp_path)).keys() == CLEAN


def test_two_hundred_distinct_pictures_in_two_made_up_classes_have_no_duplicates(
    tmp_path: Path,
) -> None:
    assert found_in(source(tmp_path, train=70, val=15, test=15)).keys() == CLEAN


def test_digits_have_nothing_but_what_is_true_of_them() -> None:
    assert found_in(open_source("digits", reporter=Quiet())).keys() == CLEAN


@pytest.mark.parametrize(("each", "pairs"), [(None, 1000), (40, 100), (20, 15)])
def test_handwriting_resembles_itself_and_is_no_duplicate(
    each: int | None, pairs: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """At 32 pixels digits are searched, and many pairs are as like as near duplicates."""
    images = open_source(large_digits(each), reporter=Quiet())
    found = found_in(images)
    near = found.get("near-duplicates")
    assert near is None or (near.evidence["count"] < 10 and near.severity == "warning")
    assert "similar-two-labels" not in found
    search = sys.modules[
        "convlens.preflight.near_duplicates"
    ]  # the package has a function so named
    monkeypatch.setattr(search, "_standing_out", lambda found, *_: found)
    without = near_duplicates(look_at(images, Quiet()), sides(images), images.labels, Quiet())
    assert len(without) > pairs


def test_unreadable_files_are_named_whether_the_header_or_the_pixels_are_damaged(
    tmp_path: Path,
) -> None:
    folder = source(tmp_path, suffix="jpg") / "train" / "rose"
    whole = (folder / "000.jpg").read_bytes()
    (folder / "empty.jpg").write_bytes(b"")
    (folder / "cut.jpg").write_bytes(whole[: len(whole) // 2])
    (folder / "notes.txt").write_text("not an image, and no fault")
    found = found_in(tmp_path)
    assert found.keys() == CLEAN | {"unreadable"}
    assert {Path(file).name for file in found["unreadable"].files} == {"empty.jpg", "cut.jpg"}


def test_what_was_left_out_for_another_reason_can_be_read(tmp_path: Path) -> None:
    folder = source(tmp_path / "photos")
    (folder / "train" / "rose" / "more.png").symlink_to(folder / "train", target_is_directory=True)
    scene(800).save(folder / "train" / "outside.png")
    assert found_in(folder).keys() == CLEAN
    rows = [f"{path},{path.parent.name}" for path in sorted(folder.glob("t*/*/0*.png"))]
    table = tmp_path / "table.csv"
    table.write_text("\n".join(["image,label", *rows, f"{folder / 'val/rose/000.png'},"]))
    assert found_in(table).keys() == CLEAN | {"labels-missing", "split-unused"}


def test_of_a_table_a_file_that_is_missing_cannot_be_read_and_a_row_without_a_label_can(
    tmp_path: Path,
) -> None:
    rows = [f"{file},{file.parent.name}" for file in source(tmp_path / "photos").rglob("*.png")]
    table = tmp_path / "table.csv"
    scene(801).save(tmp_path / "unlabeled.png")
    scene(802).save(tmp_path / "unwanted.png")
    odd = ["gone.png,rose,", "unlabeled.png,,", "unwanted.png,rose,left out"]
    table.write_text("\n".join(["image,label,split", *(f"{row}," for row in rows), *odd]))
    found = found_in(table)["unreadable"]
    assert found.files == (str(tmp_path / "gone.png"),)
    assert "no such file" in found.message


def test_why_a_file_was_left_out_may_be_said_in_any_words(tmp_path: Path) -> None:
    images = open_source(source(tmp_path), reporter=Quiet())
    words = Skipped("a.png", "no label", unreadable=True), Skipped("b.png", "it is damaged")
    assert found_in(replace(images, skipped=words))["unreadable"].files == ("a.png",)


def test_exact_copies_within_a_split(tmp_path: Path) -> None:
    folder = source(tmp_path) / "train" / "rose"
    shutil.copy(folder / "000.png", folder / "again.png")
    found = found_in(tmp_path)
    assert found.keys() == CLEAN | {"copies"}
    assert found["copies"].severity == "warning"
    assert [Path(f).name for f in found["copies"].files] == ["again.png"]


def test_exact_copies_across_splits_are_an_error_and_count_what_they_touch(tmp_path: Path) -> None:
    folder = source(tmp_path)
    for name in ("000.png", "001.png"):
        shutil.copy(folder / "test" / "rose" / name, folder / "train" / "rose" / f"copy-{name}")
    found = found_in(tmp_path)
    assert found.keys() == CLEAN | {"copies-across-splits"}
    finding = found["copies-across-splits"]
    assert finding.severity == "error"
    assert finding.evidence["images"] == {"test": 2}
    assert finding.evidence["share"] == {"test": pytest.approx(2 / 12, abs=1e-4)}
    assert "--allow copies-across-splits" in finding.remedy


def test_a_copy_that_lies_in_no_split_hides_no_others(tmp_path: Path) -> None:
    folder = source(tmp_path)
    shutil.copy(folder / "test" / "rose" / "000.png", folder / "train" / "rose" / "seen.png")
    shutil.copy(folder / "test" / "rose" / "000.png", folder / "test" / "rose" / "0.png")
    images = open_source(folder, reporter=Quiet())
    first = next(n for n, path in enumerate(images.paths or ()) if path.endswith("rose/0.png"))
    test = images.splits["test"]
    assert first in test
    without = replace(images, splits={**images.splits, "test": test[test != first]})
    found = found_in(without)
    assert found["copies-across-splits"].evidence["images"] == {"test": 1}
    assert found["copies-across-splits"].evidence["count"] == 1


def test_arrays_that_are_there_twice() -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (40, 20, 20, 3), dtype=np.uint8)
    labels = np.arange(40) % 2
    found = found_in(
        open_source(((pixels, labels), (pixels[:3].copy(), labels[:3])), reporter=Quiet())
    )
    assert found["copies-across-splits"].evidence["images"] == {"test": 3}
    assert "arrays" in found["copies-across-splits"].remedy


@pytest.mark.parametrize("changed", [encoded, resized, cropped, brightened])
def test_near_duplicates_across_splits(
    tmp_path: Path, changed: Callable[[Image.Image], Image.Image]
) -> None:
    folder = source(tmp_path)
    for name in ("000.png", "003.png"):
        picture = Image.open(folder / "val" / "rose" / name)
        changed(picture).save(folder / "train" / "rose" / f"near-{name}")
    found = found_in(tmp_path)
    assert found.keys() == CLEAN | {"near-duplicates"}
    near = found["near-duplicates"]
    assert near.evidence["images"] == {"val": 2}
    assert near.severity == "error"
    assert {tuple(sorted(Path(p).name for p in pair)) for pair in near.evidence["pairs"]} == {
        ("000.png", "near-000.png"),
        ("003.png", "near-003.png"),
    }


def test_few_near_duplicates_are_a_warning_and_need_not_be_allowed(tmp_path: Path) -> None:
    folder = source(tmp_path, test=30)
    encoded(scene(20_000)).save(folder / "train" / "daisy" / "near.png")
    near = found_in(tmp_path)["near-duplicates"]
    assert (near.severity, near.evidence["share"]) == ("warning", {"test": 0.0167})
    assert "--allow" not in near.remedy


def test_near_duplicates_within_a_split_are_no_leak(tmp_path: Path) -> None:
    folder = source(tmp_path) / "train" / "daisy"
    encoded(scene(0)).save(folder / "near.png")
    assert found_in(tmp_path).keys() == CLEAN


def test_one_file_under_two_classes(tmp_path: Path) -> None:
    folder = source(tmp_path) / "train"
    shutil.copy(folder / "rose" / "000.png", folder / "daisy" / "other.png")
    found = found_in(tmp_path)
    assert found["two-labels"].severity == "error"
    assert found["two-labels"].evidence["count"] == 1
    assert "'daisy'" in found["two-labels"].message
    assert "'rose'" in found["two-labels"].message


def test_near_duplicates_under_two_classes(tmp_path: Path) -> None:
    folder = source(tmp_path, test=30)
    encoded(scene(20_000)).save(folder / "train" / "rose" / "near.png")
    found = found_in(tmp_path)
    assert found.keys() == CLEAN | {"near-duplicates", "similar-two-labels"}


def test_near_duplicates_under_two_classes_within_a_split(tmp_path: Path) -> None:
    folder = source(tmp_path) / "train"
    encoded(scene(0)).save(folder / "rose" / "near.png")
    found = found_in(tmp_path)
    assert found.keys() == CLEAN | {"similar-two-labels"}
    told = found["similar-two-labels"]
    assert told.evidence["count"] == 1
    assert {Path(file).parent.name for file in told.files} == {"daisy", "rose"}
    assert {Path(file).name for file in told.files} == {"000.png", "near.png"}


def test_groups_across_splits(tmp_path: Path) -> None:
    images = open_source(source(tmp_path), reporter=Quiet())
    together = np.arange(len(images))
    grouped = replace(images, groups=together)
    assert found_in(grouped).keys() == CLEAN
    first, last = images.splits["train"][0], images.splits["test"][0]
    together[last] = together[first]
    found = found_in(replace(images, groups=together))
    assert found.keys() == CLEAN | {"group-straddles"}
    assert found["group-straddles"].evidence["groups"] == 1


def test_imbalance_and_few_images(tmp_path: Path) -> None:
    folder = source(tmp_path, train=100)
    for i in range(9, 100):
        (folder / "train" / "rose" / f"{i:03}.png").unlink()
    found = found_in(tmp_path)
    assert found.keys() == CLEAN | {"imbalance", "few-images"}
    assert found["imbalance"].evidence["images"] == {"daisy": 100, "rose": 9}
    assert found["imbalance"].remedy.startswith("--set training.loss.class_weights=balanced")
    assert found["few-images"].evidence["images"] == {"rose": 9}
    shutil.copy(folder / "train" / "rose" / "000.png", tmp_path / "kept.png")
    scene(777).save(folder / "train" / "rose" / "tenth.png")
    assert found_in(tmp_path / "train").keys() & {"few-images"} == {"few-images"}  # cut further
    assert found_in(tmp_path).keys() == CLEAN


def test_few_images_are_a_note_where_weights_are_loaded(tmp_path: Path) -> None:
    images = open_source(source(tmp_path, train=9), reporter=Quiet())
    assert found_with(images)["few-images"].severity == "warning"
    loaded = found_with(images, model={"name": "resnet18", "pretrained": True})["few-images"]
    assert (loaded.severity, loaded.remedy) == ("note", "add images")


def test_a_split_without_a_class(tmp_path: Path) -> None:
    for path in (source(tmp_path) / "val" / "rose").iterdir():
        path.unlink()
    found = found_in(tmp_path)
    assert found.keys() == CLEAN | {"class-absent"}
    assert found["class-absent"].evidence["absent"] == {"val": ["rose"]}
    assert found["class-absent"].remedy == "move images of them into val"


def test_a_class_of_two_images_is_absent_from_a_split_that_was_cut(tmp_path: Path) -> None:
    folder = source(tmp_path) / "train"
    (folder / "iris").mkdir()
    for number in range(2):
        scene(700 + number).save(folder / "iris" / f"{number}.png")
    absent = found_in(folder)["class-absent"]
    assert absent.evidence["absent"] == {"val": ["iris"]}
    assert "a class needs three" in absent.remedy
    assert "--set" not in absent.remedy


def test_validation_images_that_calibrate_decide_nothing() -> None:
    images = open_source("digits", reporter=Quiet())
    assert len(images.splits["val"]) == 180
    small = found_with(images)["validation-small"]
    assert small.evidence["images"] == 120
    assert "120 validation images decide (60 more calibrate)" in small.message
    all_of_them = found_with(images, data={"calibration": 0})["validation-small"]
    assert all_of_them.evidence["images"] == 180


@pytest.mark.parametrize(
    ("n", "cut", "remedy"),
    [  # 3,461 that decide are two thirds of 5,168
        (18_000, True, "--set data.val=0.29"),
        (17_000, True, "read small differences as chance; more images are the only remedy"),
        (22_000, False, "move training images into val, until 5,168 are there"),
    ],
)
def test_only_a_split_that_was_cut_can_be_cut_larger(n: int, cut: bool, remedy: str) -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (n, 8, 8), dtype=np.uint8)
    images = open_source((pixels, np.arange(n) % 2), reporter=Quiet())
    as_given = replace(images, notes=()) if cut else replace(images, cut=())
    assert found_with(as_given)["validation-small"].remedy == remedy


def test_gray_among_color_and_color_that_tells_the_class(tmp_path: Path) -> None:
    folder = source(tmp_path)
    scene(0).convert("L").save(folder / "train" / "daisy" / "000.png")
    found = found_in(tmp_path)
    assert found.keys() == CLEAN | {"mixed-color"}
    assert found["mixed-color"].severity == "note"
    for path in folder.glob("*/daisy/*.png"):
        Image.open(path).convert("L").save(path)
    told = found_in(tmp_path)["mixed-color"]
    assert told.severity == "warning"
    assert "'daisy' is gray" in told.message


def test_files_in_color_of_which_the_network_sees_gray(tmp_path: Path) -> None:
    folder = source(tmp_path)
    size = {"height": 64, "width": 64}
    asked = {"input": {**size, "channels": 1}}
    images = open_source(folder, reporter=Quiet())
    assert found_with(images, input=size).keys() == CLEAN
    found = found_with(images, **asked)
    assert found.keys() == CLEAN | {"channel-axis"}
    assert found["channel-axis"].severity == "warning"
    assert "48 of 48 images are in color" in found["channel-axis"].message
    scene(0).convert("L").save(folder / "train" / "daisy" / "000.png")
    mixed = found_with(open_source(folder, reporter=Quiet()), **asked)
    assert mixed.keys() == CLEAN | {"channel-axis"}, "it is what mixed-color proposes"
    assert mixed["channel-axis"].severity == "note"
    for path in folder.glob("*/*/*.png"):
        Image.open(path).convert("L").save(path)
    assert found_with(open_source(folder, reporter=Quiet()), **asked).keys() == CLEAN


def test_images_smaller_than_the_input(tmp_path: Path) -> None:
    images = open_source(source(tmp_path), reporter=Quiet())
    for side, codes in (
        (64, CLEAN),
        (128, CLEAN | {"small-images", "few-from-scratch"}),
    ):
        assert found_with(images, input={"height": side, "width": side}).keys() == codes


def test_blank_dark_and_blurred_pictures(tmp_path: Path) -> None:
    folder = source(tmp_path) / "train" / "rose"
    Image.new("RGB", (72, 64), (250, 250, 200)).save(folder / "blank.png")
    scene(501).point(lambda level: level // 5).save(folder / "dark.png")
    blurry(scene(502)).save(folder / "blurred.png")
    found = found_in(tmp_path)
    assert found.keys() == CLEAN | {"blank", "dark", "blurred"}
    for code in ("blank", "dark", "blurred"):
        assert [Path(file).stem for file in found[code].files] == [code]


def test_sharpness_does_not_depend_on_contrast(tmp_path: Path) -> None:
    folder = source(tmp_path) / "train" / "rose"
    scene(503).point(lambda level: 100 + level // 6).save(folder / "pale.png")
    assert found_in(tmp_path).keys() == CLEAN
    assert 0 < BLURRED < 0.25


def test_pictures_turned_by_exif(tmp_path: Path) -> None:
    folder = source(tmp_path) / "train" / "rose"
    exif = Image.Exif()
    exif[0x0112] = 6
    scene(504).save(folder / "turned.jpg", exif=exif)
    found = found_in(tmp_path)
    assert found.keys() == CLEAN | {"turned"}
    assert [Path(file).stem for file in found["turned"].files] == ["turned"]


def test_arrays_that_were_scaled_and_cut_to_whole_numbers() -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (60, 20, 20, 3), dtype=np.uint8)
    labels = np.arange(60) % 2
    assert "pixels-not-scaled" not in found_in(open_source((pixels, labels), reporter=Quiet()))
    lost = (pixels / 255).astype(np.uint8)
    found = found_in(open_source((lost, labels), reporter=Quiet()))
    assert found["pixels-not-scaled"].severity == "error"


def rename(folder: Path, name: Callable[[int, int], str]) -> None:
    """Give the pictures of a class other names: by class number, and number in it."""
    for label, own in enumerate(("daisy", "rose")):
        for number, path in enumerate(sorted(folder.glob(f"*/{own}/*.png"))):
            path.rename(path.with_name(name(label, number) + ".png"))


@pytest.mark.parametrize(
    ("name", "told"),
    [
        (lambda label, number: f"{('IMG', 'DSC')[label]}_{number:04}", "camera"),
        (lambda label, number: f"IMG_{100 * label + number:04}", "numbers"),
        (lambda label, number: f"IMG_{2 * number + label:04}", ""),
        (lambda label, number: f"{('daisy', 'rose')[label]}_{number:04}", ""),
        (lambda label, number: f"{number:04}", ""),
    ],
    ids=["two cameras", "one run a class", "interleaved", "named by class", "counted by class"],
)
def test_file_names_that_tell_the_class(
    tmp_path: Path, name: Callable[[int, int], str], told: str
) -> None:
    rename(source(tmp_path), name)
    found = found_in(tmp_path)
    assert found.keys() == CLEAN | ({"name-leakage"} if told else set())
    assert told in found["name-leakage"].message if told else True


@pytest.mark.parametrize("n", [20, 180, 1000, 5000])
def test_half_width_is_that_of_wilsons_interval(n: int) -> None:
    interval = binomtest(round(0.9 * n), n).proportion_ci(0.95, method="wilson")
    assert half_width(n, at=0.9) == pytest.approx((interval.high - interval.low) / 2, rel=1e-4)


def test_as_many_images_as_it_takes_and_no_more() -> None:
    n = images_to_tell(0.01, at=0.9)
    assert half_width(n, at=0.9) <= 0.01 < half_width(n - 1, at=0.9)


def test_a_second_look_reads_what_the_first_one_kept(tmp_path: Path) -> None:
    images = open_source(source(tmp_path), reporter=Quiet())
    first = look_for_faults(images, Quiet())
    again = look_for_faults(images, Quiet())
    assert isinstance(again.facts.rows, np.memmap)
    assert not again.facts.rows.flags.writeable
    np.testing.assert_array_equal(first.facts.rows, again.facts.rows)


def test_a_changed_file_is_looked_at_again_and_the_others_are_not(tmp_path: Path) -> None:
    folder = source(tmp_path)
    look_for_faults(open_source(folder, reporter=Quiet()), Quiet())
    Image.new("RGB", (72, 64), (90, 0, 0)).save(folder / "train" / "rose" / "000.png")
    scene(600).save(folder / "train" / "rose" / "new.png")
    images = open_source(folder, reporter=Quiet())
    fresh = look_for_faults(images, Quiet(), keep=False)
    kept = look_for_faults(images, Quiet())
    np.testing.assert_array_equal(fresh.facts.rows["thumbnail"], kept.facts.rows["thumbnail"])
    assert {f.code for f in check_data(kept)} == CLEAN | {"blank"}


def test_a_file_replaced_by_one_of_its_size_and_time_is_looked_at_again(tmp_path: Path) -> None:
    folder = source(tmp_path)
    path = folder / "train" / "rose" / "000.png"
    images = open_source(folder, reporter=Quiet())
    look_for_faults(images, Quiet())
    before = path.stat()
    Image.new("RGB", (72, 64), (90, 0, 0)).save(path)
    path.write_bytes(path.read_bytes().ljust(before.st_size, b"\0"))
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert path.stat().st_size == before.st_size
    assert "blank" in {f.code for f in check_data(look_for_faults(images, Quiet()))}


def test_a_file_that_vanished_is_missing_at_every_look(tmp_path: Path) -> None:
    folder = source(tmp_path)
    images = open_source(folder, reporter=Quiet())
    (folder / "train" / "rose" / "000.png").unlink()
    for _ in range(2):
        seen = look_for_faults(images, Quiet())
        assert len(seen.facts.unreadable) == 1
        assert "blank" not in {f.code for f in check_data(seen)}


def test_what_was_seen_of_older_sources_makes_room(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    kept = tmp_path / "cache" / "facts"
    sizes = []
    for name in ("one", "two", "three"):
        look_for_faults(open_source(source(tmp_path / name), reporter=Quiet()), Quiet())
        sizes.append(len([*kept.glob("*.npy")]))
        held = sum(file.stat().st_size for file in kept.glob("*.npy"))
        monkeypatch.setattr("convlens.preflight.cache._MOST_BYTES", held)
    assert sizes == [1, 1, 1], "the first filled what may be held"
    monkeypatch.setattr("convlens.preflight.cache._MOST_BYTES", 2 * held)
    look_for_faults(open_source(source(tmp_path / "four"), reporter=Quiet()), Quiet())
    assert len([*kept.glob("*.npy")]) == 2


def test_a_full_disk_costs_what_is_kept_and_not_the_check(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """To store through a map what the disk has no room for would kill the process."""

    def full(*_: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "posix_fallocate", full)
    images = open_source(source(tmp_path / "photos"), reporter=Quiet())
    seen = look_for_faults(images, Quiet())
    assert not isinstance(seen.facts.rows, np.memmap)
    assert {finding.code for finding in check_data(seen)} == CLEAN
    assert not [*(tmp_path / "cache" / "facts").glob("*")], "nothing half-written is left"


def two_classes_of_one_name(folder: Path) -> Path:
    for name in ("rose", "Rose"):
        (folder / name).mkdir()
        scene(1).save(folder / name / "a.png")
    return folder


def one_class(folder: Path) -> Path:
    (folder / "rose").mkdir()
    scene(1).save(folder / "rose" / "a.png")
    return folder


def nothing_to_read_of_a_class(folder: Path) -> Path:
    (one_class(folder) / "iris").mkdir()
    (folder / "iris" / "a.jpg").write_bytes(b"no picture")
    return folder


def rows_that_contradict(folder: Path) -> Path:
    scene(1).save(folder / "a.png")
    (folder / "t.csv").write_text("image,label\na.png,rose\na.png,iris\n")
    return folder / "t.csv"


@pytest.mark.parametrize(
    ("made", "code"),
    [
        pytest.param(two_classes_of_one_name, "case-twins", marks=pytest.mark.skipif(
            sys.platform != "linux", reason="the file system takes them for one")),
        (one_class, "one-class"),
        (nothing_to_read_of_a_class, "class-without-images"),
        (rows_that_contradict, "conflicting-rows"),
    ],
)  # fmt: skip
def test_a_source_that_is_refused_is_a_finding_with_its_remedy(
    made: Callable[[Path], Path], code: str, tmp_path: Path
) -> None:
    found = api.check(made(tmp_path), quiet=True).findings
    assert [finding.code for finding in found] == [code]
    assert "; expected " in found[0].message
    assert found[0].remedy not in {"", "see the message"}
    assert "expected" not in found[0].remedy


def test_an_error_becomes_a_finding_without_a_word_of_it_being_read() -> None:
    told = finding_of(ConvlensError("a; b", remedy="c; d", code="x"))
    assert (told.code, told.message, told.remedy) == ("x", "a; b", "c; d")
    whole = finding_of(ConvlensError("a; b", code="x"))
    assert (whole.message, whole.remedy) == ("a; b", "see the message")


def test_a_cleaned_table_of_formulas_is_text_and_read_back(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    for label in ("=1+1", "'-2", "rose"):
        for number in range(8):
            path = tmp_path / f"@{label}" / f"-{number}.png"
            path.parent.mkdir(exist_ok=True)
            Image.fromarray(rng.integers(0, 256, (16, 16, 3), np.uint8)).save(path)
    images = open_source(tmp_path, reporter=Quiet())
    write_cleaned(look_for_faults(images, Quiet()), tmp_path / "clean.csv")
    lines = (tmp_path / "clean.csv").read_text("utf-8").splitlines()
    assert len(lines) == 25
    assert not [line for line in lines if line.startswith("@") or ",=" in line or ",-" in line]
    again = open_source(tmp_path / "clean.csv", reporter=Quiet())
    assert again.classes == images.classes
    assert set(again.paths or ()) == set(images.paths or ())


def test_a_table_of_the_users_own_is_read_as_it_stands(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    rows = ["image,label"]
    for number in range(12):
        name = f"{number}.png"
        Image.fromarray(rng.integers(0, 256, (16, 16, 3), np.uint8)).save(tmp_path / name)
        rows.append(f"{name},'-{number % 2}")
    (tmp_path / "own.csv").write_text("\n".join(rows), "utf-8")
    assert open_source(tmp_path / "own.csv", reporter=Quiet()).classes == ("'-0", "'-1")


@pytest.mark.parametrize(
    ("n", "asked", "severity"),
    [
        (900, {"input": {"height": 128, "width": 128}}, "warning"),
        (3000, {"input": {"height": 128, "width": 128}}, "note"),
        (20_000, {"input": {"height": 128, "width": 128}}, None),
        (900, {}, None),  # thumbnails
        (900, {"model": {"name": "resnet18", "pretrained": True}, "input": {"height": 128}}, None),
        (900, {"input": {"height": 128, "channels": 5}}, None),  # no published weights for these
    ],
)
def test_photographs_too_few_to_start_from_scratch(
    n: int, asked: dict[str, object], severity: str | None
) -> None:
    images = open_source(
        (np.zeros((n, 4, 4, 3), np.uint8), np.arange(n) % 2),
        settings=DataSettings(val=0, test=0),
        reporter=Quiet(),
    )
    recipe, _ = resolve_defaults({"source": "here", **asked}, images)
    material: Any = SimpleNamespace(recipe=recipe, counts=np.array([[n // 2] * 2]))
    found = few_from_scratch(material)
    assert (found and found.severity) == severity
    if found is not None:
        assert f"{n:,} training images" in found.message
        assert "--pretrained" in found.remedy


def test_of_a_users_own_network_it_is_not_known_what_it_starts_from(tmp_path: Path) -> None:
    (tmp_path / "own.py").write_text("def build(classes): ...\n", "utf-8")
    images = open_source(source(tmp_path / "images"), reporter=Quiet())
    asked = {"model": {"name": f"{tmp_path}/own.py:build"}, "input": {"height": 128, "width": 128}}
    assert "few-from-scratch" not in found_with(images, **asked)


def test_a_table_s_missing_labels_and_unused_splits_are_findings(tmp_path: Path) -> None:
    rows = ["image,label,fold"]
    for number in range(30):
        scene(number).save(tmp_path / f"{number}.png")
        label = ("", "nan", "daisy")[number] if number < 3 else ("daisy", "rose")[number % 2]
        rows.append(f"{number}.png,{label},{number % 5}")
    (tmp_path / "plants.csv").write_text("\n".join(rows))
    found = found_in(tmp_path / "plants.csv")
    assert found["labels-missing"].evidence == {"count": 2}
    assert "row 2 (no label)" in found["labels-missing"].message
    assert found["labels-missing"].files[1] == str(tmp_path / "1.png")
    assert "the column 'fold' holds 0, 1, 2, 3 and 1 more" in found["split-unused"].message
    assert "data.group_column" in found["split-unused"].remedy
    assert "unreadable" not in found


@pytest.mark.parametrize(
    ("labels", "code"),
    [
        (["cat", "dog", "cat,dog"], "several-labels"),
        (["None", "cat", "dog"], "unclear-labels"),
        ([f"{0.1 * number:.2f}" for number in range(30)], "real-valued-labels"),
    ],
)
def test_labels_that_are_no_classes_are_findings(
    tmp_path: Path, labels: list[str], code: str
) -> None:
    rows = ["image;label"]
    for number, label in enumerate(labels):
        scene(number).save(tmp_path / f"{number}.png")
        rows.append(f"{number}.png;{label}")
    (tmp_path / "plants.csv").write_text("\n".join(rows))
    (finding,) = api.check(tmp_path / "plants.csv", quiet=True).findings
    assert (finding.code, finding.severity) == (code, "error")
    assert finding.remedy


def test_folders_that_hold_the_same_folders_are_a_finding(tmp_path: Path) -> None:
    for batch in ("batch1", "batch2"):
        for name in ("daisy", "rose"):
            (tmp_path / batch / name).mkdir(parents=True)
            scene(0).save(tmp_path / batch / name / "1.png")
    (finding,) = api.check(tmp_path, quiet=True).findings
    assert finding.code == "ambiguous-classes"
    assert "data.class_level=2" in finding.remedy
