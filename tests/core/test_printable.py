"""What is shown cannot control a terminal, and any encoding can hold it."""

import io
import json
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.table import Table

from convlens.core.console import PlainConsole, styled
from convlens.core.printable import encodable, printable, printable_json
from convlens.core.terminal import Terminal

HOSTILE = [
    "\x1b[2J", "\x1b]0;title\x07", "\x9b31m", "\r", "\n", "\t", "\b", "\x00", "\x7f", "\x85",
    "\u202e", "\u2066", "\u2028", "\u2029", "\u200b", "\u200f", "\u061c", "\ufeff", "\u00ad",
    "\U000e0041", "\udcff",
]  # fmt: skip


def console(encoding: str = "utf-8", **options) -> tuple[PlainConsole, io.BytesIO]:
    kept = io.BytesIO()
    stream = io.TextIOWrapper(kept, encoding=encoding, newline="", write_through=True)
    return PlainConsole(file=stream, **options), kept


@pytest.mark.parametrize("hostile", HOSTILE)
def test_every_way_of_printing_escapes(hostile: str) -> None:
    for width in (None, 30):
        shown, kept = console(width=width)
        table = Table("name", box=None)
        table.add_row(f"a{hostile}b")
        table.add_row(styled((f"a{hostile}b", "bold")))
        for what in (f"a{hostile}b", styled(f"a{hostile}b"), table):
            shown.print(what)
        Terminal(shown).say(f"a{hostile}b")
        Terminal(shown).warn(f"a{hostile}b")
        out = kept.getvalue().decode()
        assert not {c for c in out.replace("\n", "") if printable(c) != c}
        assert len(out.splitlines()) == 7
        assert out.count(printable(f"a{hostile}b")) == 6


def test_only_the_joiners_of_scripts_are_kept_of_invisible_characters() -> None:
    kept = {
        chr(code)
        for code in range(0x110000)
        if unicodedata.category(chr(code)) in {"Cc", "Cf", "Cs", "Zl", "Zp"}
        and printable(chr(code)) == chr(code)
    }
    assert {"\u200c", "\u200d"} <= kept
    visible = {"\u06dd", "\u070f", "\u08e2", "\U000110bd", "\U000110cd"}  # signs around numbers
    rest = kept - {"\u200c", "\u200d"} - visible - set(map(chr, range(0x600, 0x606)))
    assert all(unicodedata.name(c).startswith(("ARABIC", "EGYPTIAN", "SHORTHAND", "MUSICAL"))
               for c in rest)  # fmt: skip


def test_names_in_any_script_stay_as_they_are() -> None:
    for name in ("grün", "葉", "می‌خواهم", "👩‍🌾", "a\u00a0b", r"C:\new\test", "क्‍ष"):
        assert printable(name) == name


def test_neither_markup_nor_emoji_codes_are_read() -> None:
    shown, kept = console()
    Terminal(shown).say("frame:100:a.png [bold]x[/bold] animal:cat:black \\[a]")
    shown.print(":cat:", styled(":dog:"), "[red]")
    assert kept.getvalue().decode() == (
        "frame:100:a.png [bold]x[/bold] animal:cat:black \\[a]\n:cat: :dog: [red]\n"
    )


@given(st.text(st.characters(codec="utf-8"), max_size=30))
def test_any_text_can_be_written_in_any_encoding(text: str) -> None:
    for encoding in ("ascii", "cp1252", "latin-1", "utf-8", "shift_jis"):
        encodable(text, encoding).encode(encoding)
        shown, kept = console(encoding)
        shown.print(text, soft_wrap=True)
        assert kept.getvalue().count(b"\n") == 1


def test_what_an_encoding_lacks_has_an_equivalent() -> None:
    assert encodable("3×3 → 5…", "ascii") == "3x3 -> 5..."
    assert encodable("⌊(28 − 3)/2⌋ ≈ 12", "cp1252") == "floor((28 - 3)/2) ~ 12"
    assert encodable("3×3 – grün", "cp1252") == "3×3 – grün"
    assert encodable("葉.png", "ascii") == "\\u8449.png"


@given(st.dictionaries(st.text(max_size=9), st.text(max_size=9)))
def test_json_reads_back_and_has_nothing_to_escape(value: dict[str, str]) -> None:
    text = printable_json(json.dumps(value, ensure_ascii=False, indent=2))
    assert json.loads(text) == value
    assert printable(text, lines=True) == text


def test_lines_are_broken_at_a_terminal_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    words = "word " * 60
    monkeypatch.delenv("COLUMNS", raising=False)
    shown, kept = console()
    shown.print(words)
    table = Table("a", "b", box=None)
    table.add_row(words, words)
    shown.print(table)
    assert len(kept.getvalue().splitlines()) == 3
    monkeypatch.setenv("COLUMNS", "40")
    shown, kept = console()
    shown.print(words)
    assert max(map(len, kept.getvalue().splitlines())) <= 40
    Terminal(shown).say(words)
    assert max(map(len, kept.getvalue().decode().splitlines())) >= 299


@pytest.mark.parametrize("columns", ["0", "", "wide", "-3"])
def test_a_width_that_is_none_is_passed_over(columns: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", columns)
    shown, kept = console()
    shown.print("word " * 60)
    assert kept.getvalue().count(b"\n") == 1
