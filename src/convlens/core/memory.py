"""How much memory this process has held; imports no framework, so that any may be measured."""

import sys
from pathlib import Path


def peak_resident() -> int:
    """The most bytes that this process has had resident so far; 0 where nobody says."""
    try:
        # Linux's own count is of this program alone; that of `resource` begins with what the
        # process that started it had.
        status = Path("/proc/self/status").read_text("utf-8")
        return int(status.partition("VmHWM:")[2].split()[0]) * 1024
    except (OSError, IndexError):
        pass
    try:
        import resource  # noqa: PLC0415 - Windows has none
    except ImportError:
        return 0
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024
