"""The best bare PyTorch loop for the standard network: tensors in memory, nothing but steps."""

from typing import Any

import numpy as np
from benchmarks.peers.peer import Config, answer
from benchmarks.peers.torch_parts import standard_network, timed_epochs


def measure(config: Config) -> dict[str, Any]:
    """Seconds of the epochs after the first.

    Pixels are scaled beforehand and lie in channels-last memory, so that gathering rows makes a
    channels-last batch; the optimizer is the fused one; no figure is read before an epoch's end. On
    a GPU all of it lies there, and networks compute in bfloat16.
    """
    import torch  # noqa: PLC0415
    from torch.nn import functional as F  # noqa: PLC0415

    torch.set_num_threads(config["threads"])
    torch.manual_seed(0)
    device = torch.device(config["device"])
    in_16_bits = torch.autocast(device.type, torch.bfloat16, enabled=device.type != "cpu")
    arrays = np.load(config["arrays"])
    splits = ("train", "val")
    pixels = {s: torch.from_numpy(arrays[f"X_{s}"]).float().div_(255).to(device) for s in splits}
    labels = {s: torch.from_numpy(arrays[f"y_{s}"]).long().to(device) for s in splits}
    samples, (side, channels) = len(pixels["train"]), pixels["train"].shape[2:]

    network = standard_network(side, channels, config["classes"], inplace=True)
    network = network.to(device, memory_format=torch.channels_last)
    optimizer = torch.optim.Adam(network.parameters(), lr=1e-3, fused=True)
    forward = torch.compile(network) if config.get("compile") else network

    def batch(split: str, rows: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        taken = pixels[split].index_select(0, rows).permute(0, 3, 1, 2)
        return taken, labels[split].index_select(0, rows)

    def train() -> float:
        network.train()
        total = torch.zeros((), device=device)
        for rows in torch.randperm(samples, device=device).split(config["batch"]):
            x, y = batch("train", rows)
            optimizer.zero_grad()
            with in_16_bits:
                loss = F.cross_entropy(forward(x), y)
            loss.backward()
            optimizer.step()
            total += loss.detach() * len(rows)
        return total.item() / samples

    @torch.inference_mode()
    def validate() -> tuple[float, float]:
        network.eval()
        loss = torch.zeros((), device=device)
        correct = torch.zeros((), dtype=torch.long, device=device)
        for rows in torch.arange(len(pixels["val"]), device=device).split(256):
            x, y = batch("val", rows)
            with in_16_bits:
                logits = network(x)
            loss += F.cross_entropy(logits, y, reduction="sum")
            correct += (logits.argmax(1) == y).sum()
        return loss.item(), correct.item()

    return timed_epochs(train, validate, epochs=config["epochs"], samples=samples, network=network)


if __name__ == "__main__":
    answer(measure)
