"""Every file of a run, damaged in every way, under every verb that reads it: no traceback.

A damaged file either does not matter to a verb, which then works, or is refused by name.
"""

import json
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from safetensors.numpy import load_file, save_file

import convlens as package
from convlens.runs import Run
from tests.integration.conftest import Convlens, fill

JSON = ("environment.json", "metrics.json", "preflight.json", "checkpoint/state.json")
FILES = (*JSON, "bundle/bundle.json", "history.jsonl", "recipe.toml", "splits.csv")
TENSORS = ("checkpoint/state.safetensors", "bundle/model.safetensors")

Harm = Callable[[bytes], bytes]


def replaced(value: Any) -> Harm:
    """Every value that is no object or list becomes another."""

    def walk(old: Any) -> Any:
        if isinstance(old, dict):
            return {key: walk(own) for key, own in old.items()}
        return [walk(own) for own in old] if isinstance(old, list) else value

    return lambda content: b"\n".join(
        json.dumps(walk(json.loads(part))).encode() for part in _documents(content)
    )


def emptied(content: bytes) -> bytes:
    """Every list and object below the first is empty."""
    return b"\n".join(
        json.dumps(
            {
                key: type(own)() if isinstance(own, dict | list) else own
                for key, own in json.loads(part).items()
            }
        ).encode()
        for part in _documents(content)
    )


def _documents(content: bytes) -> list[bytes]:
    try:
        json.loads(content)
    except ValueError:
        return content.splitlines() or [b"{}"]
    return [content]


ANY: dict[str, Harm] = {
    "empty": lambda _: b"",
    "cut": lambda content: content[: len(content) // 2],
    "binary": lambda _: bytes(range(256)) * 20,
    "a list": lambda _: b"[]\n",
    "a number": lambda _: b"5\n",
    "null": lambda _: b"null\n",
    "nested deep": lambda _: b"[" * 100_000 + b"]" * 100_000 + b"\n",
    "nested objects": lambda _: b'{"a":' * 50_000 + b"1" + b"}" * 50_000 + b"\n",
    "no keys": lambda _: b"{}\n",
    "wide": lambda _: "{}\n".encode("utf-16"),
    "huge number": lambda _: b'{"format_version": 1, "data": ' + b"9" * 5000 + b"}\n",
    "half a character": lambda _: b'{"model": "\\ud800", "data": {"fingerprint": "\\udfff"}}\n',
}
OF_JSON: dict[str, Harm] = {
    "all text": replaced("x"),
    "all null": replaced(None),
    "all true": replaced(True),
    "all negative": replaced(-1),
    "all fractions": replaced(0.5),
    "all infinite": lambda c: replaced("INF")(c).replace(b'"INF"', b"1e999"),
    "all NaN": lambda c: replaced("INF")(c).replace(b'"INF"', b"NaN"),
    "all lists": replaced([]),
    "all objects": replaced({"a": 1}),
    "emptied": emptied,
}
DAMAGE = [
    pytest.param(file, harm, id=f"{file}: {name}")
    for file in FILES
    for name, harm in {**ANY, **(OF_JSON if file.endswith(("json", "jsonl")) else {})}.items()
]
VERBS = ("report", "evaluate", "recalibrate")
VERBS_OF_BUNDLE = (*VERBS, "predict", "inspect", "embed", "visualize")


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Run]:
    """A run of two epochs, whose cache is kept for all tests here."""
    folder = tmp_path_factory.mktemp("damaged")
    patch = pytest.MonkeyPatch()
    patch.setenv("CONVLENS_CACHE", str(folder / "cache"))
    run = package.train(
        fill(folder / "photos", each=20),
        layers="conv 4 3 same relu, globalavgpool, dense",
        epochs=2,
        out=folder / "run",
        quiet=True,
    )
    yield run
    patch.undo()


@pytest.fixture
def run(finished: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("CONVLENS_CACHE", str(finished.folder.parent / "cache"))
    return Path(shutil.copytree(finished.folder, tmp_path / "run"))


def commands(run: Path, verb: str) -> tuple[str | Path, ...]:
    image = next((Path(package.Run(run).recipe.source) / "red").iterdir()) if verb else run
    out = run.parent / "out"
    return {
        "resume": ("resume", run),
        "more epochs": ("resume", run, "--epochs", "3"),
        "report": ("report", run),
        "evaluate": ("evaluate", run, "--json"),
        "recalibrate": ("evaluate", run, "--set", "selective.coverage=0.5"),
        "predict": ("predict", run, image),
        "inspect": ("inspect", run),
        "embed": ("embed", run, image.parent.parent, "--out", out / "x.npz"),
        "visualize": ("visualize", "filters", run, "--out", out),
    }[verb]


def shown(convlens: Convlens, run: Path, file: str, words: tuple[str | Path, ...]) -> None:
    left = convlens(*words)
    assert left.status in {0, 2}, left.err
    told = left.err.replace("\n", "") + left.out
    if left.status == 2:
        assert any(part in told for part in (Path(file).name, "bundle", "calibrat")), told


@pytest.mark.parametrize(("file", "harm"), DAMAGE)
def test_damage_is_refused_by_name_or_does_not_matter(
    run: Path, file: str, harm: Harm, convlens: Convlens
) -> None:
    verbs = VERBS_OF_BUNDLE if file.startswith("bundle") else VERBS
    asked = [commands(run, verb) for verb in verbs]
    (run / file).write_bytes(harm((run / file).read_bytes()))
    for words in asked:
        shown(convlens, run, file, words)


@pytest.mark.slow
@pytest.mark.parametrize(("file", "harm"), DAMAGE)
@pytest.mark.parametrize("verb", ["resume", "more epochs"])
def test_a_damaged_run_is_resumed_or_refused(
    run: Path, file: str, harm: Harm, verb: str, convlens: Convlens
) -> None:
    words = commands(run, verb)
    (run / file).write_bytes(harm((run / file).read_bytes()))
    shown(convlens, run, file, words)


@pytest.mark.parametrize(
    ("file", "status"),
    [
        ("checkpoint/state.json", 2),
        ("environment.json", 2),
        ("recipe.toml", 2),
        ("splits.csv", 2),
        ("metrics.json", 0),
        ("history.jsonl", 0),
        ("bundle/bundle.json", 0),
    ],
)
def test_what_resuming_needs_is_refused_and_the_rest_is_written_again(
    run: Path, file: str, status: int, convlens: Convlens
) -> None:
    """As the messages promise of metrics, history and bundle."""
    before = (run / file).read_bytes()
    (run / file).write_bytes(b"\0[[")
    told = convlens("resume", run)
    assert told.status == status
    if status:
        assert Path(file).name in told.err.replace("\n", "")
    else:
        assert len((run / file).read_bytes()) == pytest.approx(len(before), rel=0.1)
        assert convlens("report", run).status == 0


@pytest.mark.parametrize("moved", [False, True])
def test_a_bundle_with_other_classes_is_written_again(
    run: Path, convlens: Convlens, *, moved: bool
) -> None:
    """As its message promises: `resume` takes the classes that the run began with."""
    manifest = run / "bundle" / "bundle.json"
    content = json.loads(manifest.read_text("utf-8"))
    whole, source = content["classes"], package.Run(run).recipe.source
    manifest.write_text(json.dumps(content | {"classes": whole[1:]}), "utf-8")
    assert "writes it again" in convlens("inspect", run).err
    again = convlens("resume", run, *(("--source", source) if moved else ()))
    assert again.status == 0, again.err
    assert json.loads(manifest.read_text("utf-8"))["classes"] == whole


def test_a_value_that_was_edited_in_a_checkpoint_is_noticed(run: Path, convlens: Convlens) -> None:
    path = run / "checkpoint" / "state.json"
    values = json.loads(path.read_text("utf-8"))
    values["callbacks"]["best"]["epoch"] = 1 + values["callbacks"]["best"]["epoch"]
    path.write_text(json.dumps(values), "utf-8")
    refused = convlens("resume", run)
    assert refused.status == 2
    assert "not as it was saved" in " ".join(refused.err.split())


@pytest.mark.parametrize("file", TENSORS)
def test_flipped_bits_in_weights_are_noticed(run: Path, file: str, convlens: Convlens) -> None:
    content = bytearray((run / file).read_bytes())
    content[-1] ^= 1
    (run / file).write_bytes(content)
    words = ("resume", run) if file.startswith("checkpoint") else ("predict", run, run)
    refused = convlens(*words)
    assert refused.status == 2
    assert Path(file).name in refused.err.replace("\n", "")


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_weights_that_are_not_finite_are_refused(
    run: Path, value: float, convlens: Convlens
) -> None:
    import hashlib

    path = run / "bundle" / "model.safetensors"
    tensors = load_file(path)
    next(iter(tensors.values())).flat[0] = value
    save_file(tensors, path)
    manifest = run / "bundle" / "bundle.json"
    written = json.loads(manifest.read_text("utf-8"))
    written["weights"]["sha256"] = hashlib.sha256(path.read_bytes()).hexdigest()
    manifest.write_text(json.dumps(written), "utf-8")
    for words in (("predict", run, run), ("evaluate", run), ("inspect", run)):
        refused = convlens(*words)
        assert refused.status == 2
        assert "not finite" in " ".join(refused.err.split())


@pytest.mark.parametrize(
    ("place", "number"),
    [
        (place, number)
        for place in ("input.mean", "input.std", "calibration.temperature")
        for number in ("1e999", "-1e999", "NaN")
    ]
    + [
        (place, number)
        for place in ("input.std", "calibration.temperature")
        for number in ("0", "1e-300", "-1")
    ],
)
def test_numbers_of_a_bundle_that_no_network_computes_with_are_refused(
    run: Path, place: str, number: str, convlens: Convlens
) -> None:
    part, key = place.split(".")
    path = run / "bundle" / "bundle.json"
    written = json.loads(path.read_text("utf-8"))
    written[part][key] = ["X"] * written["input"]["channels"] if part == "input" else "X"
    path.write_text(json.dumps(written).replace('"X"', number), "utf-8")
    refused = convlens("predict", run, run)
    assert refused.status == 2
    assert "bundle.json" in refused.err.replace("\n", "")
