"""How much memory and time a process and its children take, as Linux counts it; 0 elsewhere."""

import os
import signal
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path


class Usage:
    """The resident memory and the processor time of a process and of all below it.

    Args:
        pid: the process; what it holds now is the start.

    Attributes:
        highest: bytes above the start that were seen since `begin`.
    """

    def __init__(self, pid: int) -> None:
        self._pid = pid
        self._start = _field(pid, "VmRSS")
        self._began = 0.0
        self.highest = 0

    def begin(self) -> None:
        """Begin to measure: forget what was the highest."""
        with suppress(OSError):
            Path(f"/proc/{self._pid}/clear_refs").write_text("5")  # sets VmHWM to VmRSS
        self.highest = 0
        self._began = self._processor_seconds()

    def look(self) -> int:
        """Bytes above the start that are held right now."""
        held = _field(self._pid, "VmRSS")
        # A forked child shares most pages with its parent, which count once in this sum.
        held += sum(_field(child, "Pss", "smaps_rollup") for child in _children(self._pid))
        self.highest = max(self.highest, held - self._start)
        return held - self._start

    def end(self) -> int:
        """The highest since `begin`: of the process exactly, of its children as it was seen."""
        self.highest = max(self.highest, _field(self._pid, "VmHWM") - self._start, 0)
        return self.highest

    def seconds(self) -> float:
        """Processor time taken since `begin`, of all cores together."""
        return self._processor_seconds() - self._began

    def _processor_seconds(self) -> float:
        return sum(map(_processor_seconds, [self._pid, *_children(self._pid)]))

    def kill_children(self) -> None:
        """Kill all below the process."""
        for child in list(_children(self._pid)):
            with suppress(OSError):
                os.kill(child, signal.SIGKILL)


def _children(pid: int) -> Iterator[int]:
    with suppress(OSError):
        for task in Path(f"/proc/{pid}/task").iterdir():
            for child in map(int, (task / "children").read_text().split()):
                yield child
                yield from _children(child)


def _processor_seconds(pid: int) -> float:
    """Of a process and of its children that have ended (proc(5), fields 14 to 17)."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text("utf-8").rpartition(")")[2].split()
    except OSError:
        return 0.0
    return sum(map(int, fields[11:15])) / os.sysconf("SC_CLK_TCK")


def _field(pid: int, name: str, file: str = "status") -> int:
    try:
        status = Path(f"/proc/{pid}/{file}").read_text("utf-8")
        return int(status.partition(f"{name}:")[2].split()[0]) * 1024
    except (OSError, IndexError):
        return 0
