"""``convlens check`` on a folder with ten faults, the table that mends it, and before training."""

import csv
import json
import re
import shutil
from pathlib import Path

import pytest
from PIL import Image

from tests.integration.conftest import Convlens
from tests.preflight.scenes import blurry, encoded, scene, source


@pytest.fixture
def faulty(tmp_path: Path) -> Path:
    """A folder with ten faults, all of them in the training split, or between it and another."""
    folder = source(tmp_path / "plants", train=16, val=8, test=8)
    rose, daisy = folder / "train" / "rose", folder / "train" / "daisy"
    shutil.copy(rose / "001.png", rose / "again.png")
    shutil.copy(folder / "test" / "rose" / "000.png", rose / "seen.png")
    encoded(Image.open(folder / "val" / "daisy" / "002.png")).save(daisy / "near.jpg")
    shutil.copy(rose / "003.png", daisy / "rose-or-daisy.png")
    (rose / "cut.png").write_bytes((rose / "004.png").read_bytes()[:300])
    Image.new("RGB", (72, 64), (200, 30, 30)).save(rose / "blank.png")
    scene(900).point(lambda level: level // 6).save(rose / "night.png")
    blurry(scene(901)).save(rose / "shaken.png")
    scene(902).convert("L").save(daisy / "gray.png")
    exif = Image.Exif()
    exif[0x0112] = 6
    scene(903).save(daisy / "turned.jpg", exif=exif)
    return folder


TEN = {
    "copies": "--fix clean.csv",
    "copies-across-splits": "--allow copies-across-splits",
    "near-duplicates": "--allow near-duplicates",
    "two-labels": "--fix clean.csv",
    "unreadable": "--fix clean.csv",
    "blank": "--fix clean.csv",
    "dark": "leave out what even you cannot recognize",
    "blurred": "leave out what even you cannot recognize",
    "mixed-color": "--set input.channels=1",
    "turned": "nothing for convlens",
}


def test_each_of_ten_faults_is_named_with_its_remedy(
    faulty: Path, convlens: Convlens, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    told = convlens("check", faulty, "--model", "resnet18", "--size", "32")
    assert told.status == 2
    # Names of files and what is to be typed stay whole.
    prose = [line for line in told.out.splitlines() if not re.match("    |.*(--|convlens )", line)]
    assert max(map(len, prose)) <= 80
    parts = {part.split()[1]: " ".join(part.split()) for part in told.out.split("\n\n")[:-1]}
    assert parts.keys() == {*TEN, "validation-small"}
    for code, remedy in TEN.items():
        assert remedy in parts[code].partition("→")[2], code
    assert "errors stop training; --allow CODE" in told.out


def test_the_same_as_json(faulty: Path, convlens: Convlens) -> None:
    found = convlens("check", faulty, "--model", "resnet18", "--size", "32", "--json")
    assert found.status == 2
    assert {finding["code"] for finding in found.json["findings"]} == {*TEN, "validation-small"}
    assert found.json["estimate"] is None
    keys = {"code", "severity", "message", "evidence", "files", "remedy", "allowed"}
    assert all(finding.keys() == keys for finding in found.json["findings"])


def test_the_cleaned_table_says_what_becomes_of_every_image_and_can_be_trained_on(
    faulty: Path, convlens: Convlens
) -> None:
    before = {path: path.read_bytes() for path in faulty.rglob("*") if path.is_file()}
    table = faulty.parent / "clean.csv"
    assert (
        convlens("check", faulty, "--model", "resnet18", "--size", "32", "--fix", table).status == 2
    )
    assert {path: path.read_bytes() for path in faulty.rglob("*") if path.is_file()} == before
    rows = list(csv.DictReader(table.read_text("utf-8").splitlines()))
    assert {faulty.parent / row["image"] for row in rows} == before.keys()
    out = {Path(row["image"]).name: row["reason"] for row in rows if row["split"] == "left out"}
    assert "exact copy" in out.pop("again.png")
    assert "exact copy of test/rose/000.png" in out.pop("seen.png")
    assert "near duplicate of the validation image val/daisy/002.png" in out.pop("near.jpg")
    assert "'daisy' and 'rose'" in out.pop("rose-or-daisy.png")
    assert "'daisy' and 'rose'" in out.pop("003.png")
    assert out.keys() == {"cut.png", "blank.png"}
    mended = convlens(
        "check", table, "--model", "resnet18", "--size", "32", "--json", "--no-estimate"
    )
    assert mended.status == 0
    codes = {finding["code"] for finding in mended.json["findings"]}
    assert codes == {"dark", "blurred", "mixed-color", "turned", "validation-small"}
    run = faulty.parent / "run"
    words = ("--size", "32", "--epochs", "1", "--out", run)
    assert convlens("train", table, *words).status == 0
    again = convlens("check", faulty, "--model", "resnet18", "--size", "32", "--fix", table)
    assert again.status == 2
    assert "is there already" in " ".join(again.err.split())


def test_errors_stop_training_before_anything_is_made(
    faulty: Path, convlens: Convlens, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(faulty.parent)
    run = faulty.parent / "run"
    words = ("train", faulty, "--size", "32", "--epochs", "1", "--out", run)
    stopped = convlens(*words)
    assert stopped.status == 2
    assert not run.exists()
    told = " ".join(stopped.err.split())
    for code in ("copies-across-splits", "near-duplicates", "two-labels"):
        assert f"--allow {code}" in told
    allow = ("--allow", "copies-across-splits", "--allow", "near-duplicates")
    assert convlens(*words, *allow).status == 2
    done = convlens(*words, *allow, "--allow", "two-labels", "--json")
    assert done.status == 0
    kept = json.loads((run / "preflight.json").read_text("utf-8"))
    answered = {f["code"]: f["allowed"] for f in kept["findings"] if f["severity"] == "error"}
    assert answered == dict.fromkeys(
        ("copies-across-splits", "near-duplicates", "two-labels"), True
    )
    assert kept["estimate"]["seconds"] > 0


def test_clean_images_take_one_line_and_resuming_checks_nothing(
    tmp_path: Path, convlens: Convlens
) -> None:
    run = tmp_path / "run"
    done = convlens("train", "digits", "--epochs", "1", "--out", run)
    assert done.status == 0
    lines = [line for line in done.err.splitlines() if "checked" in line]
    assert len(lines) == 1
    assert "checked 1,797 images: 1 note; about" in lines[0]
    assert "warning" not in done.err
    (run / "preflight.json").unlink()
    assert convlens("train", "--resume", run).status == 0
    assert not (run / "preflight.json").exists()


def test_a_run_that_cannot_begin_leaves_no_folder(tmp_path: Path, convlens: Convlens) -> None:
    run = tmp_path / "run"
    words = ("--set", "training.early_stopping.patience=1", "--set", "data.val=0")
    assert convlens("train", "digits", *words, "--out", run).status == 2
    assert not run.exists()


def test_a_recipe_is_checked_with_the_images_that_it_names(
    tmp_path: Path, convlens: Convlens
) -> None:
    recipe = tmp_path / "recipe.toml"
    recipe.write_text('source = "digits"\n[augment]\nhorizontal_flip = true\n', "utf-8")
    found = convlens("check", recipe, "--no-estimate", "--json")
    assert found.status == 0
    codes = [finding["code"] for finding in found.json["findings"]]
    assert codes == ["flip-changes-class", "validation-small"]


def grouped(folder: Path) -> Path:
    """A table of 16 scenes in 8 groups of two, 4 of which are torn; one scene is there twice."""
    rows = ["image,label,split,group"]
    for number in range(16):
        scene(number).save(folder / f"{number}.png")
        split = ("train", "train", "val", "test")[number % 4]
        rows.append(f"{number}.png,{'ab'[number % 2]},{split},plant{number // 2}")
    shutil.copy(folder / "0.png", folder / "again.png")
    rows.append("again.png,a,train,plant0")
    table = folder / "plants.csv"
    table.write_text("\n".join(rows), "utf-8")
    return table


def test_groups_that_a_table_tears_apart_are_found_beside_all_else(
    tmp_path: Path, convlens: Convlens
) -> None:
    table = grouped(tmp_path)
    found = convlens("check", table, "--size", "32", "--json")
    assert found.status == 2
    told = {finding["code"]: finding for finding in found.json["findings"]}
    assert told.keys() >= {"group-straddles", "copies", "few-images"}
    assert told["group-straddles"]["evidence"]["groups"] == 4
    assert {Path(file).name for file in told["group-straddles"]["files"]} == {
        f"{number}.png" for number in range(16) if number % 4 > 1
    }


def test_training_on_torn_groups_has_to_be_allowed(tmp_path: Path, convlens: Convlens) -> None:
    run = tmp_path / "run"
    words = ("train", grouped(tmp_path), "--size", "32", "--epochs", "1", "--out", run)
    stopped = convlens(*words)
    assert stopped.status == 2
    assert "--allow group-straddles" in " ".join(stopped.err.split())
    assert not run.exists()
    assert convlens(*words, "--allow", "group-straddles").status == 0


def test_a_cleaned_table_keeps_the_groups(tmp_path: Path, convlens: Convlens) -> None:
    clean = tmp_path / "clean.csv"
    convlens("check", grouped(tmp_path), "--size", "32", "--no-estimate", "--fix", clean)
    rows = list(csv.DictReader(clean.read_text("utf-8").splitlines()))
    group = {Path(row["image"]).stem: row["group"] for row in rows if row["split"] != "left out"}
    assert len(group) == 16
    assert all(group[str(number)] == group[str(number + 1)] for number in range(0, 16, 2))
    assert len(set(group.values())) == 8
    found = convlens("check", clean, "--size", "32", "--no-estimate", "--json")
    told = {finding["code"]: finding for finding in found.json["findings"]}
    assert told["group-straddles"]["evidence"]["groups"] == 4
    assert "copies" not in told


def test_no_table_is_written_of_what_cannot_be_opened(tmp_path: Path, convlens: Convlens) -> None:
    table, clean = grouped(tmp_path), tmp_path / "clean.csv"
    with table.open("a", encoding="utf-8") as rows:
        rows.write("\n1.png,a,train,plant0\n2.png,b,val,plant1\n")
    alone = convlens("check", table)
    assert alone.status == 2
    assert "error conflicting-rows" in alone.out
    refused = convlens("check", table, "--fix", clean)
    told = "".join(refused.err.split())
    assert refused.status == 2
    assert "clean.csvwasnotwritten" in told
    assert "saystwothingsof2files" in told
    assert not clean.exists()


@pytest.mark.parametrize(
    ("settings", "codes"),
    [
        (
            ("training.early_stopping.patience=1", "data.val=0", "augment.horizontal_flip=true"),
            {"not-measured", "flip-changes-class"},
        ),
        (
            ("training.batch_size=1", "augment.horizontal_flip=true", "model.name=resnet18"),
            {
                "batch-too-small",
                "flip-changes-class",
                "input-below-stride",
                "tiny-batches",
                "validation-small",
            },
        ),
    ],
)
def test_what_a_run_is_refused_for_hides_nothing_that_was_found(
    settings: tuple[str, ...], codes: set[str], convlens: Convlens
) -> None:
    words = [word for setting in settings for word in ("--set", setting)]
    found = convlens("check", "digits", *words, "--json")
    assert found.status == 2
    assert {finding["code"] for finding in found.json["findings"]} == codes
    assert found.json["estimate"] is None


def test_splits_are_kept_in_a_check_too(tmp_path: Path, convlens: Convlens) -> None:
    run = tmp_path / "run"
    assert convlens("train", "digits", "--epochs", "1", "--out", run).status == 0
    found = convlens("check", "digits", "--splits", run / "splits.csv", "--no-estimate")
    assert found.status == 0
    assert "splits kept from splits.csv: 1,797 images" in found.err


def test_what_is_no_finding_and_what_cannot_be_fixed(
    tmp_path: Path, convlens: Convlens, monkeypatch: pytest.MonkeyPatch
) -> None:
    unknown = convlens("check", "digits", "--allow", "near-duplicate")
    assert (unknown.status, "did you mean 'near-duplicates'" in unknown.err) == (2, True)
    monkeypatch.setattr("convlens.preflight.look_for_faults", None)  # all of it is told at once
    arrays = convlens("check", "digits", "--fix", tmp_path / "clean.csv")
    assert (arrays.status, "names files" in arrays.err) == (2, True)
    (tmp_path / "there.csv").touch()
    there = convlens("check", tmp_path / "photos", "--fix", tmp_path / "there.csv")
    assert (there.status, "is there already" in " ".join(there.err.split())) == (2, True)
    nowhere = convlens("check", tmp_path / "nowhere")
    assert (nowhere.status, "no such file" in nowhere.err) == (2, True)
