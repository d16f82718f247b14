import json

import numpy as np
import pytest
from PIL import Image

from convlens.cli.main import main
from convlens.core.cache_folder import cache_folder
from convlens.data import CacheSettings
from convlens.data.pixel_cache import EntryWriter


@pytest.fixture
def run(capsys, monkeypatch):
    """Runs the command line on 80 columns; returns its exit status, stdout and stderr."""
    monkeypatch.setenv("COLUMNS", "80")

    def call(*words):
        with pytest.raises(SystemExit) as left:
            main([*map(str, words)])
        told = capsys.readouterr()
        return left.value.code or 0, told.out, told.err

    return call


@pytest.fixture
def plants(tmp_path):
    rng = np.random.default_rng(0)
    for name, count in (("rose", 20), ("[red]", 12)):
        for number in range(count):
            path = tmp_path / "plants" / name / f"{number}.png"
            path.parent.mkdir(parents=True, exist_ok=True)
            Image.fromarray(rng.integers(0, 256, (6, 8, 3), np.uint8)).save(path)
    (tmp_path / "plants" / "rose" / "broken.jpg").write_bytes(b"text")
    return tmp_path / "plants"


def test_the_list(run):
    status, out, _ = run("data", "list")
    assert status == 0
    assert "cifar100" in out
    assert max(map(len, out.splitlines())) <= 80
    status, out, _ = run("data", "list", "--json")
    entries = {entry["name"]: entry for entry in json.loads(out)["datasets"]}
    assert entries["mnist"]["bytes"] == 9912422 + 28881 + 1648877 + 4542
    assert entries["mnist"]["fetched"] is False
    assert entries["digits"]["fetched"] is True


def test_info_of_a_folder(run, plants):
    status, out, err = run("data", "info", plants)
    assert status == 0
    rows = [line.split() for line in out.splitlines()]
    assert ["[red]", "8", "2", "2"] in rows
    assert ["rose", "14", "3", "3"] in rows
    assert ["all", "22", "5", "5"] in rows
    assert "broken.jpg" in out
    assert "found 32 images in 2 classes" in err


def test_info_as_json_is_one_object(run, plants):
    status, out, _ = run("data", "info", plants, "--json", "--seed", 3, "--set", "data.val=0")
    found = json.loads(out)
    assert status == 0
    assert found["name"] == "plants"
    assert found["classes"] == ["[red]", "rose"]
    assert sum(found["images"]["val"].values()) == 0
    assert found["skipped"][0]["path"].endswith("broken.jpg")
    assert len(found["fingerprint"].removeprefix("content:")) == 64


def test_info_of_a_dataset(run):
    status, out, _ = run("data", "info", "digits")
    assert status == 0
    assert ["all", "1,257", "180", "360"] in [line.split() for line in out.splitlines()]
    status, out, _ = run("data", "info", "mnist")
    assert status == 0
    assert "not fetched yet (11.6 MB): convlens data fetch mnist" in out
    assert json.loads(run("data", "info", "mnist", "--json")[1])["dataset"]["classes"] == 10


def test_fetching_what_comes_with_convlens(run):
    status, out, _ = run("data", "fetch", "digits", "--json")
    assert status == 0
    assert json.loads(out) == {"digits": str(cache_folder("datasets") / "digits")}


def test_what_the_cache_holds(run, plants):
    assert "empty" in run("data", "info")[1]
    run("data", "info", plants)
    status, out, _ = run("data", "info", "--json")
    assert status == 0
    (kept,) = json.loads(out)["cache"]
    assert (kept["kind"], kept["files"]) == ("scans", 1)
    assert "scans" in run("data", "info")[1]


def test_kept_features_are_told_from_pixels(run):
    place = CacheSettings().place
    for kind, wide in (("pixels", 3), ("features", 2048)):
        name = "plants" if kind == "pixels" else "plants, features of vgg16 up to block4"
        writer = EntryWriter(place / "how" / kind, (4, 6, wide), kind=kind)
        writer.append(np.zeros((2, 4, 6, wide), np.uint8))
        writer.finish(name, [], [])
        writer.close()
    _, out, _ = run("data", "info")
    assert "pixels of plants: 2 images of 4x6x3, " in out
    assert "\nplants, features of vgg16 up to block4: 2 images of 4x6x512, 98.3 kB" in out
    found = json.loads(run("data", "info", "--json")[1])
    assert [own["shape"] for own in found["pixels"]] == [[2, 4, 6, 3]]
    assert [own["shape"] for own in found["features"]] == [[2, 4, 6, 512]]


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["fetch", "mnits"], "did you mean 'mnist'?"),
        (["info", "no-such-folder"], "no such file, folder or dataset"),
        (["info", "digits", "--set", "data.vall=1"], "did you mean 'val'?"),
        (["info", "digits", "--set", "data.val=2"], "data"),
        (["lsit"], "lsit"),
        (["fetch"], "NAME"),
    ],
)
def test_slips(run, words, told):
    status, out, err = run("data", *words)
    assert status == 2
    assert out == ""
    assert told in err
    assert "Traceback" not in err
    status, out, _ = run("data", *words, "--json")
    assert status == 2
    assert set(json.loads(out)["error"]) == {"code", "message"}


def test_a_class_and_a_file_of_hostile_names_are_a_line_each(run, tmp_path):
    rng = np.random.default_rng(0)
    for name in ("\x1b[2Ja\nerror b", ":cat:", "\u202egnp"):
        for number in range(4):
            path = tmp_path / "plants" / name / f"{number}\r\x07.png"
            path.parent.mkdir(parents=True, exist_ok=True)
            Image.fromarray(rng.integers(0, 256, (6, 8, 3), np.uint8)).save(path)
        (tmp_path / "plants" / name / "broken\x1b[1m.jpg").write_bytes(b"text")
    status, out, err = run("data", "info", tmp_path / "plants")
    assert status == 0
    assert not {c for c in (out + err).replace("\n", "") if not c.isprintable()}
    names = [line.split("  ")[0] for line in out.splitlines()[1:4]]
    assert names == [r"\x1b[2Ja\nerror b", ":cat:", r"\u202egnp"]
    assert out.count(r"broken\x1b[1m.jpg") == 3
