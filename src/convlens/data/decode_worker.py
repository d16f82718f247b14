"""A process that decodes images for another, and can be ended at any moment.

Requests come on stdin and answers go to stdout: four bytes of length, that many of JSON, and then
the bytes that it announces. What C libraries write to the terminal is caught and goes into the
reason.
"""

import json
import os
import signal
import sys
from contextlib import suppress
from pathlib import Path
from struct import pack, unpack
from typing import IO, Any

import cv2

from convlens.core.input_spec import InputSpec
from convlens.data.decode import decode_here
from convlens.data.decode_apart import How
from convlens.data.limits import ImageLimits, UnreadableImageError

_MOST_CHATTER = 1 << 14
_SPARE_MEMORY = 192_000_000


def send(stream: IO[bytes], message: dict[str, Any], content: bytes | memoryview = b"") -> None:
    """Write a message and the bytes that belong to it."""
    text = json.dumps(message).encode()
    stream.write(pack(">I", len(text)) + text)
    stream.write(content)
    stream.flush()


def receive(stream: IO[bytes]) -> dict[str, Any]:
    """Read a message; its bytes are left on the stream.

    Raises:
        EOFError: the other side has ended.
    """
    start = stream.read(4)
    if len(start) < 4:
        raise EOFError
    message: dict[str, Any] = json.loads(stream.read(*unpack(">I", start)))
    return message


def serve() -> None:
    """Answer requests until the other side ends."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches the whole group
    cv2.setNumThreads(1)
    requests, answers = sys.stdin.buffer, os.fdopen(os.dup(1), "wb")
    chatter = _catch_chatter()
    with suppress(EOFError, BrokenPipeError):
        while True:
            request = receive(requests)
            data = requests.read(request["size"])
            with _limited(request):
                answer, content = _answer(request, data)
            del data
            said = _said(chatter)
            if "error" in answer and said:
                answer["error"] += f"; {said}"
            send(answers, answer, content)


def _answer(request: dict[str, Any], data: bytes) -> tuple[dict[str, Any], memoryview]:
    spec = InputSpec.model_validate(request["spec"])
    limits = ImageLimits.model_validate(request["limits"])
    try:
        pixels = decode_here(data, How(request["kind"], "it", spec, request["margin"], limits))
    except UnreadableImageError as error:
        return {"error": error.reason}, memoryview(b"")
    content = pixels.tobytes()
    return {"shape": pixels.shape, "size": len(content)}, memoryview(content)


class _limited:  # noqa: N801 - reads as a function
    """Within it this process is ended by the system when it takes too long or too much."""

    def __init__(self, request: dict[str, Any]) -> None:
        self._seconds = float(request["limits"]["seconds"])
        self._memory = int(request["limits"]["memory"])

    def __enter__(self) -> None:
        if hasattr(signal, "setitimer"):
            signal.setitimer(signal.ITIMER_REAL, self._seconds)
        self._limit_memory(self._memory + _SPARE_MEMORY)

    def __exit__(self, *failure: object) -> None:
        if hasattr(signal, "setitimer"):
            signal.setitimer(signal.ITIMER_REAL, 0)

    def _limit_memory(self, more: int) -> None:
        with suppress(ImportError, OSError, ValueError, IndexError):
            import resource  # noqa: PLC0415 - Windows has none

            pages = int(Path("/proc/self/statm").read_text("ascii").split()[0])
            hard = resource.getrlimit(resource.RLIMIT_AS)[1]
            resource.setrlimit(resource.RLIMIT_AS, (pages * resource.getpagesize() + more, hard))


def _catch_chatter() -> int | None:
    """Lead stdout and stderr into a pipe that never blocks a writer; its end to read from."""
    if os.name == "nt":
        return None
    reading, writing = os.pipe()
    for end in (reading, writing):
        os.set_blocking(end, False)
    os.dup2(writing, 1)
    os.dup2(writing, 2)
    return reading


def _said(chatter: int | None) -> str:
    """The last line of what was written, and nothing more of it."""
    text = b""
    with suppress(BlockingIOError):
        while chatter is not None and (part := os.read(chatter, _MOST_CHATTER)):
            text = part
    lines = text.decode("utf-8", "replace").strip().splitlines()
    return lines[-1].strip().rstrip(".")[:200] if lines else ""
