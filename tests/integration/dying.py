"""Run convlens in a forked process that dies at its n-th operation on files.

``python -m tests.integration.dying FOLDER COMMAND...`` with instants on stdin: for each, a copy of
this process runs the command and ends before its n-th operation below FOLDER, with nothing cleaned
up. It answers each with the child's exit status. An instant of 0 lets the child end by itself.
"""

import faulthandler
import io
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

DIED = 86

_EVENTS = {"open", "os.mkdir", "os.rename", "os.remove", "os.rmdir", "os.truncate", "os.utime"}


def die_at(instant: int, folder: Path) -> None:
    """End this process before its n-th operation below a folder; of a write, half is made."""
    left = [instant]
    below = os.fspath(folder)

    def count() -> bool:
        left[0] -= 1
        return left[0] == 0

    def watch(event: str, arguments: tuple[Any, ...]) -> None:
        if event not in _EVENTS or not isinstance(arguments[0], str | bytes | os.PathLike):
            return
        path = os.fsdecode(arguments[0])
        reads = event == "open" and not (arguments[2] & (os.O_WRONLY | os.O_RDWR | os.O_CREAT))
        if path.startswith(below) and not reads and count():
            os._exit(DIED)

    def half_written(write: Callable[[Path, bytes], int]) -> Callable[[Path, bytes], int]:
        def dying(path: Path, data: bytes) -> int:
            if os.fspath(path).startswith(below) and count():
                write(path, data[: len(data) // 2])
                os._exit(DIED)
            return write(path, data)

        return dying

    Path.write_bytes = half_written(Path.write_bytes)  # type: ignore[assignment,method-assign]
    sys.addaudithook(watch)


def serve(folder: Path, words: list[str]) -> None:
    """Answer instants on stdin with exit statuses; everything slow is imported once."""
    import torch

    import convlens.cli.main
    import convlens.recipe
    import convlens.reporting.page  # noqa: F401

    torch.set_num_threads(1)
    for line in sys.stdin:
        instant, *last = line.split("\t")
        child = os.fork()
        if child == 0:
            _work(int(instant), folder, [*(last[0].split() if last else words)])
        _, status = os.waitpid(child, 0)
        sys.stdout.write(f"{os.waitstatus_to_exitcode(status)}\n")
        sys.stdout.flush()


def _work(instant: int, folder: Path, words: list[str]) -> None:
    from convlens.cli.main import main

    faulthandler.dump_traceback_later(30, exit=True)
    sys.stdout = io.StringIO()
    if instant:
        die_at(instant, folder)
    try:
        main([word.replace(":", " ") if "conv:" in word else word for word in words])
    except SystemExit as left:
        os._exit(int(left.code or 0))
    os._exit(1)


if __name__ == "__main__":
    serve(Path(sys.argv[1]), sys.argv[2:])
