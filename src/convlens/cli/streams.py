"""stdout and stderr while a verb runs: any encoding, a reader that left, a full disk, closed."""

import io
import logging
import os
import sys
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Any, TextIO, cast

from convlens.core.console import PlainConsole
from convlens.core.printable import ASCII_ERRORS, printable


class _ReaderLeftError(Exception):
    """Nobody reads stdout any more: head has its lines, less was closed."""


class _UnwritableError(Exception):
    """Stdout takes nothing any more: the disk is full."""


class _Results:
    """Stdout. What cannot be written ends the verb."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def __getattr__(self, name: str) -> Any:
        if name == "buffer":  # typer would write UTF-8 there where the encoding is ASCII
            raise AttributeError(name)
        return getattr(self._stream, name)

    def write(self, text: str) -> int:
        """Write, or raise one of this file's errors."""
        with _own_errors():
            return self._stream.write(text)

    def flush(self) -> None:
        """Write what waits, or raise one of this file's errors."""
        with _own_errors():
            self._stream.flush()


@contextmanager
def _own_errors() -> Iterator[None]:
    try:
        yield
    except BrokenPipeError as error:
        raise _ReaderLeftError from error
    except OSError as error:
        raise _UnwritableError(error.strerror or str(error)) from error


class _Messages:
    """Stderr. What cannot be written is lost, and the work goes on.

    Attributes:
        lost: whether a message was lost because there is no room for it.
    """

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self.lost = False

    def __getattr__(self, name: str) -> Any:
        if name == "buffer":  # typer would write UTF-8 there where the encoding is ASCII
            raise AttributeError(name)
        return getattr(self._stream, name)

    def write(self, text: str) -> int:
        """Write if possible."""
        with self._losing():
            self._stream.write(text)
        return len(text)

    def flush(self) -> None:
        """Write what waits if possible."""
        with self._losing():
            self._stream.flush()

    @contextmanager
    def _losing(self) -> Iterator[None]:
        try:
            yield
        except BrokenPipeError:
            _discard(self._stream)
        except OSError:
            self.lost = True
            _discard(self._stream)


def run_on_streams(verb: Callable[[], int]) -> int:
    """Run a verb; its exit status, or 1 where its results could not be written.

    A reader that leaves early (``| head``) is no failure. With stderr closed the verb runs in
    silence; with stdout closed it does not begin.
    """
    with _silence() as silence, _messages(sys.stderr or silence) as messages:
        if sys.stdout is None:
            _say("stdout is closed, so there is nowhere to write results; redirect it to a file")
            return 1
        status = _with_results(verb, sys.stdout)
        messages.flush()
        return status or int(messages.lost)


def _with_results(verb: Callable[[], int], stdout: TextIO) -> int:
    results = _Results(stdout)
    sys.stdout = cast("TextIO", results)
    try:
        with _any_character(stdout):
            status = verb()
            results.flush()
            return status
    except _ReaderLeftError:
        _discard(stdout)
        return 0
    except _UnwritableError as error:
        _discard(stdout)
        _say(f"cannot write results to stdout ({error}); redirect it to a disk with free space")
        return 1
    finally:
        sys.stdout = stdout


@contextmanager
def _messages(stderr: TextIO) -> Iterator[_Messages]:
    """Stderr, with the warnings and logs of libraries escaped as ours are."""
    messages = _Messages(stderr)
    before, form, last = sys.stderr, warnings.formatwarning, logging.lastResort
    sys.stderr = cast("TextIO", messages)
    warnings.formatwarning = _warning_line
    if last is not None:
        last.setFormatter(_LogLine())
    try:
        with _any_character(stderr):
            yield messages
    finally:
        sys.stderr, warnings.formatwarning = before, form
        if last is not None:
            last.setFormatter(None)


def _warning_line(
    message: Warning | str,
    category: type[Warning],
    filename: str,
    lineno: int,
    line: str | None = None,
) -> str:
    return f"warning {printable(str(message))} ({category.__name__})\n"


class _LogLine(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        return printable(super().format(record))


@contextmanager
def _silence() -> Iterator[TextIO]:
    with open(os.devnull, "w", encoding="utf-8") as nothing:  # noqa: PTH123 - no path
        yield nothing


@contextmanager
def _any_character(stream: TextIO) -> Iterator[None]:
    """Characters that the stream's encoding lacks are written in ASCII instead."""
    if not isinstance(stream, io.TextIOWrapper):
        yield
        return
    before = stream.errors
    stream.reconfigure(errors=ASCII_ERRORS)
    try:
        yield
    finally:
        with suppress(OSError, ValueError):
            stream.reconfigure(errors=before)


def _discard(stream: TextIO) -> None:
    """Drop what waits to be written, so that Python does not fail on it at its end."""
    with suppress(OSError, ValueError):
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, stream.fileno())
        os.close(nowhere)


def _say(problem: str) -> None:
    PlainConsole(stderr=True).print(f"error {problem}", soft_wrap=True)
