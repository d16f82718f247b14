"""The fastest that this machine multiplies float32 matrices: the limit of all training on it."""

from time import perf_counter
from typing import Any

from benchmarks.peers.peer import Config, answer

_SIDE = 3072


def measure(config: Config) -> dict[str, Any]:
    """The best of the products that fit into some seconds."""
    import torch  # noqa: PLC0415

    torch.set_num_threads(config["threads"])
    left, right = torch.randn(2, _SIDE, _SIDE)
    product = torch.mm(left, right)
    seconds, began = [], perf_counter()
    while perf_counter() - began < config["seconds"]:
        start = perf_counter()
        torch.mm(left, right, out=product)
        seconds.append(perf_counter() - start)
    return {"gflops": 2 * _SIDE**3 / min(seconds) / 1e9}


if __name__ == "__main__":
    answer(measure)
