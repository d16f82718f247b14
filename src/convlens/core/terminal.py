"""Telling a person at a terminal, with rich, on stderr: stdout is for results."""

from collections.abc import Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskID, TextColumn, TimeRemainingColumn

from convlens.core.console import PlainConsole, styled
from convlens.core.printable import printable
from convlens.core.reporter import Task

_REDRAWN = 4
"""Times a second that a bar is drawn: each takes milliseconds of a core that works."""


class Terminal:
    """A reporter that draws progress bars where there is a terminal, and plain lines elsewhere.

    A message is one line, which the terminal itself wraps: a path or a command in it can be copied
    whole.
    """

    def __init__(self, console: Console | None = None) -> None:
        self.console = console or PlainConsole(stderr=True)

    def say(self, text: str) -> None:
        """Print a line."""
        self.console.print(styled(text), soft_wrap=True)

    def warn(self, text: str) -> None:
        """Print a line that stands out."""
        self.console.print(styled(("warning", "yellow"), " ", text), soft_wrap=True)

    @contextmanager
    def task(self, name: str, total: int) -> Iterator[Task]:
        """A bar that vanishes when the work is done; nothing where there is no terminal."""
        columns = (
            TextColumn("{task.description}", markup=False),
            BarColumn(bar_width=None),
            TextColumn("{task.percentage:>3.0f} %"),
            TextColumn("{task.fields[detail]}", markup=False),
            TimeRemainingColumn(compact=True),
        )
        with Progress(
            *columns,
            console=self.console,
            transient=True,
            refresh_per_second=_REDRAWN,
            disable=not self.console.is_terminal,
        ) as progress:
            yield _Bar(progress, progress.add_task(printable(name), total=total, detail=""))


class _Bar:
    def __init__(self, progress: Progress, task: TaskID) -> None:
        self._progress = progress
        self._task = task

    def update(self, done: int, detail: str = "") -> None:
        self._progress.update(self._task, completed=done, detail=printable(detail))
