"""How a peer is asked and answers; imports no framework, for a peer has its own."""

import json
import os
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
    # Not before: a peer of ours is timed with its imports.
    from convlens.core.memory import peak_resident  # noqa: PLC0415

    out.write_text(json.dumps(found | {"peak_memory_mb": round(peak_resident() / 1e6)}), "utf-8")
