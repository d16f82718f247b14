"""The fastest that this machine multiplies matrices: the limit of all training on it."""

from time import perf_counter
from typing import Any

from benchmarks.peers.peer import Config, answer

_SIDE = 3072


def measure(config: Config) -> dict[str, Any]:
    """The best of the products that fit into some seconds: float32, on a GPU bfloat16."""
    import torch  # noqa: PLC0415

    from convlens.core.device import synchronize  # noqa: PLC0415

    torch.set_num_threads(config["threads"])
    device = torch.device(config["device"])
    kind = torch.float32 if device.type == "cpu" else torch.bfloat16
    left, right = torch.randn(2, _SIDE, _SIDE).to(device, kind)
    product = torch.mm(left, right)
    seconds, began = [], perf_counter()
    while perf_counter() - began < config["seconds"]:
        start = perf_counter()
        torch.mm(left, right, out=product)
        synchronize(device)
        seconds.append(perf_counter() - start)
    return {"gflops": 2 * _SIDE**3 / min(seconds) / 1e9}


if __name__ == "__main__":
    answer(measure)
