"""What users get wrong: one message with what was passed, what was expected, what to do."""

import struct
import zlib
from pathlib import Path

import pytest

from tests.integration.conftest import Convlens, Outcome, fill, picture


def refused(outcome: Outcome, *words: str) -> None:
    assert outcome.status == 2
    assert outcome.out == ""
    message = "".join(outcome.err.split())  # lines are broken to fit the terminal
    assert "error" in message
    for word in words:
        assert "".join(word.split()) in message


def huge_png(path: Path, side: int = 50_000) -> None:
    """A PNG whose header claims side×side pixels, and which holds none."""

    def chunk(kind: bytes, content: bytes) -> bytes:
        body = kind + content
        return struct.pack(">I", len(content)) + body + struct.pack(">I", zlib.crc32(body))

    header = struct.pack(">IIBBBBB", side, side, 8, 2, 0, 0, 0)
    content = b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header)
    path.write_bytes(content + chunk(b"IDAT", zlib.compress(b"")) + chunk(b"IEND", b""))


def test_no_such_path_names_it_and_the_nearest(tmp_path: Path, convlens: Convlens) -> None:
    refused(convlens("train", tmp_path / "plants"), str(tmp_path / "plants"))
    refused(convlens("train", "digist"), "digist", "digits")


def test_an_empty_folder(tmp_path: Path, convlens: Convlens) -> None:
    refused(convlens("train", tmp_path), "no images", "class folders")


def test_a_single_class(tmp_path: Path, convlens: Convlens) -> None:
    fill(tmp_path, classes=1)
    refused(convlens("train", tmp_path), "grün", "at least two classes")


def test_a_folder_of_files_that_are_no_images(tmp_path: Path, convlens: Convlens) -> None:
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "notes.txt").write_text("not an image")
    refused(convlens("train", tmp_path), "no images", ".txt")


def test_class_folders_that_differ_between_splits(tmp_path: Path, convlens: Convlens) -> None:
    fill(tmp_path / "train", classes=2)
    fill(tmp_path / "val", classes=3)
    refused(convlens("train", tmp_path), "blue")


def test_damaged_images_are_named_counted_and_left_out(tmp_path: Path, convlens: Convlens) -> None:
    photos = fill(tmp_path / "photos", each=20, suffix="jpg")
    whole = (photos / "red" / "bild 0.jpg").read_bytes()
    (photos / "red" / "cut.jpg").write_bytes(whole[: len(whole) * 2 // 3])
    (photos / "red" / "nothing.jpg").write_bytes(b"")
    (photos / "red" / "text.png").write_text("no image at all")
    huge_png(photos / "red" / "huge.png")
    run = tmp_path / "run"
    done = convlens("train", photos, "--epochs", "1", "--out", run)
    assert done.status == 0
    told = done.err.replace("\n", "")
    record = (run / "environment.json").read_text()
    for name in ("cut.jpg", "nothing.jpg", "text.png", "huge.png"):
        assert name in record, f"{name} is not in the run's record"
    assert "4" in told
    assert "left out" in told or "skipped" in told


def test_a_claim_of_too_many_pixels_is_refused_from_the_header(
    tmp_path: Path, convlens: Convlens
) -> None:
    photos = fill(tmp_path / "photos", each=12)
    convlens("train", photos, "--epochs", "1", "--out", tmp_path / "run")
    huge_png(tmp_path / "huge.png")
    refused(convlens("predict", tmp_path / "run", tmp_path / "huge.png"), "huge.png", "50,000")


def test_predicting_goes_on_past_a_file_it_cannot_read(tmp_path: Path, convlens: Convlens) -> None:
    photos = fill(tmp_path / "photos", each=12)
    convlens("train", photos, "--epochs", "1", "--out", tmp_path / "run")
    good, bad = tmp_path / "good.png", tmp_path / "bad.png"
    picture((200, 30, 30), 1).save(good)
    bad.write_bytes(good.read_bytes()[:40])
    done = convlens("predict", tmp_path / "run", bad, good, "--json")
    assert done.status == 0
    assert [prediction["path"] for prediction in done.json["predictions"]] == [str(good)]
    assert "bad.png" in done.err
    refused(convlens("predict", tmp_path / "run", bad), "bad.png")


def test_names_beyond_ascii_and_loops_of_links(tmp_path: Path, convlens: Convlens) -> None:
    photos = fill(tmp_path / "фото – 写真", each=12)
    (photos / "red" / "loop").symlink_to(photos, target_is_directory=True)
    (photos / "red" / "gone.png").symlink_to(tmp_path / "nowhere.png")
    done = convlens("train", photos, "--epochs", "1", "--out", tmp_path / "läuft", "--json")
    assert done.status == 0
    assert done.json["run"].endswith("läuft")


def test_an_unreadable_file_is_named_and_left_out(common_folder: Path, convlens: Convlens) -> None:
    photos = fill(common_folder / "photos", each=12)
    (photos / "red" / "bild 0.png").chmod(0)
    done = convlens("train", photos, "--epochs", "1", "--out", common_folder / "run")
    assert done.status == 0
    assert "bild 0.png" in done.err
    assert "bild 0.png" in (common_folder / "run" / "environment.json").read_text()


def test_a_read_only_output_folder(common_folder: Path, convlens: Convlens) -> None:
    photos = fill(common_folder / "photos", each=12)
    locked = common_folder / "locked"
    locked.mkdir(mode=0o500)
    refused(convlens("train", photos, "--out", locked / "run"), "locked", "--out")
    refused(convlens("train", photos, "--out", locked), "locked", "--out")


def test_an_output_folder_that_cannot_be_one(tmp_path: Path, convlens: Convlens) -> None:
    photos = fill(tmp_path / "photos", each=12)
    (tmp_path / "file").write_text("")
    refused(convlens("train", photos, "--out", tmp_path / "file"), "--out")
    refused(convlens("train", photos, "--out", tmp_path / "file" / "run"), "--out")
    refused(convlens("train", photos, "--out", photos), "not empty", "--out")


def test_errors_as_json(tmp_path: Path, convlens: Convlens) -> None:
    outcome = convlens("train", tmp_path, "--json")
    assert outcome.status == 2
    assert outcome.json["error"]["code"] == "no-images"
    assert "no images" in outcome.json["error"]["message"]
    usage = convlens("train", "digits", "--epoch", "3", "--json")
    assert usage.status == 2
    assert usage.json["error"]["code"] == "usage"


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["train"], "no source"),
        (["train", "digits", "--model", "standrad"], "did you mean 'standard'"),
        (["train", "digits", "--size", "big"], "expected one side"),
        (["train", "digits", "--epochs", "0"], "--epochs"),
        (["train", "digits", "--set", "training.batchsize=3"], "did you mean 'batch_size'"),
        (["train", "digits", "--set", "epochs"], "expected part.key=value"),
        (["train", "digits", "--set", "model=resnet18"], "model.name=resnet18"),
        (["train", "digits", "--set", "augment=strong"], "augment is 'strong'"),
        (["train", "digits", "--set", "training.loss=focal"], "training.loss.name=focal"),
        (["train", "digits", "--set", "training=5"], "training is 5"),
        (["train", "digits", "--set", "selective=0.9"], "selective is 0.9"),
        (["train", "digits", "--set", "seed=abc"], "seed is 'abc'"),
        (["train", "~nobody at all/x"], "no such file"),
        (["inspect", "conv 8 3 same relu, " * 30 + "globalavgpool, dense"], "--input"),
        (["train", "digits", "--device", "cpu:x"], "this machine has"),
        (["train", "digits", "--device", "tpu"], "this machine has"),
        (["train", "digits", "--augment", "heavy"], "heavy"),
        (["train", "digits", "--recipe", "none.toml"], "none.toml"),
        (["train", "--resume", "nowhere"], "nowhere"),
        (["train", "digits", "--epochs", "3", "--resume", "run"], "SOURCE, --epochs would change"),
        (["train", "--resume", "run", "--set", "seed=1", "--model", "vgg11"], "--model, --set"),
        (["evaluate", "nowhere"], "nowhere does not exist"),
        (["predict", "nowhere", "x.png"], "nowhere does not exist"),
        (["predict"], "predict --help"),
        (["trian"], "trian"),
    ],
)
def test_requests_that_cannot_be_carried_out(
    tmp_path: Path,
    convlens: Convlens,
    monkeypatch: pytest.MonkeyPatch,
    words: list[str],
    told: str,
) -> None:
    monkeypatch.chdir(tmp_path)
    refused(convlens(*words), told)
    assert list(tmp_path.iterdir()) in ([], [tmp_path / "cache"]), "nothing half-done is left"


def test_a_bundle_that_was_tampered_with(tmp_path: Path, convlens: Convlens) -> None:
    photos = fill(tmp_path / "photos", each=12)
    convlens("train", photos, "--epochs", "1", "--out", tmp_path / "run")
    image = photos / "red" / "bild 0.png"
    weights = tmp_path / "run" / "bundle" / "model.safetensors"
    whole = weights.read_bytes()
    weights.write_bytes(whole[:-1] + bytes([whole[-1] ^ 1]))
    refused(convlens("predict", tmp_path / "run", image), "not those that were saved")
    manifest = tmp_path / "run" / "bundle" / "bundle.json"
    manifest.write_text(manifest.read_text().replace('"format_version": 2', '"format_version": 9'))
    refused(convlens("predict", tmp_path / "run", image), "format 9", "update convlens")
    manifest.write_text("{}")
    refused(convlens("predict", tmp_path / "run", image), "bundle")
    (tmp_path / "run" / "bundle" / "bundle.json").unlink()
    refused(convlens("predict", tmp_path / "run", image), "holds no bundle")
    refused(convlens("predict", image, image), "is not a folder")


def test_evaluating_without_images_to_evaluate_on(tmp_path: Path, convlens: Convlens) -> None:
    photos = fill(tmp_path / "photos", each=12)
    convlens("train", photos, "--epochs", "1", "--out", tmp_path / "run")
    refused(convlens("evaluate", tmp_path / "run" / "bundle"), "SOURCE")
    other = fill(tmp_path / "other", classes=3, each=2)
    refused(convlens("evaluate", tmp_path / "run", other), "blue")


def test_a_network_named_as_a_text_in_a_recipe_is_not_dropped(
    tmp_path: Path, convlens: Convlens
) -> None:
    (tmp_path / "recipe.toml").write_text('model = "resnet50"\n')
    refused(
        convlens("train", "digits", "--recipe", tmp_path / "recipe.toml"), "model is 'resnet50'"
    )


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("train", "x", "--epochs", "many"), "as an integer. Try 'convlens train --help'."),
        (("train", "x", "--seeed", "1"), "Try 'convlens train --help'."),
        (("predict", "x"), "'IMAGE...'. Try 'convlens predict --help'."),
    ],
)
def test_a_usage_error_is_two_sentences(
    words: tuple[str, ...], said: str, convlens: Convlens
) -> None:
    told = convlens(*words)
    assert told.status == 2
    assert said in " ".join(told.err.split())
