"""A source whose classes or images changed since a run was trained on it."""

import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import convlens as package
from convlens.core.errors import ConvlensError
from convlens.core.reporter import Quiet
from convlens.runs import Run
from tests.integration.conftest import Convlens

COLORS = {"ant": (220, 40, 40), "bee": (40, 220, 40), "cow": (40, 40, 220)}
EACH = 20


def fill(root: Path, classes: dict[str, tuple[int, int, int]], each: int = EACH) -> Path:
    for name, color in classes.items():
        (root / name).mkdir(parents=True)
        for number in range(each):
            noise = np.random.default_rng(sum(color) * 1000 + number).normal(0, 12, (12, 12, 3))
            pixels = np.clip(np.array(color) + noise, 0, 255).astype(np.uint8)
            Image.fromarray(pixels).save(root / name / f"{name[0]}{number:02}.png")
    return root


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> tuple[Run, Path]:
    """A run that tells its three classes apart without a mistake, and its images."""
    folder = tmp_path_factory.mktemp("insects")
    data = fill(folder / "data", COLORS)
    run = package.train(
        data,
        layers="conv 8 3 same relu, globalavgpool, dense",
        augment="none",
        epochs=20,
        settings=["training.optimizer.learning_rate=0.05"],
        out=folder / "run",
        quiet=True,
    )
    assert run.metrics["test"]["accuracy"] == 1
    return run, data


@pytest.fixture
def here(trained: tuple[Run, Path], tmp_path: Path) -> tuple[Run, Path]:
    """Copies of both, to be changed; the run's source is the copy."""
    run, data = trained
    mine = Path(shutil.copytree(data, tmp_path / "data"))
    folder = Path(shutil.copytree(run.folder, tmp_path / "run"))
    recipe = folder / "recipe.toml"
    recipe.write_text(recipe.read_text("utf-8").replace(str(data), str(mine)), "utf-8")
    return Run(folder), mine


def test_an_added_class_is_left_out_and_counted(here: tuple[Run, Path], convlens: Convlens) -> None:
    run, data = here
    fill(data, {"aphid": (128, 128, 128)}, each=7)
    done = convlens("evaluate", run.folder, "--json")
    assert (done.json["n"], done.json["accuracy"]) == (9, 1.0)
    assert done.json["changes"]["added"] == {"aphid": 7}
    told = " ".join(done.err.split())
    assert "'aphid' (7 images)" in told
    assert "may have been training images" not in told  # the others are as they were
    both = convlens("evaluate", run.folder, "--baseline", run.folder, "--json")
    assert (both.json["baseline"]["n"], both.json["baseline"]["second"]) == (9, 1.0)
    assert convlens("report", run.folder).status == 0
    page = (run.folder / "report.html").read_text("utf-8")
    assert "aphid" in page
    assert "The images are not as they were" in page


def test_a_removed_class_leaves_the_others_right(
    here: tuple[Run, Path], convlens: Convlens
) -> None:
    run, data = here
    shutil.rmtree(data / "ant")
    done = convlens("evaluate", run.folder, "--json")
    assert (done.json["n"], done.json["accuracy"]) == (6, 1.0)
    assert done.json["changes"]["removed"] == {"ant": EACH}
    assert "'ant' (had 20 images)" in " ".join(done.err.split())
    assert [own["support"] for own in done.json["classes"]] == [0, 3, 3]
    assert convlens("evaluate", run.folder, "--tta", "flip", "--json").json["accuracy"] == 1
    assert convlens("report", run.folder).status == 0


def test_of_two_classes_gone_the_third_is_still_measured(
    here: tuple[Run, Path], convlens: Convlens
) -> None:
    run, data = here
    shutil.rmtree(data / "ant")
    shutil.rmtree(data / "bee")
    done = convlens("evaluate", run.folder, "--json")
    assert (done.json["n"], done.json["accuracy"]) == (3, 1.0)
    assert convlens("report", run.folder).status == 0


def test_a_renamed_class_is_named_and_never_scored(
    here: tuple[Run, Path], convlens: Convlens
) -> None:
    run, data = here
    (data / "ant").rename(data / "zant")
    done = convlens("evaluate", run.folder, "--json")
    assert (done.json["n"], done.json["accuracy"]) == (6, 1.0)
    assert done.json["changes"]["renamed"] == {"ant": "zant"}
    assert "rename it to 'ant'" in " ".join(done.err.split())
    assert convlens("report", run.folder).status == 0
    (data / "zant").rename(data / "ant")
    assert convlens("evaluate", run.folder, "--json").json["n"] == 9


def test_classes_that_change_places_by_name_keep_their_numbers(
    here: tuple[Run, Path], convlens: Convlens
) -> None:
    """One class less and one more: as many as before, and every number another's."""
    run, data = here
    shutil.rmtree(data / "ant")
    fill(data, {"zebra": (128, 128, 128)})
    done = convlens("evaluate", run.folder, "--json")
    assert (done.json["n"], done.json["accuracy"]) == (6, 1.0)
    assert done.json["changes"]["renamed"] == {}
    page = package.report(run.folder, quiet=True).read_text("utf-8")
    assert "zebra" in page


def test_nothing_left_to_measure_is_refused_by_name(
    here: tuple[Run, Path], convlens: Convlens
) -> None:
    run, data = here
    for name in COLORS:
        (data / name).rename(data / f"my-{name}")
    refused = convlens("evaluate", run.folder)
    assert refused.status == 2
    told = " ".join(refused.err.split())
    assert "'my-ant' looks like 'ant' renamed" in told
    assert convlens("report", run.folder).status == 0


def test_images_that_came_later_are_not_measured(
    here: tuple[Run, Path], convlens: Convlens
) -> None:
    run, data = here
    for number in range(30):
        Image.new("RGB", (12, 12), COLORS["cow"]).save(data / "ant" / f"late {number}.png")
    done = convlens("evaluate", run.folder, "--json")
    assert (done.json["n"], done.json["accuracy"]) == (9, 1.0)
    assert done.json["changes"]["new"] == 30
    assert "30 images added since training" in " ".join(done.err.split())


def test_a_promise_is_made_from_the_images_that_calibrated_or_not_at_all(
    here: tuple[Run, Path], convlens: Convlens
) -> None:
    run, data = here
    (data / "ant").rename(data / "zant")
    bundle = run.bundle / "bundle.json"
    told = bundle.read_text("utf-8")
    bundle.write_text(told.replace('"images": 0', '"images": 9', 1), "utf-8")
    refused = convlens("evaluate", run.folder, "--set", "selective.coverage=0.5")
    assert refused.status == 2
    assert "'zant'" in " ".join(refused.err.split())


def test_a_run_is_resumed_with_its_own_images_or_not_at_all(
    here: tuple[Run, Path], convlens: Convlens
) -> None:
    run, data = here
    (run.folder / "metrics.json").unlink()
    shutil.rmtree(run.bundle)
    before = Run(run.folder).images_to_resume(Quiet()).fingerprint()
    (data / "bee").rename(data / "abee")
    refused = convlens("train", "--resume", run.folder)
    assert refused.status == 2
    told = " ".join(refused.err.split())
    assert "changed since" in told
    assert "'abee' looks like 'bee' renamed" in told
    (data / "abee").rename(data / "bee")
    fill(data, {"aphid": (128, 128, 128)}, each=5)
    done = convlens("train", "--resume", run.folder)
    assert done.status == 0
    assert "'aphid' (5 images)" in " ".join(done.err.split())
    assert run.predictor().classes == ("ant", "bee", "cow")
    assert run.metrics["test"]["accuracy"] == 1
    assert run.predictor().bundle.provenance["data"] == before


def test_a_file_replaced_by_one_of_its_size_is_no_longer_what_the_run_began_with(
    here: tuple[Run, Path], convlens: Convlens, tmp_path: Path
) -> None:
    run, data = here
    (run.folder / "metrics.json").unlink()
    assert convlens("train", "--resume", run.folder).status == 0
    moved = Path(shutil.copytree(data, tmp_path / "copy"))  # other times, other inodes
    shutil.rmtree(data)
    moved.rename(data)
    (run.folder / "metrics.json").unlink()
    assert convlens("train", "--resume", run.folder).status == 0
    other, *_, file = sorted((data / "ant").iterdir(), key=lambda path: path.stat().st_size)
    file.write_bytes(other.read_bytes().ljust(file.stat().st_size, b"\0"))
    refused = convlens("train", "--resume", run.folder)
    assert refused.status == 2
    assert "its images (files of the same names have other contents" in refused.err
    assert "files were replaced" in " ".join(convlens("evaluate", run.folder).err.split())


def test_a_table_with_another_name_for_a_class(tmp_path: Path, convlens: Convlens) -> None:
    fill(tmp_path / "files", COLORS)
    table = tmp_path / "insects.csv"
    rows = [
        f"files/{path.parent.name}/{path.name},{path.parent.name}"
        for path in sorted((tmp_path / "files").rglob("*.png"))
    ]
    table.write_text("\n".join(["image,label", *rows]), "utf-8")
    out = tmp_path / "run"
    words = ("train", table, "--layers", "conv 4 3 same relu, globalavgpool, dense")
    assert convlens(*words, "--epochs", "1", "--out", out).status == 0
    before = convlens("evaluate", out, "--json").json
    renamed = [row.replace(",ant", ",zant") for row in rows]
    table.write_text("\n".join(["image,label", *renamed]), "utf-8")
    done = convlens("evaluate", out, "--json").json
    assert done["changes"]["renamed"] == {"ant": "zant"}
    assert (
        done["classes"][1:]
        == [
            own | {key: done["classes"][at][key] for key in own if key.startswith(("prec", "f1"))}
            for at, own in enumerate(before["classes"])
        ][1:]
    )
    relabeled = [row.replace(",ant", ",bee") if "a00" in row else row for row in rows]
    table.write_text("\n".join(["image,label", *relabeled]), "utf-8")
    assert convlens("evaluate", out, "--json").json["changes"]["relabeled"] == 1
    refused = convlens("train", "--resume", out)
    assert "1 image relabeled" in " ".join(refused.err.split())


def test_a_split_that_lost_a_class_is_measured_without_it(
    tmp_path: Path, convlens: Convlens
) -> None:
    for split in ("train", "test"):
        fill(tmp_path / "data" / split, COLORS)
    out = tmp_path / "run"
    words = ("train", tmp_path / "data", "--layers", "conv 4 3 same relu, globalavgpool, dense")
    assert convlens(*words, "--epochs", "1", "--allow", "copies-across-splits", "--out", out)
    shutil.rmtree(tmp_path / "data" / "test" / "ant")
    done = convlens("evaluate", out, "--json").json
    assert done["n"] == 2 * EACH
    assert [own["support"] for own in done["classes"]] == [0, EACH, EACH]


def test_without_its_splits_other_classes_are_refused(
    here: tuple[Run, Path], convlens: Convlens
) -> None:
    run, data = here
    (run.folder / "splits.csv").unlink()
    assert convlens("evaluate", run.folder, "--json").json["accuracy"] == 1
    (data / "ant").rename(data / "zant")
    with pytest.raises(ConvlensError, match="added: zant; removed: ant"):
        package.evaluate(run.folder, quiet=True)


def test_images_that_moved_are_asked_for_by_the_option_that_takes_them(
    here: tuple[Run, Path], convlens: Convlens, tmp_path: Path
) -> None:
    run, data = here
    moved = data.rename(tmp_path / "moved")
    for verb in (("evaluate",), ("resume", "--epochs", "21"), ("report",)):
        words = (verb[0], run.folder, *verb[1:])
        if verb[0] != "report":  # a report is written without its images
            told = convlens(*words)
            assert told.status == 2
            assert "no longer where they were" in told.err
            assert "--source" in told.err
        assert convlens(*words, "--source", moved).status == 0
