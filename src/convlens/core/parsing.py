"""JSON and TOML that may come from anyone: nesting has a limit, whatever their parsers bear."""

import json
import tomllib
from collections.abc import Callable
from typing import Any

DEEPEST = 64
"""Levels of nesting; files of ours have fewer than ten."""


def parse_json(text: str | bytes) -> Any:
    """Parse JSON.

    Raises:
        ValueError: it is not JSON, is nested too deeply, or has a number of thousands of digits.

    Example:
        >>> parse_json('{"epoch": 3}')
        {'epoch': 3}
        >>> parse_json("[" * 10_000)
        Traceback (most recent call last):
        ValueError: it is nested too deeply
    """
    return _parsed(json.loads, text)


def parse_toml(text: str) -> dict[str, Any]:
    """Parse TOML.

    Raises:
        ValueError: it is not TOML, or is nested too deeply.

    Example:
        >>> parse_toml("training.epochs = 5")
        {'training': {'epochs': 5}}
    """
    values: dict[str, Any] = _parsed(tomllib.loads, text)
    return values


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
