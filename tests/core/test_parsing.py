from pathlib import Path

import pytest

from convlens.core.errors import ConvlensError
from convlens.core.files import read_json
from convlens.core.parsing import DEEPEST, parse_json, parse_toml
from convlens.core.settings import apply_setting, read_toml

DEEP_TOML = (
    "a = " + "[" * 100_000,
    "a = " + "[" * 500 + "]" * 500,
    ".".join("a" * 2_000) + " = 1",
    "[" + ".".join("a" * 500) + "]",
)


@pytest.mark.parametrize("text", ["[" * 100_000, '{"a":' * 100_000, "[" * 200 + "]" * 200])
def test_deep_json_is_damage(text: str, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="nested too deeply"):
        parse_json(text)
    file = tmp_path / "metrics.json"
    file.write_text(text)
    with pytest.raises(ConvlensError, match=r"metrics\.json is damaged: .*nested too deeply"):
        read_json(file)


@pytest.mark.parametrize("text", DEEP_TOML)
def test_deep_toml_is_refused(text: str, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="nested too deeply"):
        parse_toml(text)
    file = tmp_path / "recipe.toml"
    file.write_text(text)
    with pytest.raises(ConvlensError, match="nested too deeply"):
        read_toml(file)


def test_a_setting_that_is_nested_too_deeply_is_taken_as_text() -> None:
    text = "[" * 100_000
    assert apply_setting({}, f"a={text}") == {"a": text}


def test_values_nested_up_to_the_limit_are_read() -> None:
    levels = DEEPEST - 1
    assert parse_json("[" * levels + "]" * levels)


def test_a_number_of_thousands_of_digits_is_damage() -> None:
    with pytest.raises(ValueError, match="digits"):
        parse_json("1" * 5_000)
