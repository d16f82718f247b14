"""How a peer is asked and answers; imports no framework, for a peer has its own."""

import json
import os
import re
import resource
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

Config = Mapping[str, Any]


def answer(measure: Callable[[Config], Mapping[str, Any]]) -> None:
    """Read what is asked, measure on as many cores as it says, write what was found.

    Args:
        measure: is given what `run_peer` was given; imports its framework itself, so that the
            framework finds the cores that it is allowed.
    """
    asked, out = map(Path, sys.argv[1:])
    config: Config = json.loads(asked.read_text("utf-8"))
    cores = sorted(os.sched_getaffinity(0))[: config["threads"]]
    os.sched_setaffinity(0, cores)
    found = dict(measure(config))
    out.write_text(json.dumps(found | {"peak_memory_mb": round(peak_memory_mb())}), "utf-8")


def peak_memory_mb() -> float:
    """The most memory this process has had resident, in MB of 1,000,000 bytes.

    Linux's own count is of this program alone; that of `resource` begins with what the process
    that started it had.
    """
    status = Path("/proc/self/status")
    text = status.read_text("utf-8") if status.is_file() else ""
    found = re.search(r"VmHWM:\s*(\d+) kB", text)
    kilobytes = int(found[1]) if found else resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return kilobytes * 1024 / 1e6
