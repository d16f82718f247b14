"""Runs and bundles of somebody else's: damaged by chance, with values and code by design."""

import functools
import hashlib
import json
import os
import random
import shutil
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file, save_file

from tests.hostile.case import Case, Ground, Kind, Outcome, Words, refused
from tests.hostile.fixture import CLASSES
from tests.hostile.mutations import mutate

HTML = "<img src=x onerror=alert(1)>"
_ESCAPE = "\x1b]0;owned\x07\x1b[2J"
_FILES = (
    "bundle/bundle.json",
    "bundle/model.safetensors",
    "checkpoint/state.json",
    "checkpoint/state.safetensors",
    "environment.json",
    "history.jsonl",
    "metrics.json",
    "preflight.json",
    "recipe.toml",
    "splits.csv",
)
_RECORDS = ("environment.json", "metrics.json", "preflight.json", "history.jsonl", "splits.csv")
_ODD_TEXTS: dict[str, bytes] = {
    "empty": b"",
    "list": b"[]",
    "object": b"{}",
    "number": b"1",
    "text": b'"text"',
    "null": b"null",
    "deep": b"[" * 200_000 + b"]" * 200_000,
    "deep-object": b'{"a":' * 200_000 + b"1" + b"}" * 200_000,
    "binary": bytes(range(256)) * 9,
    "long-number": b'{"test": ' + b"9" * 10_000 + b"}",
    "not-finite": b'{"test": NaN, "seconds": -Infinity}',
    "half": b'{"test": {"accuracy": 0.9, "cla',
}
_ODD_VALUES: tuple[Any, ...] = (
    None,
    True,
    -1,
    0,
    2**70,
    1e308,
    float("nan"),
    float("inf"),
    "",
    HTML,
    _ESCAPE,
    "\ud800",
    [],
    {},
    [[[]]],
    {"a": {"b": [1]}},
)


_Craft = Callable[[Ground], Case]


def _copied(ground: Ground, name: str = "run") -> Path:
    return Path(shutil.copytree(ground.fixture / name, ground.folder / "run"))


def _commands(ground: Ground, run: Path, *, resume: bool = True) -> list[Words]:
    """All that reads a run."""
    photos, page = ground.fixture / "photos", ground.folder / "page.html"
    found: list[Words] = [
        ["predict", run, ground.fixture / "sound.png", "--json"],
        ["predict", run, ground.fixture / "sound.png"],
        ["inspect", run, "--json"],
        ["evaluate", run, photos, "--json"],
        ["evaluate", run],
        ["report", run, "--out", page],
    ]
    return [*found, ["train", "--resume", run, "--json"]] if resume else found


def case(ground: Ground, run: Path, *, resume: bool = True) -> Case:
    """A hostile run, and every command that reads it.

    The network is as it was if its bundle is: then it must still answer.
    """
    whole = all(
        (run / "bundle" / name).is_file()
        and (run / "bundle" / name).read_bytes()
        == (ground.fixture / "run/bundle" / name).read_bytes()
        for name in ("bundle.json", "model.safetensors")
    )

    def check(outcomes: Sequence[Outcome]) -> Iterator[str]:
        if whole and outcomes[0].status != 0:
            yield f"the bundle is whole, but 'predict' refused: {outcomes[0].out[:200]!r}"
        yield from _page_problems(ground.folder / "page.html")

    return Case(_commands(ground, run, resume=resume), check)


def _page_problems(page: Path) -> Iterator[str]:
    text = page.read_text("utf-8", "replace") if page.is_file() else ""
    if "<img src=x" in text or "onerror=alert(1)>" in text:
        yield "the report holds what was given as a name as markup"
    if "\x1b" in text:
        yield "the report holds an escape character"
    if "http://" in text.replace("http://www.w3.org/", ""):
        yield "the report leads elsewhere"


def _with_file(name: str, content: bytes) -> _Craft:
    def craft(ground: Ground) -> Case:
        run = _copied(ground)
        (run / name).write_bytes(content)
        return case(ground, run)

    return craft


def _without_file(name: str) -> _Craft:
    def craft(ground: Ground) -> Case:
        run = _copied(ground)
        (run / name).unlink()
        return case(ground, run)

    return craft


def _at(values: Any, keys: str) -> tuple[Any, str | int]:
    """Where a dotted key leads: what holds it, and its last part."""
    *before, last = (int(key) if key.isdigit() else key for key in keys.split("."))
    return functools.reduce(lambda inner, key: inner[key], before, values), last


def _with_value(keys: str, value: Any, *, name: str = "bundle/bundle.json") -> _Craft:
    """A JSON file in which one value is another."""

    def craft(ground: Ground) -> Case:
        run = _copied(ground)
        values = json.loads((run / name).read_text("utf-8"))
        inner, last = _at(values, keys)
        inner[last] = value
        (run / name).write_text(json.dumps(values), "utf-8")
        return case(ground, run)

    return craft


def _with_weights(change: Callable[[torch.Tensor], torch.Tensor]) -> _Craft:
    """Other weights, which the manifest vouches for."""

    def craft(ground: Ground) -> Case:
        run = _copied(ground)
        weights, manifest = run / "bundle/model.safetensors", run / "bundle/bundle.json"
        save_file({key: change(value) for key, value in load_file(weights).items()}, weights)
        values = json.loads(manifest.read_text("utf-8"))
        values["weights"]["sha256"] = hashlib.sha256(weights.read_bytes()).hexdigest()
        manifest.write_text(json.dumps(values), "utf-8")
        return Case(_commands(ground, run, resume=False)[:2], refused)

    return craft


def _instead(name: str, put: Callable[[Path], None]) -> _Craft:
    """Something that is no file, where one is expected."""

    def craft(ground: Ground) -> Case:
        run = _copied(ground)
        (run / name).unlink()
        put(run / name)
        return case(ground, run)

    return craft


def _endless(path: Path) -> None:
    path.symlink_to("/dev/zero")


def _history(lines: int, **values: Any) -> _Craft:
    line = json.dumps({"phase": "all", "epoch": 1} | values) + "\n"
    return _with_file("history.jsonl", line.encode() * lines)


# Code of somebody else's


def _code(ground: Ground) -> str:
    return f"open({str(ground.marker)!r}, 'w').close()\n" + (
        ground.fixture / "network.py"
    ).read_text("utf-8")


def _naming_code(place: str, *, carried: bool = False, hashed: bool = False) -> _Craft:
    """A bundle that names a file of code, there or not, or carries it: nothing of it may run."""

    def craft(ground: Ground) -> Case:
        run = _copied(ground, "own")
        file = ground.folder / place
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(_code(ground), "utf-8")
        manifest = run / "bundle/bundle.json"
        values = json.loads(manifest.read_text("utf-8"))
        values["model"] = {"name": f"{file}:build"}
        if carried:
            values["model"] |= {"name": "network.py:build", "source": _code(ground)}
        if hashed:
            digest = hashlib.sha256(_code(ground).encode()).hexdigest()
            values["model"]["source_sha256"] = digest
        manifest.write_text(json.dumps(values), "utf-8")
        return Case(_commands(ground, run, resume=False), refused)

    return craft


def _recipe_with_code(ground: Ground) -> Case:
    """A run whose recipe names code that its user never saw."""
    run = _copied(ground, "own")
    file = ground.folder / "evil.py"
    file.write_text(_code(ground), "utf-8")
    recipe = run / "recipe.toml"
    text = recipe.read_text("utf-8")
    recipe.write_text(text.replace(str(ground.fixture / "network.py"), str(file)), "utf-8")
    words: list[Words] = [["train", "--resume", run, "--json"], ["report", run]]
    return Case(words, refused)


def _recipe(text: str) -> _Craft:
    def craft(ground: Ground) -> Case:
        path = ground.folder / "recipe.toml"
        path.write_text(f"source = '{ground.fixture / 'photos'}'\n{text}", "utf-8")
        return Case(
            [["check", path, "--no-estimate", "--json"], ["train", "--recipe", path]], refused
        )

    return craft


def _hostile_names(ground: Ground) -> Case:
    """A run of classes and files whose names are markup and escape sequences."""
    photos, names = ground.folder / "photos", (HTML, f"a{_ESCAPE}b\n\u202ec")
    for name, known in zip(names, CLASSES, strict=True):
        shutil.copytree(ground.fixture / "photos" / known, photos / name)
        (photos / name / "0.png").rename(photos / name / f"{_ESCAPE}\n{HTML}.png")
    run, page = ground.folder / f"run{_ESCAPE}", ground.folder / "page.html"
    layers = "conv 4 3 same relu, maxpool 2, flatten, dense"
    train = ["train", photos, "--layers", layers, "--size", "16", "--epochs", "1", "--out", run]
    words: list[Words] = [
        train,
        ["report", run, "--out", page],
        ["predict", run, photos],
        ["predict", run, photos, "--json"],
        ["evaluate", run],
        ["check", photos, "--no-estimate"],
        ["data", "info", photos],
        ["inspect", run],
    ]

    def check(outcomes: Sequence[Outcome]) -> Iterator[str]:
        yield from _page_problems(page)
        for outcome in outcomes:
            if outcome.status:
                yield f"'{outcome.words[0]}' refused odd names: {outcome.err[-200:]!r}"

    return Case(words, check)


_BUNDLE: dict[str, tuple[str, Any]] = {
    "version-huge": ("format_version", 10**400),
    "version-negative": ("format_version", -1),
    "version-text": ("format_version", "2"),
    "classes-none": ("classes", []),
    "classes-numbers": ("classes", [1, None]),
    "classes-text": ("classes", "ab"),
    "classes-alike": ("classes", ["ant", "ant"]),
    "classes-markup": ("classes", [HTML, _ESCAPE]),
    "classes-lines": ("classes", ["ant\n\nerror: all is lost", "\u202ebee"]),
    "classes-surrogate": ("classes", ["\ud800", "bee"]),
    "classes-many": ("classes", [str(n) for n in range(1_000_000)]),
    "input-huge": ("input.height", 2**31),
    "input-none": ("input.width", 0),
    "input-channels": ("input.channels", 2**40),
    "mean-not-finite": ("input.mean", [float("nan")] * 3),
    "std-zero": ("input.std", [0.0] * 3),
    "std-not-finite": ("input.std", [float("inf")] * 3),
    "temperature-not-finite": ("calibration.temperature", float("nan")),
    "temperature-zero": ("calibration.temperature", 0.0),
    "temperature-negative": ("calibration.temperature", -1e308),
    "layers-huge": ("model.layers", ["conv 400000000 3 same relu", "flatten", "dense"]),
    "layers-many": ("model.layers", ["conv 4 3 same relu"] * 100_000),
    "layers-odd": ("model.layers", ["conv 4 3 same relu", "__import__('os')", "dense"]),
    "layers-none": ("model.layers", []),
    "width-huge": ("model", {"name": "resnet18", "width": 1e9}),
    "name-path": ("model", {"name": "../../../etc/passwd"}),
    "name-markup": ("model", {"name": f"{HTML}{_ESCAPE}"}),
    "initial-weights": ("model.weights", "/etc/passwd"),
    "weights-elsewhere": ("weights.file", "../../../../../etc/passwd"),
    "weights-hash": ("weights.sha256", ["x"]),
    "metrics-markup": ("metrics", {"model": HTML, "test": {"accuracy": HTML}}),
    "metrics-list": ("metrics", [1, 2]),
    "provenance-markup": ("provenance", {"run": HTML, "source": _ESCAPE}),
    "provenance-number": ("provenance", 1),
}
_RUN: dict[str, tuple[str, str, Any]] = {
    "metrics-test-markup": ("metrics.json", "test.classes.0.name", HTML),
    "metrics-not-finite": ("metrics.json", "test.accuracy", float("nan")),
    "metrics-interval": ("metrics.json", "test.interval", [1]),
    "metrics-confusion": ("metrics.json", "test.confusion", [[2**70, -1], [0]]),
    "metrics-huge-confusion": ("metrics.json", "test.confusion", [[1] * 2000] * 2000),
    "metrics-seconds": ("metrics.json", "seconds", "soon"),
    "environment-versions": ("environment.json", "libraries", [HTML]),
    "environment-images": ("environment.json", "data.images", 3),
    "environment-name": ("environment.json", "data.name", HTML + _ESCAPE),
    "preflight-findings": ("preflight.json", "findings", {"a": 1}),
    "preflight-message": ("preflight.json", "findings.0.message", HTML + _ESCAPE),
    "preflight-severity": ("preflight.json", "findings.0.severity", HTML),
    "preflight-files": ("preflight.json", "findings.0.files", ["/etc/passwd", _ESCAPE, 3]),
}

_CRAFTED: dict[str, _Craft] = {
    **{
        f"{name}-{kind}": _with_file(name, text)
        for name in _RECORDS
        for kind, text in _ODD_TEXTS.items()
    },
    **{f"{name}-missing": _without_file(name) for name in _FILES},
    **{
        f"bundle-{name}": _with_file("bundle/bundle.json", text)
        for name, text in _ODD_TEXTS.items()
    },
    **{f"recipe-{name}": _with_file("recipe.toml", text) for name, text in _ODD_TEXTS.items()},
    **{f"bundle-{name}": _with_value(*change) for name, change in _BUNDLE.items()},
    **{name: _with_value(keys, value, name=file) for name, (file, keys, value) in _RUN.items()},
    "history-markup": _with_file(
        "history.jsonl", json.dumps({"phase": HTML, "epoch": 1}).encode() + b"\n"
    ),
    "history-not-finite": _with_file(
        "history.jsonl", b'{"phase": "all", "epoch": 1, "train_loss": NaN}\n'
    ),
    "history-long": _history(300_000),
    "weights-not-finite": _with_weights(lambda tensor: tensor * float("nan")),
    "weights-infinite": _with_weights(lambda tensor: tensor + float("inf")),
    "weights-other-shape": _with_weights(lambda tensor: tensor.flatten().repeat(2)),
    "weights-other-type": _with_weights(lambda tensor: tensor.to(torch.complex64)),
    "weights-endless": _instead("bundle/model.safetensors", _endless),
    "weights-pipe": _instead("bundle/model.safetensors", os.mkfifo),
    "manifest-endless": _instead("bundle/bundle.json", _endless),
    "manifest-pipe": _instead("bundle/bundle.json", os.mkfifo),
    "metrics-endless": _instead("metrics.json", _endless),
    "recipe-pipe": _instead("recipe.toml", os.mkfifo),
    "history-pipe": _instead("history.jsonl", os.mkfifo),
    "code-outside": _naming_code("evil.py"),
    "code-in-the-bundle": _naming_code("run/bundle/evil.py"),
    "code-in-a-folder": _naming_code("folder/evil.py"),
    "code-carried": _naming_code("evil.py", carried=True, hashed=True),
    "code-without-a-hash": _naming_code("evil.py", carried=True),
    "code-in-the-recipe": _recipe_with_code,
    "recipe-nested": _recipe("a = " + "[" * 100_000 + "]" * 100_000),
    "recipe-nested-tables": _recipe(
        "source = '{photos}'\na = " + "{a=" * 20_000 + "1" + "}" * 20_000
    ),
    "recipe-long-key": _recipe(".".join(["a"] * 100_000) + " = 1"),
    "recipe-code": _recipe("[model]\nlayers = ['__import__(1)']"),
    "recipe-huge-network": _recipe(
        "source = '{photos}'\n[model]\nlayers = ['conv 999999999 3', 'flatten', 'dense']"
    ),
    "recipe-huge-input": _recipe(
        "source = '{photos}'\n[input]\nheight = 99999999\nwidth = 99999999"
    ),
    "recipe-not-finite": _recipe("[training]\nlearning_rate = nan"),
    "hostile-names": _hostile_names,
}


def _mutated(ground: Ground, dice: random.Random) -> Case:
    run = _copied(ground)
    name = dice.choice(_FILES)
    path = run / name
    if path.suffix == ".json" and dice.random() < 0.7:
        values = json.loads(path.read_text("utf-8"))
        for _ in range(dice.randint(1, 3)):
            _replace_somewhere(values, dice)
        path.write_text(json.dumps(values), "utf-8")
    else:
        path.write_bytes(mutate(path.read_bytes(), dice))
    # A recipe may ask for a billion epochs, and would be given them.
    return case(ground, run, resume=name not in {"recipe.toml", "checkpoint/state.json"})


def _replace_somewhere(values: Any, dice: random.Random) -> None:
    """Put an odd value in the place of one, at any depth; or take one out."""
    while True:
        if not isinstance(values, dict | list) or not values:
            return
        keys = sorted(values) if isinstance(values, dict) else list(range(len(values)))
        key = dice.choice(keys)
        if isinstance(values[key], dict | list) and values[key] and dice.random() < 0.8:
            values = values[key]
            continue
        if dice.random() < 0.2:
            del values[key]
        else:
            values[key] = dice.choice(_ODD_VALUES)
        return


KIND = Kind(_CRAFTED, _mutated)
