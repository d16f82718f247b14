import errno
import hashlib
import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from pydantic import ValidationError

from convlens.core import downloads
from convlens.core.downloads import Download, fetch, locked, matches
from convlens.core.errors import ConvlensError, WorkFailedError
from convlens.core.reporter import Quiet, Task

CONTENT = bytes(range(256)) * 8192  # 2 MiB
SHA256 = hashlib.sha256(CONTENT).hexdigest()


class Heard(Quiet):
    """A reporter that remembers."""

    def __init__(self) -> None:
        self.lines: list[str] = []
        self.progress: list[int] = []

    def say(self, text: str) -> None:
        self.lines.append(text)

    def warn(self, text: str) -> None:
        self.lines.append(f"warning: {text}")

    @contextmanager
    def task(self, name: str, total: int) -> Iterator[Task]:
        yield self

    def update(self, done: int, detail: str = "") -> None:
        self.progress.append(done)


class Server:
    """A publisher on loopback; ``answers`` are used up one a request, then the whole file."""

    def __init__(self) -> None:
        self.content = CONTENT
        self.requests: list[str | None] = []
        self.answers: list[Callable[[BaseHTTPRequestHandler], None]] = []
        server = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                server.requests.append(self.headers.get("Range"))
                answer = server.answers.pop(0) if server.answers else server.whole
                answer(self)

            def log_message(self, *_: object) -> None:
                pass

        self.http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.http.daemon_threads = False  # closing waits for them
        self.thread = threading.Thread(target=self.http.serve_forever, args=(0.01,))
        self.thread.start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.http.server_address[1]}/file.bin"

    def close(self) -> None:
        self.http.shutdown()
        self.http.server_close()
        self.thread.join()

    def whole(self, to: BaseHTTPRequestHandler, *, stop_after: int | None = None) -> None:
        start = int((to.headers.get("Range") or "bytes=0-")[6:-1])
        if start >= len(self.content):
            to.send_response(416)
            to.send_header("Content-Range", f"bytes */{len(self.content)}")
            to.end_headers()
            return
        body = self.content[start:]
        to.send_response(206 if start else 200)
        if start:
            end = len(self.content)
            to.send_header("Content-Range", f"bytes {start}-{end - 1}/{end}")
        to.send_header("Content-Length", str(len(body)))
        to.end_headers()
        to.wfile.write(body[:stop_after])

    def interrupted(self, to: BaseHTTPRequestHandler) -> None:
        self.whole(to, stop_after=500_000)

    def without_ranges(self, to: BaseHTTPRequestHandler) -> None:
        to.send_response(200)
        to.send_header("Content-Length", str(len(self.content)))
        to.end_headers()
        to.wfile.write(self.content)

    def status(self, code: int) -> Callable[[BaseHTTPRequestHandler], None]:
        def answer(to: BaseHTTPRequestHandler) -> None:
            to.send_response(code)
            to.send_header("Content-Length", "0")
            to.end_headers()

        return answer


@pytest.fixture
def server(_leaves_nothing_behind: None) -> Iterator[Server]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(downloads, "PAUSES_SECONDS", (0.0, 0.0, 0.0))
        running = Server()
        yield running
        running.close()


def wanted(server: Server, checksum: str = f"sha256:{SHA256}", *more: str) -> Download:
    return Download(file_name="file.bin", urls=(server.url, *more), checksum=checksum)


def test_a_file_is_fetched_once_and_offline_afterward(server: Server, tmp_path: Path) -> None:
    heard = Heard()
    path = fetch(wanted(server), tmp_path / "new" / "cache", heard)
    assert path.read_bytes() == CONTENT
    assert heard.progress[-1] == len(CONTENT)
    assert fetch(wanted(server), path.parent, heard) == path
    assert server.requests == [None]


@pytest.mark.parametrize(
    "checksum",
    [f"sha256:{SHA256}", f"sha256:{SHA256[:8]}", f"md5:{hashlib.md5(CONTENT).hexdigest()}"],  # noqa: S324
)
def test_whatever_checksum_the_publisher_states_is_verified(
    server: Server, tmp_path: Path, checksum: str
) -> None:
    assert fetch(wanted(server, checksum), tmp_path, Quiet()).read_bytes() == CONTENT
    path = tmp_path / "wrong"
    path.write_bytes(CONTENT[:-1] + b"\x00")
    assert not matches(path, checksum)


@pytest.mark.parametrize(
    "checksum", ["sha256:1234567", "md5:1234", "crc32:12345678", "12345678", "sha256:XYZXYZXY"]
)
def test_a_checksum_of_another_form_is_refused(checksum: str) -> None:
    with pytest.raises(ValidationError):
        Download(file_name="a", urls=("http://localhost/a",), checksum=checksum)


@pytest.mark.parametrize(("name", "url"), [("../a", "http://a/a"), ("a", "file:///etc/passwd")])
def test_a_file_stays_in_its_folder_and_comes_over_http(name: str, url: str) -> None:
    with pytest.raises(ValidationError):
        Download(file_name=name, urls=(url,), checksum="sha256:12345678")


def test_an_interrupted_download_continues_where_it_stopped(server: Server, tmp_path: Path) -> None:
    server.answers = [server.interrupted, server.interrupted]
    heard = Heard()
    assert fetch(wanted(server), tmp_path, heard).read_bytes() == CONTENT
    assert server.requests == [None, "bytes=500000-", "bytes=1000000-"]
    assert sum("trying again" in line for line in heard.lines) == 2


def test_a_later_run_continues_what_an_earlier_one_left(server: Server, tmp_path: Path) -> None:
    server.answers = [server.interrupted] * 4
    with pytest.raises(WorkFailedError, match=r"ended at 2\.0 of 2\.1 MB"):
        fetch(wanted(server), tmp_path, Quiet())
    assert not (tmp_path / "file.bin").exists()
    assert fetch(wanted(server), tmp_path, Quiet()).read_bytes() == CONTENT
    assert server.requests[-1] == "bytes=2000000-"


def test_a_server_without_ranges_sends_it_all_again(server: Server, tmp_path: Path) -> None:
    server.answers = [server.interrupted, server.without_ranges]
    assert fetch(wanted(server), tmp_path, Quiet()).read_bytes() == CONTENT


@pytest.mark.parametrize("left", [b"of another edition", CONTENT + b"longer", CONTENT])
def test_what_does_not_fit_is_begun_anew(server: Server, tmp_path: Path, left: bytes) -> None:
    (tmp_path / ".file.bin.part").write_bytes(left)
    assert fetch(wanted(server), tmp_path, Quiet()).read_bytes() == CONTENT
    assert len(server.requests) == (1 if left == CONTENT else 2)


def test_one_wrong_bit_is_refused_and_removed(server: Server, tmp_path: Path) -> None:
    server.content = CONTENT[:1000] + bytes([CONTENT[1000] ^ 1]) + CONTENT[1001:]
    with pytest.raises(
        WorkFailedError, match=r"not the published file .* it was removed"
    ) as caught:
        fetch(wanted(server), tmp_path, Quiet())
    assert SHA256 in str(caught.value)
    assert [path.name for path in tmp_path.iterdir() if path.is_file()] == [".file.bin.lock"]


def test_a_damaged_file_in_the_cache_is_removed_and_fetched_again(
    server: Server, tmp_path: Path
) -> None:
    (tmp_path / "file.bin").write_bytes(b"\x01" + CONTENT[1:])
    heard = Heard()
    assert fetch(wanted(server), tmp_path, heard).read_bytes() == CONTENT
    assert heard.lines[0].startswith("warning:")
    assert "damaged" in heard.lines[0]


def test_a_file_that_is_not_there_is_asked_for_once(server: Server, tmp_path: Path) -> None:
    server.answers = [server.status(404)]
    with pytest.raises(WorkFailedError, match=r"is not there \(the server answered 404") as caught:
        fetch(wanted(server), tmp_path, Quiet())
    assert server.requests == [None]
    assert f"place it at {tmp_path / 'file.bin'}" in str(caught.value)
    assert server.url in str(caught.value)


def test_a_refusal_and_a_busy_server_are_told_apart(server: Server, tmp_path: Path) -> None:
    server.answers = [server.status(403)]
    with pytest.raises(WorkFailedError, match="refused"):
        fetch(wanted(server), tmp_path, Quiet())
    server.answers = [server.status(503), server.status(429)]
    assert fetch(wanted(server), tmp_path, Quiet()).read_bytes() == CONTENT


def test_the_next_mirror_is_tried(server: Server, tmp_path: Path) -> None:
    server.answers = [server.status(404)]
    file = wanted(server, f"sha256:{SHA256}", server.url)
    assert fetch(file, tmp_path, Quiet()).read_bytes() == CONTENT


def test_without_a_network_the_message_says_how_to_place_the_file(
    server: Server, tmp_path: Path
) -> None:
    file = wanted(server)
    server.http.shutdown()
    server.http.server_close()
    with pytest.raises(WorkFailedError, match="cannot be reached") as caught:
        fetch(file, tmp_path, Quiet())
    assert f"place it at {tmp_path / 'file.bin'}" in str(caught.value)
    (tmp_path / "file.bin").write_bytes(CONTENT)
    assert fetch(file, tmp_path, Quiet()).read_bytes() == CONTENT


def test_a_server_that_falls_silent_is_given_up(server: Server, tmp_path: Path) -> None:
    def silent(to: BaseHTTPRequestHandler) -> None:
        to.send_response(200)
        to.send_header("Content-Length", str(len(CONTENT)))
        to.end_headers()
        to.wfile.write(CONTENT[:1000])
        to.wfile.flush()
        time.sleep(0.3)

    server.answers = [silent]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(downloads, "TIMEOUT_SECONDS", 0.1)
        assert fetch(wanted(server), tmp_path, Quiet()).read_bytes() == CONTENT


def test_a_cache_that_cannot_be_written_to_is_named(server: Server, tmp_path: Path) -> None:
    (tmp_path / "cache").write_text("a file where the folder should be")
    with pytest.raises(ConvlensError, match="cannot write to the cache folder .* CONVLENS_CACHE"):
        fetch(wanted(server), tmp_path / "cache", Quiet())


@pytest.mark.skipif(os.name == "nt" or os.geteuid() == 0, reason="no folder is read-only to root")
def test_a_read_only_cache_serves_what_it_has(server: Server, tmp_path: Path) -> None:
    fetch(wanted(server), tmp_path, Quiet())
    tmp_path.chmod(0o500)
    try:
        assert fetch(wanted(server), tmp_path, Quiet()).read_bytes() == CONTENT
        other = wanted(server).model_copy(update={"file_name": "other.bin"})
        with pytest.raises(ConvlensError, match="CONVLENS_CACHE"):
            fetch(other, tmp_path, Quiet())
    finally:
        tmp_path.chmod(0o700)


def test_a_read_only_file_system_is_named(server: Server, tmp_path: Path) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise OSError(errno.EROFS, os.strerror(errno.EROFS))

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Path, "mkdir", refuse)
        with pytest.raises(ConvlensError, match="Read-only file system") as caught:
            fetch(wanted(server), tmp_path / "cache", Quiet())
    assert caught.value.exit_status == 2


def test_a_disk_that_is_too_small_is_noticed_before_and_during(
    server: Server, tmp_path: Path
) -> None:
    def full(*_: object) -> int:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(downloads.shutil, "disk_usage", lambda _: type("U", (), {"free": 1000}))
        with pytest.raises(WorkFailedError, match="2 MB are needed"):
            fetch(wanted(server), tmp_path, Quiet())
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(downloads, "_copy", full)
        with pytest.raises(WorkFailedError, match="no room left"):
            fetch(wanted(server), tmp_path, Quiet())


def test_two_processes_at_once_fetch_it_once(server: Server, tmp_path: Path) -> None:
    def slow(to: BaseHTTPRequestHandler) -> None:
        time.sleep(0.5)
        server.whole(to)

    server.answers = [slow]
    script = (
        "import sys\n"
        "from pathlib import Path\n"
        "from convlens.core.downloads import Download, fetch\n"
        "from convlens.core.reporter import Quiet\n"
        "_, url, md5, folder = sys.argv\n"
        "file = Download(file_name='file.bin', urls=(url,), checksum='md5:' + md5)\n"
        "fetch(file, Path(folder), Quiet())\n"
    )
    digest = hashlib.md5(CONTENT).hexdigest()  # noqa: S324
    command = [sys.executable, "-c", script, server.url, digest, str(tmp_path)]
    both = [subprocess.Popen(command) for _ in range(2)]
    assert [process.wait(60) for process in both] == [0, 0]
    assert (tmp_path / "file.bin").read_bytes() == CONTENT
    assert server.requests == [None]


def test_a_waiting_process_says_so(server: Server, tmp_path: Path) -> None:
    heard = Heard()
    with locked(tmp_path / "file.bin", Quiet()):
        second = threading.Thread(target=fetch, args=(wanted(server), tmp_path, heard))
        second.start()
        while not heard.lines:
            time.sleep(0.01)
    second.join()
    assert heard.lines == ["another process is making file.bin; waiting for it"]
    assert (tmp_path / "file.bin").read_bytes() == CONTENT
