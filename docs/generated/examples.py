"""Docstrings here head an example with ``Example:``; griffe knows ``Examples:``."""

from typing import Any

import griffe


class Examples(griffe.Extension):
    """Examples are shown as code."""

    def on_object(self, *, obj: griffe.Object, **_: Any) -> None:
        """Called for each object that has been read."""
        if obj.docstring:
            obj.docstring.value = obj.docstring.value.replace("\nExample:\n", "\nExamples:\n")
