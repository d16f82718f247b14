"""Some lines of Python, as a person would type them: how long they take, imports included."""

import os
from time import perf_counter
from typing import Any

from benchmarks.peers.peer import Config, answer


def measure(config: Config) -> dict[str, Any]:
    """Seconds of the lines, and what they left in ``answer``.

    Args:
        config: ``lines``, and ``threads``.
    """
    os.environ["KERAS_BACKEND"] = "tensorflow"
    code = compile(config["lines"], "<snippet>", "exec")
    names: dict[str, Any] = {}
    start = perf_counter()
    exec(code, names)  # noqa: S102 - a line of a benchmark of ours
    return {"seconds": perf_counter() - start, "answer": names.get("answer")}


if __name__ == "__main__":
    answer(measure)
