"""Runs what the guide's pages say, and compares it with what they show.

    python -m docs.tour [PAGE...] [--pictures] [--tell]

A page's blocks are run from top to bottom, the pages in the order of the site, all in one folder,
as a reader would. ``--pictures`` renews the pictures that the pages show, which their own commands
have drawn; ``--tell`` prints what came out, to be pasted into a page.

- A ``console`` block holds commands after ``$ `` and, below each, what it prints.
- A ``python`` block runs as it stands; an ``output`` block right below is what it prints.
- ``…`` stands for whatever is printed there: within its line, or where it is a line of its own,
  lines, or none. Where nothing is shown, nothing is compared.
- A command that shows a line beginning with ``error`` must fail; all others must not.
"""

import argparse
import contextlib
import io
import os
import re
import shlex
import shutil
import sys
import tempfile
import textwrap
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml
from PIL import Image

from convlens.cli.main import main as convlens

ROOT = Path(__file__).parents[1]
DOCS = ROOT / "docs"
PICTURES = DOCS / "guide" / "pictures"
PUBLISHED = ("resnet18", "vgg16")
"""The networks whose published weights the pages load."""

_FENCE = re.compile(r"^```(\w*)[^\n]*\n(.*?)^```$", re.DOTALL | re.MULTILINE)
_OUTPUT = re.compile(r"\n+```output\n(.*?)^```$", re.DOTALL | re.MULTILINE)
_PICTURE = re.compile(r"!\[[^\]]*\]\(pictures/([\w./-]+)\)")
_GAP = "…"
_TERMINAL = 100  # columns
_WIDEST = 1000  # pixels of a picture on a page
_COLOURS = 128


@dataclass(frozen=True)
class Step:
    """One thing to run, and what the page shows of it."""

    page: str
    line: int
    language: str
    text: str
    shown: str

    def __str__(self) -> str:
        return f"{self.page}:{self.line}: {self.text.strip().partition(chr(10))[0]}"


class TourError(AssertionError):
    """What a page says is not what happens."""


def pages() -> list[Path]:
    """The guide's pages in the order of the site."""
    settings = yaml.safe_load((ROOT / "mkdocs.yml").read_text("utf-8"))
    guide = next(own["Guide"] for own in settings["nav"] if "Guide" in own)
    return [DOCS / place for place in _places(guide)]


def _places(nav: Sequence[Any]) -> Iterator[str]:
    for entry in nav:
        if isinstance(entry, str):
            yield entry
        else:
            for value in entry.values():
                yield from [value] if isinstance(value, str) else _places(value)


def steps(page: Path) -> list[Step]:
    """What there is to run on a page."""
    text = page.read_text("utf-8")
    found: list[Step] = []
    for fence in _FENCE.finditer(text):
        language, body = fence[1], fence[2]
        line = text.count("\n", 0, fence.start()) + 1
        if language == "console":
            found += _commands(page.name, line, body)
        elif language == "python":
            rest = re.match(
                r"\n+```output\n(.*?)^```$", text[fence.end() :], re.DOTALL | re.MULTILINE
            )
            found.append(Step(page.name, line, language, body, rest[1] if rest else ""))
    return found


def _commands(page: str, line: int, body: str) -> Iterator[Step]:
    for part in re.split(r"^\$ ", body, flags=re.MULTILINE)[1:]:
        command, _, shown = part.partition("\n")
        while command.endswith("\\"):
            more, _, shown = shown.partition("\n")
            command = f"{command[:-1].rstrip()} {more.strip()}"
        yield Step(page, line, "console", command, shown)


def run(step: Step, names: dict[str, Any]) -> str:
    """Do a step in the folder that we are in; what it printed.

    Args:
        step: what to do.
        names: what the page's Python has defined so far.

    Raises:
        TourError: it failed, or printed something else than the page shows.
    """
    printed = io.StringIO()
    must_fail = any(line.startswith("error ") for line in step.shown.splitlines())
    with contextlib.redirect_stdout(printed), contextlib.redirect_stderr(printed):
        failed = _failed(step, names)
    out = "\n".join(line.rstrip() for line in _wrapped(printed.getvalue()))
    if failed != must_fail:
        raise TourError(f"{step} {'failed' if failed else 'did not fail'}:\n{out}")
    if step.shown.strip() and not _matches(step.shown, out):
        raise TourError(f"{step}\n--- the page shows\n{step.shown}\n--- it prints\n{out}")
    return out


def _failed(step: Step, names: dict[str, Any]) -> bool:
    if step.language == "python":
        exec(compile(step.text, str(step), "exec"), names)  # noqa: S102 - a page of ours
        return False
    program, *words = shlex.split(step.text, comments=True)
    if program != "convlens":
        raise TourError(f"{step}: a page's commands are convlens's")
    try:
        convlens(words)
    except SystemExit as left:
        return left.code not in {0, None}
    return False


def _matches(shown: str, out: str) -> bool:
    """Whether these lines are printed somewhere, one after another."""
    pattern = "^"
    for line in shown.strip("\n").splitlines():
        text = line.rstrip()
        some = "(?:.*\\n)*?" if text == _GAP else re.escape(text).replace(_GAP, ".*?") + "\\n"
        pattern += some
    return re.search(pattern, f"{out}\n", re.MULTILINE) is not None


def _wrapped(text: str) -> Iterator[str]:
    """The lines of a text on a terminal of `_TERMINAL` columns."""
    for line in text.splitlines():
        yield from (
            textwrap.wrap(line, _TERMINAL, break_on_hyphens=False, break_long_words=False)
            if len(line) > _TERMINAL
            else [line]
        )


def pictures(page: Path) -> list[str]:
    """The pictures that a page shows."""
    return _PICTURE.findall(page.read_text("utf-8"))


def keep(name: str, drawn: Path) -> None:
    """Put a picture that was drawn beside the pages, small."""
    (PICTURES / name).parent.mkdir(parents=True, exist_ok=True)
    if drawn.suffix == ".gif":
        shutil.copyfile(drawn, PICTURES / name)
        return
    with Image.open(drawn) as image:
        small = image.convert("RGB")
    small.thumbnail((_WIDEST, 4 * _WIDEST), Image.Resampling.LANCZOS)
    small.quantize(_COLOURS).save(PICTURES / name, optimize=True)


@contextlib.contextmanager
def reader(folder: Path) -> Iterator[None]:
    """In this folder, with a terminal of 100 columns."""
    before, columns = Path.cwd(), os.environ.get("COLUMNS")
    os.chdir(folder)
    os.environ["COLUMNS"] = str(_TERMINAL)
    try:
        yield
    finally:
        os.chdir(before)
        os.environ.pop("COLUMNS")
        if columns is not None:
            os.environ["COLUMNS"] = columns


def main() -> None:
    """Go through the pages, in a folder that is thrown away."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("pages", nargs="*", metavar="PAGE")
    parser.add_argument("--pictures", action="store_true")
    parser.add_argument("--tell", action="store_true")
    given = parser.parse_args()
    failed = False
    asked = [page for page in pages() if not given.pages or page.stem in given.pages]
    from tests.models.mirror import made_up_weights  # noqa: PLC0415 - so that no network is needed

    with (
        tempfile.TemporaryDirectory() as mirror,
        tempfile.TemporaryDirectory() as folder,
        made_up_weights(PUBLISHED, Path(mirror)),
        reader(Path(folder)),
    ):
        for page in asked:
            names: dict[str, Any] = {}
            for step in steps(page):
                start = time.perf_counter()
                try:
                    out = run(step, names)
                except Exception as error:  # noqa: BLE001 - the pages' own code: all is told
                    failed, out = True, f"{type(error).__name__}: {error}"
                told = f"{out}\n\n" if given.tell or failed else ""
                sys.stdout.write(f"{step} [{time.perf_counter() - start:.1f} s]\n{told}")
                sys.stdout.flush()
            for name in pictures(page) if given.pictures else ():
                keep(name, Path("visualize") / name)
    sys.exit(failed)


if __name__ == "__main__":
    main()
