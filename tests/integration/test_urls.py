"""Images named by their address, from a server on loopback."""

import io
import threading
import time
from collections.abc import Iterator
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from convlens.api import urls
from convlens.core import downloads
from tests.integration.conftest import Convlens, fill, picture


def png() -> bytes:
    kept = io.BytesIO()
    picture((200, 30, 30), 1).save(kept, "PNG")
    return kept.getvalue()


class Handler(BaseHTTPRequestHandler):
    """Answers by the name that is asked for."""

    def do_GET(self) -> None:
        if self.path == "/elsewhere":
            self.send_response(302)
            self.send_header("Location", "file:///etc/passwd")
            self.end_headers()
            return
        if self.path == "/moved":
            self.send_response(302)
            self.send_header("Location", "/leaf.png")
            self.end_headers()
            return
        known = {"/leaf.png": png(), "/a%20gr%C3%BCn.png": png(), "/page.html": b"<html>" * 50}
        body = known.get(self.path, b"")
        if self.path == "/large":
            body = bytes(200_000)
        self.send_response(200 if body or self.path == "/slow" else 404)
        if self.path != "/large":  # a server need not say how much it sends
            self.send_header("Content-Length", str(len(body) + 100 * (self.path == "/slow")))
        self.end_headers()
        with suppress(OSError):  # the other side may leave early
            self.wfile.write(body)
            for _ in range(100 * (self.path == "/slow")):
                self.wfile.write(b"x")
                self.wfile.flush()
                time.sleep(0.05)

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def server(_leaves_nothing_behind: None) -> Iterator[str]:
    http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    http.daemon_threads = False
    thread = threading.Thread(target=http.serve_forever, args=(0.01,))
    thread.start()
    yield f"http://127.0.0.1:{http.server_address[1]}"
    http.shutdown()
    http.server_close()
    thread.join()


def test_an_address_is_fetched_when_it_is_allowed(
    server: str, tmp_path: Path, convlens: Convlens, monkeypatch: pytest.MonkeyPatch
) -> None:
    photos = fill(tmp_path / "photos", each=12)
    run = tmp_path / "run"
    convlens("train", photos, "--epochs", "1", "--out", run)
    leaf = f"{server}/leaf.png"

    refused = convlens("predict", run, leaf)
    assert refused.status == 2
    assert "--allow-url" in refused.err
    assert leaf in refused.err

    local = photos / "red" / "bild 0.png"
    asked = [leaf, local, f"{server}/a grün.png", f"{server}/moved"]
    done = convlens("predict", run, *asked, "--allow-url", "--json")
    assert done.status == 0
    assert [own["path"] for own in done.json["predictions"]] == [str(name) for name in asked]

    monkeypatch.setattr(urls, "_LARGEST", 100_000)
    monkeypatch.setattr(downloads, "DEADLINE_SECONDS", 0.3)
    for name, told in (
        ("nothing.png", "the server answered 404"),
        ("page.html", "page.html"),
        ("large", "larger than"),
        ("slow", "longer than 0.3 s"),
        ("elsewhere", "could not be fetched"),
    ):
        alone = convlens("predict", run, f"{server}/{name}", "--allow-url")
        assert alone.status == 2, name
        assert told in alone.err, name
        assert "convlens-" not in alone.err, "the file it was kept in is no name for it"
        both = convlens("predict", run, f"{server}/{name}", local, "--allow-url")
        assert both.status == 0, name
        assert len(both.out.splitlines()) == 1
        assert f"{server}/{name}" in both.err


def test_a_server_that_is_not_there(tmp_path: Path, server: str) -> None:
    url = "http://127.0.0.1:9/leaf.png"
    from convlens.core.errors import WorkFailedError
    from convlens.core.reporter import Quiet

    with pytest.raises(WorkFailedError, match="cannot be reached"):
        downloads.fetch_unpublished(url, tmp_path / "0", largest=10, reporter=Quiet())
    with pytest.raises(WorkFailedError, match="could not be fetched"):
        downloads.fetch_unpublished("http://[::1", tmp_path / "0", largest=10, reporter=Quiet())
