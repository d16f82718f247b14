"""The ``convlens`` command: its verbs, and how every failure is told."""

import atexit
import os
import shutil
import signal
import sys
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from typing import Any

import typer
from typer.main import get_command

from convlens.cli.check import check
from convlens.cli.compare import compare
from convlens.cli.data import data
from convlens.cli.embed import embed
from convlens.cli.evaluate import evaluate
from convlens.cli.inspect import inspect
from convlens.cli.output import show_error
from convlens.cli.predict import predict
from convlens.cli.report import report
from convlens.cli.resume import resume
from convlens.cli.streams import run_on_streams
from convlens.cli.train import train
from convlens.cli.visualize import app as visualize
from convlens.core.errors import ConvlensError
from convlens.core.legacy import upgrade_words
from convlens.core.standard_streams import quiet_decoders
from convlens.core.version import __version__

_FRAMED = 72  # columns that the frames of help take
_NARROWEST = 30
_INTERRUPTED = 128 + signal.SIGINT

app = typer.Typer(
    name="convlens",
    help="From a folder of images to an image classifier you understand and can trust.",
    epilog="Start with: convlens train digits",
    rich_markup_mode="rich",
    add_completion=False,
    no_args_is_help=True,
    context_settings={"help_option_names": ["-h", "--help"]},
)
app.command()(train)
app.command()(resume)
app.command()(evaluate)
app.command()(predict)
app.command()(check)
app.command()(report)
app.command()(inspect)
app.command()(compare)
app.add_typer(data)
app.command()(embed)
app.add_typer(visualize)


def _print_version(asked: bool) -> None:
    if asked:
        sys.stdout.write(f"convlens {__version__}\n")
        raise typer.Exit


@app.callback()
def _options(
    _version: bool = typer.Option(
        False,
        "--version",
        help="Print the version.",
        is_eager=True,
        callback=_print_version,
    ),
) -> None:
    """Take the options of no verb."""


def main(arguments: list[str] | None = None) -> None:
    """Run the command line: exit status 0 done, 1 the work failed, 2 the request was wrong."""
    given = sys.argv[1:] if arguments is None else arguments
    status = run_on_streams(lambda: _run(given))
    if status == _INTERRUPTED and arguments is None:
        _leave_at_once()
    sys.exit(status)


def _run(given: list[str]) -> int:
    """Run a verb and print its failure; the exit status."""
    words = _with_newest_run(upgrade_words(given))
    as_json = "--json" in words
    quiet_decoders()
    try:
        status = int(_command()(args=words, prog_name="convlens", standalone_mode=False) or 0)
        if status == _INTERRUPTED:  # typer takes Ctrl-C for an exit without a word
            raise KeyboardInterrupt
        return status
    except ConvlensError as error:
        show_error(error.message, code=error.code, as_json=as_json, laid_out=error.laid_out)
        return error.exit_status
    except typer.TyperException as error:
        if type(error).__name__ == "NoArgsIsHelpError":
            sys.stderr.write(error.format_message() + "\n")
            return 2
        problem = error.format_message()
        end = "" if problem.endswith((".", "?", ")")) else "."
        message = f"{problem}{end} Try 'convlens {_verb(words)}--help'."
        show_error(message, code="usage", as_json=as_json)
        return 2
    except (KeyboardInterrupt, typer.Abort):
        show_error("interrupted", code="interrupted", as_json=as_json)
        return _INTERRUPTED


def _command() -> Callable[..., Any]:
    """The command line; on a narrow terminal its help has no frames, which would cut words off."""
    columns = shutil.get_terminal_size().columns
    if columns >= _FRAMED:
        return get_command(app)
    app.rich_markup_mode, before = None, app.rich_markup_mode
    try:
        return partial(get_command(app), terminal_width=max(columns - 1, _NARROWEST))
    finally:
        app.rich_markup_mode = before


def _leave_at_once() -> None:
    """End this process without taking apart all that it has loaded, which takes seconds."""
    for stream in (sys.stdout, sys.stderr):
        with suppress(OSError, ValueError, AttributeError):
            stream.flush()
    atexit._run_exitfuncs()  # noqa: SLF001 - as multiprocessing does
    os._exit(_INTERRUPTED)


def _with_newest_run(words: list[str]) -> list[str]:
    """``--resume`` without a run means the newest; typer knows no option with or without a value.

    Example:
        >>> _with_newest_run(["train", "--resume", "--json"])
        ['train', '--resume', '', '--json']
    """
    spelled_out: list[str] = []
    for word, after in zip(words, [*words[1:], "--"], strict=False):
        spelled_out += [word, ""] if word == "--resume" and after.startswith("-") else [word]
    return spelled_out


def _verb(words: list[str]) -> str:
    """The verb that was meant, followed by a space; nothing where there is none."""
    known = {command.callback.__name__ for command in app.registered_commands if command.callback}
    known |= {group.name for group in app.registered_groups if group.name}
    return next((f"{word} " for word in words if word in known), "")
