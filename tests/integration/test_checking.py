"""``convlens check`` on a folder with ten faults, the table that mends it, and before training."""

import csv
import json
import shutil
from pathlib import Path

import pytest
from PIL import Image

from tests.integration.conftest import Convlens, fill
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
    scene(902).convert("L").save(daisy / "grey.png")
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
    "dark": "leave out what even you cannot recognise",
    "blurred": "leave out what even you cannot recognise",
    "mixed-colour": "--set input.channels=1",
    "turned": "nothing for convlens",
}


def test_each_of_ten_faults_is_named_with_its_remedy(
    faulty: Path, convlens: Convlens, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    told = convlens("check", faulty, "--model", "resnet18", "--size", "32")
    assert told.status == 2
    assert max(map(len, told.out.splitlines())) <= 80
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
    assert codes == {"dark", "blurred", "mixed-colour", "turned", "validation-small"}
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


def test_groups_that_a_table_tears_apart(tmp_path: Path, convlens: Convlens) -> None:
    photos = fill(tmp_path / "photos", each=4)
    rows = ["image,label,split,group"]
    for number, path in enumerate(sorted(photos.rglob("*.png"))):
        split = ("train", "train", "val", "test")[number % 4]
        rows.append(f"{path},{path.parent.name},{split},plant{number // 2}")
    table = tmp_path / "plants.csv"
    table.write_text("\n".join(rows), "utf-8")
    told = convlens("check", table)
    assert told.status == 2
    assert "error group-straddles" in told.out
    assert "remove it to have groups dealt out" in " ".join(told.out.split())


def test_what_is_no_finding_and_what_cannot_be_fixed(tmp_path: Path, convlens: Convlens) -> None:
    unknown = convlens("check", "digits", "--allow", "near-duplicate")
    assert (unknown.status, "did you mean 'near-duplicates'" in unknown.err) == (2, True)
    arrays = convlens("check", "digits", "--fix", tmp_path / "clean.csv")
    assert (arrays.status, "names files" in arrays.err) == (2, True)
    nowhere = convlens("check", tmp_path / "nowhere")
    assert (nowhere.status, "no such file" in nowhere.err) == (2, True)
