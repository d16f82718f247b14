"""Decoding in processes of their own: those that take long, and those whose decoders talk.

A decoder in C cannot be interrupted, limited or kept from crashing within this process. There, a
deadline ends it, and Ctrl-C is answered at once.
"""

import atexit
import json
import os
import subprocess
import sys
import threading
from typing import Any, NamedTuple

import numpy as np

from convlens.core.input_spec import InputSpec
from convlens.data.limits import ImageLimits, UnreadableImageError
from convlens.data.resample import Pixels8

_PROGRAM = """
import json, sys
sys.path[:] = json.loads(sys.argv[1])
from convlens.data.decode_worker import serve
serve()
"""
_GRACE = 5.0
"""Seconds beyond the limit after which a process is ended from here: it begins by itself."""


class How(NamedTuple):
    """How an image file is to be decoded.

    Attributes:
        kind: its format, as `convlens.data.formats.format_of` names it.
        name: what errors call it.
        spec: as for `convlens.data.decode`.
        margin: likewise.
        limits: likewise.
    """

    kind: str
    name: str
    spec: InputSpec
    margin: float
    limits: ImageLimits


def decode_apart(data: bytes, how: How) -> Pixels8 | None:
    """Decode an image in another process.

    Args:
        data: the whole file.
        how: as for `convlens.data.decode.decode_here`.

    Returns:
        Its pixels; None where no process can be started.

    Raises:
        UnreadableImageError: as `decode_here`; or it took too long, or its decoder crashed.
    """
    try:
        worker = _WORKERS.take()
    except OSError:
        return None
    request = {
        "kind": how.kind,
        "spec": how.spec.model_dump(mode="json"),
        "margin": how.margin,
        "limits": how.limits.model_dump(mode="json"),
        "size": len(data),
    }
    try:
        answer, content = worker.ask(request, data, how.limits.seconds + _GRACE)
    except (EOFError, OSError):
        reason = _why(worker.end(), how.limits)
        raise UnreadableImageError(how.name, reason) from None
    except BaseException:
        worker.end()
        raise
    _WORKERS.give_back(worker)
    if "error" in answer:
        raise UnreadableImageError(how.name, str(answer["error"]))
    pixels: Pixels8 = np.frombuffer(content, np.uint8).reshape(answer["shape"])
    return pixels


def _why(status: int, limits: ImageLimits) -> str:
    if status in {-9, -14}:
        return f"decoding it takes longer than {limits.seconds:g} s"
    return f"its decoder crashed (status {status})"


class _Worker:
    """One process, and what is said to it."""

    def __init__(self) -> None:
        self._process = subprocess.Popen(  # noqa: S603 - our own program
            [sys.executable, "-P", "-c", _PROGRAM, json.dumps(sys.path)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
        )

    def ask(
        self, request: dict[str, Any], data: bytes, seconds: float
    ) -> tuple[dict[str, Any], bytearray]:
        """Send a request and take the answer; raises EOFError or OSError where none comes."""
        from convlens.data.decode_worker import receive, send  # noqa: PLC0415 - it imports us

        to, back = self._process.stdin, self._process.stdout
        if to is None or back is None:
            raise EOFError
        clock = threading.Timer(seconds, self._process.kill)
        clock.daemon = True
        clock.start()
        try:
            send(to, request, data)
            answer = receive(back)
            content = bytearray(back.read(answer.get("size", 0)))
        finally:
            clock.cancel()
        return answer, content

    def end(self) -> int:
        """End the process; its exit status, negative for a signal."""
        status = self._process.poll()
        self._process.kill()
        for stream in (self._process.stdin, self._process.stdout):
            if stream is not None:
                _close(stream)
        ended = self._process.wait()
        return ended if status is None else status


def _close(stream: object) -> None:
    try:
        stream.close()  # type: ignore[attr-defined]
    except (OSError, ValueError):
        return


class _Workers:
    """The processes of this one: as many as decode at once, kept for the next image."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._owner = os.getpid()
        self._idle: list[_Worker] = []
        self._busy: set[_Worker] = set()

    def take(self) -> _Worker:
        """A process that is free, or a new one; raises OSError where none can be started."""
        with self._lock:
            if self._owner != os.getpid():  # a fork shares pipes that are not its own
                self._owner, self._idle, self._busy = os.getpid(), [], set()
            worker = self._idle.pop() if self._idle else None
        worker = worker or _Worker()
        with self._lock:
            self._busy.add(worker)
        return worker

    def give_back(self, worker: _Worker) -> None:
        """Keep a process for the next image."""
        with self._lock:
            self._busy.discard(worker)
            self._idle.append(worker)

    def end_all(self) -> None:
        """End every process, whatever it does."""
        if self._owner == os.getpid():
            for worker in [*self._idle, *self._busy]:
                worker.end()
            self._idle, self._busy = [], set()


_WORKERS = _Workers()
atexit.register(_WORKERS.end_all)
