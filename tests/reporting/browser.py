"""Chromium without a window, spoken to in its own protocol over a pipe: nothing else is needed.

python tests/reporting/browser.py REPORT.html FOLDER      photographs a report in FOLDER
"""

import base64
import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

_NAMES = ("chromium", "chromium-browser", "google-chrome", "chrome")
_FLAGS = (
    "--headless=new",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-dev-shm-usage",
    "--hide-scrollbars",
    "--force-color-profile=srgb",
    "--remote-debugging-pipe",
    "about:blank",
)
_FRAME = "\0"
_LAUNCH = """
import fcntl, os, sys
ours = [fcntl.fcntl(int(number), fcntl.F_DUPFD, 10) for number in sys.argv[1:3]]
for low, high in zip((3, 4), ours):  # where --remote-debugging-pipe expects them
    os.dup2(high, low)
os.execv(sys.argv[3], sys.argv[3:])
"""


def find_chromium() -> str | None:
    return next(filter(None, map(shutil.which, _NAMES)), None)


class Page:
    """One page of the browser."""

    def __init__(self, commands: int, answers: int) -> None:
        self._commands = commands
        self._answers = answers
        self._number = 0
        self._unread = b""
        self._session: str | None = None
        self.loads = 0
        self.requests: list[str] = []
        self.complaints: list[str] = []

    def attach(self) -> None:
        target = self.call("Target.createTarget", url="about:blank")["targetId"]
        session = self.call("Target.attachToTarget", targetId=target, flatten=True)
        self._session = session["sessionId"]
        for domain in ("Page", "Network", "Runtime", "Log"):
            self.call(f"{domain}.enable")

    def open(self, path: Path, *, width: int, height: int = 900, dark: bool = False) -> None:
        self.call(
            "Emulation.setDeviceMetricsOverride",
            width=width,
            height=height,
            deviceScaleFactor=1,
            mobile=width < 600,
        )
        scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
        self.call("Emulation.setEmulatedMedia", media="", features=[scheme])
        before = self.loads
        self.call("Page.navigate", url=path.resolve().as_uri())
        while self.loads == before:
            self._read()
        self.run("Promise.all([...document.images].map(i => i.decode()))")

    def run(self, script: str) -> Any:
        answer = self.call(
            "Runtime.evaluate", expression=script, awaitPromise=True, returnByValue=True
        )
        assert "exceptionDetails" not in answer, answer["exceptionDetails"]
        return answer["result"].get("value")

    def photograph(self, path: Path) -> None:
        size = self.call("Page.getLayoutMetrics")["cssContentSize"]
        clip = {"x": 0, "y": 0, "width": size["width"], "height": size["height"], "scale": 1}
        shot = self.call("Page.captureScreenshot", captureBeyondViewport=True, clip=clip)
        path.write_bytes(base64.b64decode(shot["data"]))

    def print(self, path: Path) -> None:
        printed = self.call("Page.printToPDF", preferCSSPageSize=True, printBackground=True)
        path.write_bytes(base64.b64decode(printed["data"]))

    def call(self, method: str, **parameters: Any) -> dict[str, Any]:
        self._number += 1
        command = {"id": self._number, "method": method, "params": parameters}
        if self._session:
            command["sessionId"] = self._session
        content = (json.dumps(command) + _FRAME).encode()
        while content:
            content = content[os.write(self._commands, content) :]
        while True:
            message = self._read()
            if message.get("id") == self._number:
                assert "error" not in message, message
                result: dict[str, Any] = message["result"]
                return result

    def _read(self) -> dict[str, Any]:
        while _FRAME.encode() not in self._unread:
            chunk = os.read(self._answers, 1 << 20)
            assert chunk, "Chromium left"
            self._unread += chunk
        first, _, self._unread = self._unread.partition(_FRAME.encode())
        message: dict[str, Any] = json.loads(first)
        self._note(message)
        return message

    def _note(self, message: dict[str, Any]) -> None:
        told = message.get("params", {})
        if message.get("method") == "Page.loadEventFired":
            self.loads += 1
        elif message.get("method") == "Network.requestWillBeSent":
            self.requests.append(told["request"]["url"])
        elif message.get("method") == "Log.entryAdded":
            self.complaints.append(told["entry"]["text"])


@contextmanager
def browser() -> Iterator[Page]:
    """A page of a browser that is closed afterward."""
    program = find_chromium()
    assert program, "there is no Chromium here"
    read_commands, commands = os.pipe()
    answers, write_answers = os.pipe()

    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as profile:
        process = subprocess.Popen(
            [
                *(sys.executable, "-c", _LAUNCH, str(read_commands), str(write_answers)),
                *(program, f"--user-data-dir={profile}", *_FLAGS),
            ],
            pass_fds=(read_commands, write_answers),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        os.close(read_commands)
        os.close(write_answers)
        try:
            page = Page(commands, answers)
            page.attach()
            yield page
        finally:
            process.terminate()
            process.wait()
            os.close(commands)
            os.close(answers)


def main(report: Path, folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    with browser() as page:
        for width in (1280, 390):
            for dark in (False, True):
                page.open(report, width=width, dark=dark)
                page.photograph(folder / f"{width}-{'dark' if dark else 'light'}.png")
        page.print(folder / "printed.pdf")


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
