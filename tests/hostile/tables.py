"""Tables of images, CSV and Parquet: damaged by chance, and crafted ones."""

import csv
import io
import os
import random
import socket
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from tests.hostile.case import Case, Check, Ground, Kind, Outcome, accepted, refused
from tests.hostile.fixture import CLASSES
from tests.hostile.mutations import mutate

_FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r")
_FORMULAS = ("=1+1", "+1", "-1", "@SUM(1)", "\t=1", "\r=1")


def _rows(ground: Ground) -> list[tuple[str, str]]:
    photos = ground.fixture / "photos"
    return [(str(path), name) for name in CLASSES for path in sorted((photos / name).iterdir())]


def _csv(
    rows: Sequence[Sequence[str]], heading: str = "image,label", encoding: str = "utf-8"
) -> bytes:
    lines = [heading, *(",".join(row) for row in rows)]
    return "\n".join(lines).encode(encoding, "surrogateescape")


def _with(*more: Sequence[str]) -> Callable[[Ground], bytes]:
    return lambda ground: _csv([*_rows(ground), *more])


def _labeled(label: str) -> Callable[[Ground], bytes]:
    """Every image of the first class has this label."""

    def craft(ground: Ground) -> bytes:
        first = next(iter(CLASSES))
        return _csv([(path, label if name == first else name) for path, name in _rows(ground)])

    return craft


def _pipe(ground: Ground) -> bytes:
    os.mkfifo(ground.folder / "pipe.png")
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(os.path.relpath(ground.folder / "socket.png"))
    return _csv([*_rows(ground), ("pipe.png", "ant"), ("socket.png", "bee"), ("/dev/zero", "ant")])


def _parquet_of_one_text(rows: int, size: int) -> bytes:
    """A column whose every cell is one long text, which is stored once."""
    arrow = pytest.importorskip("pyarrow")
    parquet = pytest.importorskip("pyarrow.parquet")
    numbers = arrow.array(range(2), arrow.int32()).take(arrow.array([0] * rows, arrow.int32()))
    column = arrow.DictionaryArray.from_arrays(numbers, arrow.array(["x" * size, "y"]))
    file = io.BytesIO()
    parquet.write_table(arrow.table({"image": column, "label": column}), file)
    return file.getvalue()


def _parquet(ground: Ground) -> bytes:
    arrow = pytest.importorskip("pyarrow")
    parquet = pytest.importorskip("pyarrow.parquet")
    images, labels = zip(*_rows(ground), strict=True)
    file = io.BytesIO()
    parquet.write_table(arrow.table({"image": images, "label": labels}), file)
    return file.getvalue()


_Craft = Callable[[Ground], bytes]

_REFUSED: dict[str, _Craft] = {
    "csv-nulls": lambda ground: _csv(_rows(ground)).replace(b",ant", b",ant\0"),
    "csv-all-nulls": lambda _: bytes(1 << 20),
    "csv-latin-1": lambda ground: _csv([*_rows(ground), ("é.png", "ant")], encoding="latin-1"),
    "csv-huge-cell": _with(("x" * 50_000_000, "ant")),
    "csv-open-quote": lambda ground: _csv(_rows(ground)) + b'\n"' + b"x,\n" * 3_000_000,
    "csv-a-million-columns": lambda _: (
        b"image,label" + b",x" * 1_000_000 + b"\n" + b"," * 1_000_001
    ),
    "csv-empty": lambda _: b"",
    "csv-an-image": lambda ground: (ground.fixture / "sound.png").read_bytes(),
    "parquet-text": lambda ground: b"PAR1" + _csv(_rows(ground)) + b"PAR1",
    "parquet-long-footer": lambda _: b"PAR1" + bytes(100) + b"\xff\xff\xff\x7fPAR1",
}
_ACCEPTED: dict[str, _Craft] = {
    "csv-utf-16": lambda ground: _csv(_rows(ground), encoding="utf-16"),
    "csv-missing-files": _with(*[(f"{number}.png", "ant") for number in range(50_000)]),
    "csv-empty-lines": lambda ground: _csv(_rows(ground)) + b"\n" * 5_000_000,
    "csv-pipe": _pipe,
    "csv-odd-paths": _with(
        ("../../../../../etc/passwd", "ant"),
        ("/proc/self/mem", "ant"),
        ("a" * 100_000, "ant"),
        ("file:///etc/passwd", "ant"),
        ("\x1b[31m.png", "ant"),
        ("\u202egnp.exe", "ant"),
    ),
    "csv-escape-in-label": _labeled("\x1b]0;owned\x07\x1b[2J"),
    "csv-direction-in-label": _labeled("\u202eabc\u2066"),
    "csv-html-in-label": _labeled("<script>alert(1)</script>"),
    "csv-emoji-in-label": _labeled("a:cat:b [red]x[/red] [/]"),
    **{f"csv-formula-{number}": _labeled(f'"{text}"') for number, text in enumerate(_FORMULAS)},
}
_ANY: dict[str, _Craft] = {
    "csv-a-million-rows": lambda ground: _csv(_rows(ground) * 40_000),
    "csv-long-label": _labeled("x" * 100_000),
    "csv-many-classes": lambda ground: _csv(
        [(path, str(number)) for number, (path, _) in enumerate(_rows(ground))]
    ),
    "parquet-one-long-text": lambda _: _parquet_of_one_text(400_000, 10_000),
    "parquet-many-rows": lambda _: _parquet_of_one_text(30_000_000, 1),
}


def case(ground: Ground, suffix: str, data: bytes, check: Check) -> Case:
    """A table that is looked into, checked, and written again with its findings mended."""
    path = ground.folder / f"hostile.{suffix}"
    path.write_bytes(data)
    cleaned = ground.folder / "cleaned.csv"

    def judge(outcomes: Sequence[Outcome]) -> list[str]:
        return [*check(outcomes[:1]), *_formulas(cleaned)]

    words = ["check", path, "--no-estimate", "--json", "--fix", cleaned]
    return Case([["data", "info", path, "--json"], words], judge)


def _formulas(path: Path) -> list[str]:
    """Cells of a table of ours that a spreadsheet would carry out."""
    if not path.is_file():
        return []
    with path.open(newline="", encoding="utf-8") as file:
        cells = [cell for row in csv.reader(file) for cell in row]
    return [
        f"a cell of {path.name} is a formula: {cell!r}"
        for cell in cells
        if cell[:1] in "=+-@\t\r" and cell
    ]


def _anything(_: Sequence[Outcome]) -> tuple[str, ...]:
    return ()


def _crafted(name: str, make: _Craft, check: Check) -> Callable[[Ground], Case]:
    return lambda ground: case(ground, name.partition("-")[0], make(ground), check)


def _mutated(ground: Ground, dice: random.Random) -> Case:
    suffix = dice.choice(("csv", "parquet"))
    data = _csv(_rows(ground)) if suffix == "csv" else _parquet(ground)
    return case(ground, suffix, mutate(data, dice), _anything)


KIND = Kind(
    {
        name: _crafted(name, make, check)
        for crafts, check in ((_REFUSED, refused), (_ACCEPTED, accepted), (_ANY, _anything))
        for name, make in crafts.items()
    },
    _mutated,
)
