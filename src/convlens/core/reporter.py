"""How long work tells what it is doing, without knowing who listens."""

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Protocol


class Task(Protocol):
    """A piece of work whose size is known."""

    def update(self, done: int, detail: str = "") -> None:
        """``done`` of the total are done; ``detail`` is a few words beside the bar."""


class Reporter(Protocol):
    """Someone to tell. `convlens.core.terminal.Terminal` draws it; `Quiet` keeps silent."""

    def say(self, text: str) -> None:
        """Something the user should know."""

    def warn(self, text: str) -> None:
        """Something the user should look at."""

    def task(self, name: str, total: int) -> AbstractContextManager[Task]:
        """Show a piece of work while the context is open."""


class Quiet:
    """A reporter that says nothing."""

    def say(self, text: str) -> None:
        """Nothing."""

    def warn(self, text: str) -> None:
        """Nothing."""

    @contextmanager
    def task(self, name: str, total: int) -> Iterator[Task]:
        """Nothing."""
        yield _QuietTask()


class _QuietTask:
    def update(self, done: int, detail: str = "") -> None:
        """Nothing."""
