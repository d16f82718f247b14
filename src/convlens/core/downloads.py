"""The one downloader in the house: fetch a published file once, verified, then offline.

What arrives is kept beside its place until its checksum agrees, so that a file under its own name
is always whole and the right one. An interrupted download continues where it stopped; two processes
that want the same file wait for one another.
"""

import hashlib
import http.client
import shutil
import sys
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from errno import EDQUOT, ENOSPC
from pathlib import Path
from typing import IO, Annotated

from pydantic import BaseModel, ConfigDict, Field

from convlens.core.errors import ConvlensError, WorkFailedError
from convlens.core.reporter import Reporter, Task

CHUNK = 1 << 20
TIMEOUT_SECONDS = 30.0
DEADLINE_SECONDS = 120.0  # for a file at an address that the user gives
PAUSES_SECONDS = (1.0, 3.0, 10.0)  # before the second, third and fourth attempt

_Checksum = Annotated[str, Field(pattern="^(sha256:[0-9a-f]{8,64}|md5:[0-9a-f]{32})$")]
_Url = Annotated[str, Field(pattern="^https?://")]


class Download(BaseModel):
    """A published file.

    Attributes:
        file_name: the name it is kept under.
        urls: where it is published; the next is tried when one fails.
        checksum: ``"sha256:"`` and 64 hexadecimal digits, or as many of the first ones (at least
            8) as the publisher states; or ``"md5:"`` and 32.
        size: bytes, where the publisher states it.

    Raises:
        pydantic.ValidationError: a value has another form.

    Example:
        >>> file = Download(
        ...     file_name="a.gz", urls=("https://example.org/a.gz",), checksum="sha256:0123abcd"
        ... )
        >>> file.file_name
        'a.gz'
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    file_name: Annotated[str, Field(pattern=r"^[\w][\w.+-]*$")]
    urls: Annotated[tuple[_Url, ...], Field(min_length=1)]
    checksum: _Checksum
    size: Annotated[int, Field(ge=0)] | None = None


class _RefusedError(Exception):
    """The server, or what it sent, will not be better at the next attempt."""


class _InterruptedError(Exception):
    """The connection failed; the next attempt may continue."""


def fetch(download: Download, folder: Path, reporter: Reporter) -> Path:
    """The file, verified: from the folder where it is there already, else from its publisher.

    Args:
        download: which file.
        folder: where it is kept, usually a `cache_folder`; made where it is missing.
        reporter: sees a progress bar, and is told of waits and of second attempts.

    Returns:
        The path of the file, whose checksum has been verified by this call.

    Raises:
        ConvlensError: the folder cannot be written to.
        WorkFailedError: the publisher cannot be reached or does not have the file, what arrives is
            not the published file, or the disk is full. The message says how to place it by hand.
    """
    path = folder / download.file_name
    try:
        if path.exists() and matches(path, download.checksum):
            return path
        with locked(path, reporter):
            _fetch_alone(download, path, reporter)
    except OSError as error:
        raise _cannot_write(folder, error) from error
    return path


def fetch_unpublished(url: str, path: Path, *, largest: int, reporter: Reporter) -> None:
    """Fetch a file whose checksum nobody states; what it holds is for the caller to verify.

    Args:
        url: ``http://…`` or ``https://…``.
        path: a new file.
        largest: bytes that it may have.
        reporter: sees a progress bar.

    Raises:
        WorkFailedError: the server cannot be reached or refuses, or the file is large or slow.
    """
    deadline = time.monotonic() + DEADLINE_SECONDS
    try:
        answer = _ask(urllib.parse.quote(url, safe="%/:=&?~#+!$,;'@()*[]"), path, 0)
        if answer is None or not answer.geturl().startswith(("http://", "https://")):
            raise _RefusedError("the server refers to an address that is neither http nor https")
        with answer, path.open("wb") as file, reporter.task(path.name, largest) as task:
            _copy_at_most(answer, file, largest, deadline, task)
    except (_RefusedError, _InterruptedError, ValueError, OSError) as error:
        raise WorkFailedError(f"{url} could not be fetched: {error}", code="unfetched") from error


def _copy_at_most(
    answer: http.client.HTTPResponse, file: IO[bytes], largest: int, deadline: float, task: Task
) -> None:
    too_large = _RefusedError(f"it is larger than {largest / 1e6:,.0f} MB, the most that is taken")
    length = answer.headers.get("Content-Length", "")
    if length.isdecimal() and int(length) > largest:
        raise too_large
    have = 0
    while chunk := answer.read1(CHUNK):
        have += len(chunk)
        if have > largest:
            raise too_large
        if time.monotonic() > deadline:
            raise _InterruptedError(f"it took longer than {DEADLINE_SECONDS:g} s")
        file.write(chunk)
        task.update(have, _megabytes(have, int(length) if length.isdecimal() else 0))
    if length.isdecimal() and have < int(length):
        raise _InterruptedError(f"the connection ended at {_megabytes(have, int(length))}")


def matches(path: Path, checksum: str) -> bool:
    """Whether a file has a checksum: ``"sha256:…"`` by its first digits, or ``"md5:…"``."""
    kind, _, digits = checksum.partition(":")
    return _digest(path, kind).startswith(digits)


def _digest(path: Path, kind: str) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(
            file, lambda: hashlib.new(kind, usedforsecurity=False)
        ).hexdigest()


def _fetch_alone(download: Download, path: Path, reporter: Reporter) -> None:
    if path.exists():
        if matches(path, download.checksum):  # another process was faster
            return
        reporter.warn(f"{path} is damaged (its checksum differs); fetching it again")
        path.unlink()
    reasons = []
    for url in download.urls:
        try:
            _fetch_from(url, download, path, reporter)
        except (_RefusedError, _InterruptedError) as error:
            reasons.append(f"{url}: {error}")
        else:
            return
    raise WorkFailedError(
        f"{download.file_name} could not be fetched. {'; '.join(reasons)}. Try again, or download "
        f"it on another machine and place it at {path}; it is verified before use",
        code="download-failed",
    )


def _fetch_from(url: str, download: Download, path: Path, reporter: Reporter) -> None:
    part = path.with_name(f".{path.name}.part")
    left_over = part.exists()
    for pause in (*PAUSES_SECONDS, None):
        try:
            _receive(url, part, download, reporter)
            break
        except _InterruptedError as error:
            if pause is None:
                raise
            reporter.say(f"{download.file_name}: {error}; trying again")
            time.sleep(pause)
    if matches(part, download.checksum):
        part.replace(path)
        return
    kind, _, expected = download.checksum.partition(":")
    found = _digest(part, kind)[: len(expected)]
    part.unlink()
    if left_over:
        reporter.say(f"{download.file_name}: what an earlier run left does not fit; starting over")
        _fetch_from(url, download, path, reporter)
        return
    raise _RefusedError(
        f"what arrived is not the published file ({kind} {found}, expected {expected}); "
        "it was removed"
    )


def _receive(url: str, part: Path, download: Download, reporter: Reporter) -> None:
    """One attempt: continue the part, or begin it."""
    have = part.stat().st_size if part.exists() else 0
    answer = _ask(url, part, have)
    if answer is None:
        return
    with answer:
        if not answer.headers.get("Content-Range", "").startswith(f"bytes {have}-"):
            have = 0  # the server sends the whole file
        length = answer.headers.get("Content-Length")
        total = have + int(length) if length else download.size or 0
        _check_room(part.parent, total - have)
        with (
            part.open("ab" if have else "wb") as file,
            reporter.task(download.file_name, total) as task,
        ):
            received = _copy(answer, file, have, total, task)
    if received < total:
        raise _InterruptedError(f"the connection ended at {_megabytes(received, total)}")


def _ask(url: str, part: Path, have: int) -> http.client.HTTPResponse | None:
    """The server's answer, from byte ``have`` on; None where the part is the whole file already."""
    request = urllib.request.Request(url, headers={"User-Agent": "convlens"})  # noqa: S310
    if have:
        request.add_header("Range", f"bytes={have}-")
    try:
        answer: http.client.HTTPResponse = urllib.request.urlopen(  # noqa: S310
            request, timeout=TIMEOUT_SECONDS
        )
    except urllib.error.HTTPError as error:
        with error:
            _explain_status(error, part, have)
        return None
    except (OSError, http.client.HTTPException) as error:
        reason = getattr(error, "reason", error)
        # With nothing received one is likely to be offline, and waiting would not help.
        kind = _InterruptedError if have else _RefusedError
        raise kind(f"the server cannot be reached ({reason})") from error
    return answer


def _copy(
    answer: http.client.HTTPResponse, file: IO[bytes], have: int, total: int, task: Task
) -> int:
    while chunk := _read(answer):
        file.write(chunk)
        have += len(chunk)
        task.update(have, _megabytes(have, total))
        if total and have > total:
            break
    return have


def _read(answer: http.client.HTTPResponse) -> bytes:
    try:
        return answer.read(CHUNK)
    except (OSError, http.client.HTTPException) as error:
        raise _InterruptedError(f"the connection failed ({type(error).__name__})") from error


def _explain_status(error: urllib.error.HTTPError, part: Path, have: int) -> None:
    answered = f"the server answered {error.code}, {error.reason}"
    if error.code == 416 and have:
        if error.headers.get("Content-Range", "").rpartition("/")[2] == str(have):
            return
        part.unlink()
        raise _InterruptedError("what an earlier run left does not fit")
    if error.code >= 500 or error.code == 429:
        raise _InterruptedError(answered)
    if error.code in {404, 410}:
        raise _RefusedError(f"the file is not there ({answered})")
    raise _RefusedError(f"the file is refused ({answered})")


def _megabytes(have: int, total: int) -> str:
    return f"{have / 1e6:,.1f} of {total / 1e6:,.1f} MB" if total else f"{have / 1e6:,.1f} MB"


def _check_room(folder: Path, needed: int) -> None:
    free = shutil.disk_usage(folder).free
    if needed > free:
        raise WorkFailedError(
            f"{needed / 1e6:,.0f} MB are needed in {folder}, and {free / 1e6:,.0f} MB are free; "
            "free some space, or set CONVLENS_CACHE to a folder on another disk",
            code="disk-full",
        )


def _cannot_write(folder: Path, error: OSError) -> ConvlensError:
    if error.errno in {ENOSPC, EDQUOT}:
        return WorkFailedError(
            f"no room left on the disk while writing to {folder}; free some space, or set "
            "CONVLENS_CACHE to a folder on another disk",
            code="disk-full",
        )
    return ConvlensError(
        f"cannot write to the cache folder {folder} ({error.strerror}); set CONVLENS_CACHE to a "
        "folder that you may write to",
        code="not-writable",
    )


@contextmanager
def locked(path: Path, reporter: Reporter) -> Iterator[None]:
    """Hold the right to make a file in a cache; another process that wants to make it waits.

    The system itself gives the right back if this process dies. An empty lock file stays beside
    ``path``.

    Raises:
        ConvlensError: the folder cannot be made or written to.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        file = path.with_name(f".{path.name}.lock").open("ab")
    except OSError as error:
        raise _cannot_write(path.parent, error) from error
    with file:
        if not _try_lock(file):
            reporter.say(f"another process is making {path.name}; waiting for it")
            while not _try_lock(file):
                time.sleep(0.1)
        yield


if sys.platform == "win32":
    import msvcrt

    def _try_lock(file: IO[bytes]) -> bool:
        try:
            msvcrt.locking(file.fileno(), msvcrt.LK_NBLCK, 1)
        except OSError:
            return False
        return True

else:
    import fcntl

    def _try_lock(file: IO[bytes]) -> bool:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        return True
