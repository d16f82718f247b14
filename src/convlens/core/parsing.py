"""JSON and TOML that may come from anyone: nesting has a limit, whatever their parsers bear."""

import json
import re
import tomllib
from collections.abc import Callable
from functools import partial
from typing import Any

DEEPEST = 64
"""Levels of nesting; files of ours have fewer than ten."""
MOST_TOML_BYTES = 1 << 20
_MOST_VALUES = 4_000_000
"""In a JSON text: an empty list takes two bytes there, and fifty in memory."""
_KEY = r"""(?:[\w-]+|"(?:[^"\\\n]|\\.)*"|'[^'\n]*')[ \t]*\.[ \t]*"""
_LONG_KEY = re.compile(rf"(?<![\w-])(?:{_KEY}){{{DEEPEST}}}")


def parse_json(text: str | bytes) -> Any:
    """Parse JSON.

    Raises:
        ValueError: it is not JSON, is nested too deeply, has millions of values, a number of
            thousands of digits or one that is not finite, or half of a character, which cannot be
            written anywhere.

    Example:
        >>> parse_json('{"epoch": 3}')
        {'epoch': 3}
        >>> parse_json("[" * 10_000)
        Traceback (most recent call last):
        ValueError: it is nested too deeply
    """
    plain = text if isinstance(text, str) else text.decode()
    if len(plain) > _MOST_VALUES and sum(map(plain.count, ",[{")) > _MOST_VALUES:
        raise ValueError(f"it holds more than {_MOST_VALUES:,} values")
    value = _parsed(partial(json.loads, parse_constant=_refuse_constant), text)
    if "\\ud" in plain.lower():
        json.dumps(value, ensure_ascii=False).encode()
    return value


def parse_toml(text: str) -> dict[str, Any]:
    """Parse TOML.

    Raises:
        ValueError: it is not TOML, is nested too deeply, or has more than a million characters.

    Example:
        >>> parse_toml("training.epochs = 5")
        {'training': {'epochs': 5}}
    """
    if len(text) > MOST_TOML_BYTES:
        raise ValueError(f"it has more than {MOST_TOML_BYTES:,} characters")
    if _LONG_KEY.search(text):  # whose parts take time and memory by their square
        raise ValueError("it is nested too deeply")
    values: dict[str, Any] = _parsed(tomllib.loads, text)
    return values


def _refuse_constant(name: str) -> float:
    raise ValueError(f"{name} is not a number that JSON has")


def _parsed(parse: Callable[[Any], Any], text: str | bytes) -> Any:
    try:
        values = parse(text)
    except RecursionError:
        values = None
    else:
        if not _is_deep(values):
            return values
    raise ValueError("it is nested too deeply")


def _is_deep(values: Any) -> bool:
    """Whether values are nested beyond the limit; dotted keys nest without a parser's recursion."""
    level: list[Any] = [values]
    for _ in range(DEEPEST):
        inner: list[Any] = []
        for value in level:
            if isinstance(value, dict):
                inner += value.values()
            elif isinstance(value, list):
                inner += value
        if not inner:
            return False
        level = inner
    return True
