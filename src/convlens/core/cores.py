"""How many cores there are to work with; apart from `device`, which needs torch."""

import os


def usable_cores() -> int:
    """The cores this process may run on, which a container often limits."""
    affinity = getattr(os, "sched_getaffinity", None)
    return len(affinity(0)) if affinity else (os.cpu_count() or 1)
