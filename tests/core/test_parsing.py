from pathlib import Path

import pytest

from convlens.core.errors import ConvlensError
from convlens.core.files import read_json
from convlens.core.parsing import DEEPEST, MOST_TOML_BYTES, parse_json, parse_toml
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


@pytest.mark.parametrize(
    "key",
    [
        ".".join("a" * 100_000),
        " . ".join(['"a b"'] * 10_000),
        ".".join([r'"\""'] * 10_000),
        ".".join(["'\"'"] * 10_000),
    ],
)
def test_a_long_key_is_refused_before_it_is_parsed(
    key: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tomllib.loads", lambda _: pytest.fail("parsed"))
    with pytest.raises(ValueError, match="nested too deeply"):
        parse_toml(f"{key} = 1")


def test_points_in_a_text_are_no_key() -> None:
    text = 'a = "' + "x" * 100_000 + ". . ." * 100 + '"\nb.c = 1.5'
    assert parse_toml(text)["b"] == {"c": 1.5}


def test_toml_has_a_limit() -> None:
    with pytest.raises(ValueError, match="more than 1,048,576 characters"):
        parse_toml("#" * (MOST_TOML_BYTES + 1))


def test_millions_of_values_are_refused_before_they_are_parsed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("json.loads", lambda *_, **__: pytest.fail("parsed"))
    with pytest.raises(ValueError, match="more than 4,000,000 values"):
        parse_json("[" + "{}," * 2_500_000 + "1]")
