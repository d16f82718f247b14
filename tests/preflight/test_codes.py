"""The guide's tables are those of the code, and every code is one that something finds."""

import re
from pathlib import Path

import pytest

from convlens.core.errors import ConvlensError
from convlens.preflight import CODES, Finding, blocking, table_of_codes, validate_codes

ROOT = Path(__file__).parents[2]


def test_the_guide_has_every_code_as_the_code_has_it() -> None:
    guide = (ROOT / "docs" / "guide" / "checks.md").read_text("utf-8")
    assert table_of_codes("data") in guide
    assert table_of_codes("recipe") in guide


def test_every_code_is_found_by_something() -> None:
    package = ROOT / "src" / "convlens" / "preflight"
    text = "".join(f.read_text("utf-8") for f in package.glob("*.py") if f.name != "codes.py")
    used = set(re.findall(r'(?:found|_across|_looked)\(\s*"([a-z-]+)"', text))
    assert used == set(CODES)


def test_a_code_that_is_none_names_the_nearest() -> None:
    validate_codes(["near-duplicates"])
    with pytest.raises(ConvlensError, match="did you mean 'two-labels'"):
        validate_codes(["two-label"])


def test_errors_alone_stop_a_run_and_only_those_not_allowed() -> None:
    found = [
        Finding(code=code, severity=severity, message="", remedy="")  # type: ignore[arg-type]
        for code, severity in (("a", "error"), ("b", "error"), ("c", "warning"), ("d", "note"))
    ]
    assert [f.code for f in blocking(found)] == ["a", "b"]
    assert [f.code for f in blocking(found, ["b", "c"])] == ["a"]
