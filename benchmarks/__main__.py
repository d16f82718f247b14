"""The front door: which questions there are, and their answers.

    python -m benchmarks                    list the questions
    python -m benchmarks decode training    answer some
    python -m benchmarks decode --images 50 answer one with its own options (--help shows them)
    python -m benchmarks --quick            answer every one in small, in ten minutes
    python -m benchmarks --table            bring the tables of both READMEs up to the results

Each runs in a process of its own. Small answers go to ``build/benchmarks``: they show that a
question can be answered, and are no figures.
"""

import argparse
import difflib
import subprocess
import sys
import time
from collections.abc import Sequence

from benchmarks.questions import FOLDER, Question, questions

ROOT = FOLDER.parent
SMALL = ROOT / "build" / "benchmarks"


def show(known: Sequence[Question]) -> None:
    """A paragraph a question."""
    for own in known:
        minutes = f"{own.minutes:g} minute{'s' * (own.minutes != 1)}"
        print(f"{own.name:18}{own.text}")
        print(f"{'':18}against {', '.join(own.peers)}; about {minutes}\n")
    print(
        "python -m benchmarks NAME... answers; --quick answers in small, each in a minute at most"
    )


def chosen(names: Sequence[str], known: Sequence[Question]) -> list[Question]:
    """The questions by these names."""
    by_name = {own.name: own for own in known}
    for name in names:
        if name not in by_name:
            nearest = difflib.get_close_matches(name, by_name, n=1)
            hint = f"did you mean {nearest[0]}? " if nearest else ""
            sys.exit(f"'{name}' is no question; {hint}known: {', '.join(by_name)}")
    return [by_name[name] for name in names]


def answer(question: Question, options: Sequence[str]) -> tuple[bool, float]:
    """Let a question answer itself: whether it did, and the seconds it took."""
    print(f"\n== {question.name}: {question.text}", flush=True)
    command = [sys.executable, "-m", f"benchmarks.{question.name}", *options]
    start = time.perf_counter()
    done = subprocess.run(command, cwd=ROOT, check=False)  # noqa: S603 - a module of ours
    return done.returncode == 0, time.perf_counter() - start


def small(question: Question) -> list[str]:
    """The options that answer it in small, beside the results that count."""
    return [*question.quick, "--out", str(SMALL / f"{question.name}.json")]


def main(arguments: Sequence[str] | None = None) -> int:
    """Do what is asked; 1 where a question was not answered."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    parser.add_argument("names", nargs="*", metavar="NAME")
    parser.add_argument("--quick", action="store_true", help="in small; every one, or those named")
    parser.add_argument("--table", action="store_true", help="bring the READMEs' tables up to date")
    known = questions()
    asked = list(sys.argv[1:] if arguments is None else arguments)
    one = bool(asked) and asked[0] in {own.name for own in known}
    if one and len(asked) > 1 and asked[1].startswith("-") and asked[1] != "--quick":
        return not answer(chosen(asked[:1], known)[0], asked[1:])[0]
    given = parser.parse_args(asked)
    if given.table:
        _bring_up_to_date()
        return 0
    if not given.names and not given.quick:
        show(known)
        return 0
    some = chosen(given.names, known) or known
    ended = {own.name: answer(own, small(own) if given.quick else ()) for own in some}
    print()
    for name, (answered, seconds) in ended.items():
        print(f"{name:18}{'answered' if answered else 'FAILED':10}{seconds:6.0f} s")
    print(f"{'all':28}{sum(seconds for _, seconds in ended.values()):6.0f} s")
    return not all(answered for answered, _ in ended.values())


def _bring_up_to_date() -> None:
    from benchmarks.table import fresh  # noqa: PLC0415 - loads what the questions load

    for path, text in fresh().items():
        path.write_text(text, "utf-8")


if __name__ == "__main__":
    sys.exit(main())
