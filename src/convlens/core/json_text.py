"""JSON text: indented, yet with a list of plain values on one line, and never a NaN."""

import json
import math
from collections.abc import Mapping
from typing import Any

from convlens.core.errors import ConvlensError
from convlens.core.parsing import parse_json

MOST_JSON_BYTES = 64 << 20
"""Of a JSON file of ours; the figures of a thousand classes take a few million."""


def json_text(value: Any) -> str:
    """Indented JSON in which a list of plain values takes one line.

    A matrix of 200 × 200 counts so fills 200 lines, not 40,000.

    Raises:
        ValueError: a number is not finite; see `finite`.

    Example:
        >>> print(json_text({"interval": [0.9, 1.0], "matrix": [[1, 2], [3, 4]], "none": {}}))
        {
          "interval": [0.9, 1.0],
          "matrix": [
            [1, 2],
            [3, 4]
          ],
          "none": {}
        }
    """
    return _text(value, "\n")


def finite(value: Any) -> Any:
    """The same plain JSON values with null for every number that is not finite.

    Example:
        >>> finite({"loss": float("nan"), "ends": (0.5, float("inf"))})
        {'loss': None, 'ends': [0.5, None]}
    """
    if isinstance(value, Mapping):
        return {key: finite(own) for key, own in value.items()}
    if isinstance(value, list | tuple):
        return [finite(own) for own in value]
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value


def parse_json_file(content: bytes, *, name: str) -> Any:
    """The value of a JSON file in UTF-8.

    Args:
        content: what the file holds.
        name: what to call it in an error.

    Raises:
        ConvlensError: it is not JSON, is nested too deeply, or has text that is not Unicode.
    """
    try:
        return parse_json(content.decode("utf-8"))
    except ValueError as error:
        raise ConvlensError(
            f"{name} is damaged: it is not valid JSON ({error})",
            remedy="restore it or run again",
            code="damaged-file",
        ) from error


def _text(value: Any, line: str) -> str:
    inner = line + "  "
    if isinstance(value, Mapping) and value:
        # json writes a key that is a number as text.
        rows = [f"{_plain({key: 0})[1:-2]}{_text(own, inner)}" for key, own in value.items()]
        return "{" + inner + f",{inner}".join(rows) + line + "}"
    nested = isinstance(value, list | tuple) and any(
        isinstance(own, Mapping | list | tuple) for own in value
    )
    if nested:
        return "[" + inner + f",{inner}".join(_text(own, inner) for own in value) + line + "]"
    return _plain(value)


def _plain(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, allow_nan=False)
