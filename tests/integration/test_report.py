"""Every run leaves a report, and it can be written again."""

import errno
import json
import os
import re
import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import convlens as package
from convlens.core import files
from convlens.core.command_line import command
from convlens.runs import Run
from tests.integration.conftest import Convlens, fill
from tests.reporting.reading import read


def section(path: Path, name: str) -> str:
    return re.sub(r"\s+", " ", read(path.read_text("utf-8")).text.get(name, ""))


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with photos and a run on them."""
    folder = tmp_path_factory.mktemp("trained")
    photos = fill(folder / "photos", each=12)
    package.train(photos, epochs=2, out=folder / "run", cache=False, quiet=True)
    return folder


@pytest.fixture
def run(trained: Path, tmp_path: Path) -> Run:
    """The same run and photos, at another place and one's own."""
    shutil.copytree(trained, tmp_path, dirs_exist_ok=True)
    recipe = tmp_path / "run" / "recipe.toml"
    moved = recipe.read_text("utf-8").replace(str(trained), str(tmp_path))
    recipe.write_text(moved, "utf-8")
    return Run(tmp_path / "run")


def test_training_leaves_a_report_of_its_figures(trained: Path) -> None:
    run = Run(trained / "run")
    report = run.folder / "report.html"
    test = run.metrics["test"]
    right = round(test["accuracy"] * test["n"])
    assert f"{right} answers were right" in section(report, "result")
    found = read(report.read_text("utf-8"))
    assert found.faults == []
    shown = [own for _, own in found.of("img")]
    assert len(shown) >= 2 * min(test["n"], 12)
    assert "grün/bild" in section(report, "unsure") + section(report, "mistakes")
    assert run.environment["data"]["fingerprint"] in section(report, "reproduce")
    for name in ("numpy", "pillow", "simplejpeg", "scikit-learn"):
        version = run.environment["libraries"][name]
        assert f"{name}{version}" in section(report, "reproduce").replace(" ", "")


def test_the_verb_writes_it_again_elsewhere(run: Run, tmp_path: Path, convlens: Convlens) -> None:
    done = convlens("report", run.folder, "--out", tmp_path / "plants.html", "--json")
    assert done.status == 0
    path = tmp_path / "plants.html"
    assert done.json == {"report": str(path), "bytes": path.stat().st_size}
    assert "written to" in convlens("report", run.folder).out
    assert path.read_bytes() == (run.folder / "report.html").read_bytes()
    assert "--out" in convlens("report", "--help").out
    assert package.report(run.folder, quiet=True) == run.folder / "report.html"


def test_an_unfinished_run_is_refused_in_words(run: Run, convlens: Convlens) -> None:
    (run.folder / "metrics.json").unlink()
    refused = convlens("report", run.folder)
    assert refused.status == 2
    told = " ".join(refused.err.split())
    assert "has not finished" in told
    assert "convlens resume" in told
    nothing = convlens("report", run.folder / "bundle")
    assert nothing.status == 2
    assert "is not a run" in nothing.err


def test_images_that_are_gone_are_left_out(run: Run, tmp_path: Path) -> None:
    before = section(run.folder / "report.html", "confusion")
    shutil.rmtree(tmp_path / "photos")
    path = package.report(run.folder, out=tmp_path / "later.html", quiet=True)
    assert "The images cannot be shown" in section(path, "mistakes")
    assert section(path, "confusion") == before


def test_images_that_changed_are_said_to_have(run: Run, tmp_path: Path) -> None:
    Image.new("RGB", (16, 16)).save(tmp_path / "photos" / "red" / "new.png")
    path = package.report(run.folder, quiet=True)
    assert "The images are not as they were" in section(path, "")


def test_a_run_on_arrays_shows_its_images_only_when_it_ends(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    y = np.arange(60) % 2
    x = rng.integers(0, 100, (60, 12, 12, 1), np.uint8) + np.uint8(100) * y[:, None, None, None]
    run = package.train((x.astype(np.uint8), y), epochs=1, out=tmp_path / "run", quiet=True)
    told = section(run.folder / "report.html", "unsure")
    assert "image " in told
    assert "convlens.train((X, y)" in section(run.folder / "report.html", "reproduce")
    path = package.report(run.folder, quiet=True)
    assert "arrays in memory, which are gone" in section(path, "mistakes")


def test_without_test_images_those_shown_are_those_measured(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    y = np.arange(500) % 2
    x = rng.integers(0, 256, (500, 20, 20, 1), np.uint8)
    run = package.train(
        (x, y),
        epochs=1,
        model="simple",
        size=20,
        settings=["data.test=0", "data.val=0.2", "training.batch_size=100"],
        out=tmp_path / "run",
        quiet=True,
    )
    val = run.metrics["val"]
    wrong = val["n"] - round(val["accuracy"] * val["n"])
    assert val["n"] < 100, "a part of validation calibrates"
    told = section(run.folder / "report.html", "mistakes")
    assert f"of {wrong} mistakes on {val['n']} images" in told
    calibration = run.metrics["calibration"]
    kept_apart = calibration["n"]
    assert (calibration["measured_on"], kept_apart) == ("calibration", 100 - val["n"])
    told = section(run.folder / "report.html", "reliability")
    assert f"Measured on {kept_apart} images of the validation split that were kept apart" in told


def test_a_run_from_before_reports_had_it_all_is_reported(run: Run, tmp_path: Path) -> None:
    metrics = json.loads((run.folder / "metrics.json").read_text("utf-8"))
    old = {key: value for key, value in metrics.items() if key not in {"calibration", "selective"}}
    (run.folder / "metrics.json").write_text(json.dumps(old), "utf-8")
    (run.folder / "preflight.json").unlink(missing_ok=True)
    path = package.report(run.folder, quiet=True)
    there = {own["id"] for _, own in read(path.read_text("utf-8")).of("section")}
    assert not there & {"selective", "preflight"}


@pytest.mark.skipif(os.geteuid() == 0, reason="root writes everywhere")
def test_a_folder_that_cannot_be_written_to(run: Run, tmp_path: Path, convlens: Convlens) -> None:
    locked = tmp_path / "locked"
    locked.mkdir(mode=0o500)
    refused = convlens("report", run.folder, "--out", locked / "report.html")
    assert refused.status == 2
    assert "cannot write" in refused.err


def test_a_folder_that_cannot_be_made(run: Run, tmp_path: Path, convlens: Convlens) -> None:
    (tmp_path / "file").write_text("")
    refused = convlens("report", run.folder, "--out", tmp_path / "file" / "report.html")
    assert refused.status == 2
    assert "cannot write" in refused.err
    wrong = convlens("report", run.folder, "--out", tmp_path / "report.pdf")
    assert wrong.status == 2
    assert "HTML file" in wrong.err


def test_a_full_disk_fails_the_verb_but_not_the_training(
    run: Run, tmp_path: Path, convlens: Convlens, monkeypatch: pytest.MonkeyPatch
) -> None:
    flush = files._flush

    def full(path: Path) -> None:
        if "report.html" in path.name:
            raise OSError(errno.ENOSPC, "No space left on device")
        flush(path)

    monkeypatch.setattr(files, "_flush", full)
    failed = convlens("report", run.folder)
    assert failed.status == 1
    assert "no room left on the disk" in failed.err
    again = convlens("train", tmp_path / "photos", "--epochs", "1", "--out", tmp_path / "two")
    assert again.status == 0
    told = " ".join(again.err.split())
    assert "the run is finished, but has no report" in told
    assert command("report", tmp_path / "two") in again.err
    assert not (tmp_path / "two" / "report.html").exists()
