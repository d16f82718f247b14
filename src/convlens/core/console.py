"""The console that every line goes through: text is text, and nothing in it controls a terminal."""

import os
from collections.abc import Iterable
from typing import IO, Any

from rich.console import Console, ConsoleOptions, RenderableType
from rich.segment import Segment
from rich.text import Text

from convlens.core.printable import encodable, printable

UNBROKEN = 1_000_000
"""The width where there is no terminal: a line of a file or a pipe is never broken."""
_NARROWEST = 20


class PlainConsole(Console):
    """A console of rich without markup, emoji codes and highlighting.

    Whatever is printed is escaped (`printable`), and written in ASCII as far as the stream's
    encoding lacks its characters. Lines are broken at a terminal's width, or at ``COLUMNS`` where
    that is set, and nowhere else.

    Args:
        stderr: write to stderr, not to stdout.
        file: write there instead.
        width: columns, in place of the terminal's.
        force_terminal: write as to a terminal.
    """

    def __init__(
        self,
        *,
        stderr: bool = False,
        file: IO[str] | None = None,
        width: int | None = None,
        force_terminal: bool | None = None,
    ) -> None:
        super().__init__(
            stderr=stderr,
            file=file,
            width=width or _columns(),
            force_terminal=force_terminal,
            emoji=False,
            markup=False,
            highlight=False,
        )
        if width is None and _columns() is None and not self.is_terminal:
            self._width = UNBROKEN

    def render_str(self, text: str, **options: Any) -> Text:
        """Make text of a string, escaped."""
        return super().render_str(self._shown(text), **options)

    def render(
        self, renderable: RenderableType, options: ConsoleOptions | None = None
    ) -> Iterable[Segment]:
        """Render, with styled text escaped too."""
        if isinstance(renderable, Text):
            renderable = self._shown_text(renderable)
        return super().render(renderable, options)

    def _shown(self, text: str) -> str:
        return encodable(printable(text), getattr(self.file, "encoding", None))

    def _shown_text(self, text: Text) -> Text:
        if self._shown(text.plain) == text.plain:
            return text
        shown = text.blank_copy()
        for at, character in enumerate(text.plain):
            shown.append(self._shown(character), text.get_style_at_offset(self, at))
        return shown


def styled(*parts: str | tuple[str, str]) -> Text:
    r"""Text of several styles, escaped; rich's own drops some control characters in silence.

    Args:
        parts: text, or text and its style.

    Example:
        >>> styled("a\rb: ", ("not sure", "bold")).plain
        'a\\rb: not sure'
    """
    return Text.assemble(
        *(
            printable(part) if isinstance(part, str) else (printable(part[0]), part[1])
            for part in parts
        )
    )


def _columns() -> int | None:
    """The width that the environment asks for; None where it asks for none."""
    asked = os.environ.get("COLUMNS", "")
    return max(int(asked), _NARROWEST) if asked.isdecimal() and int(asked) else None
