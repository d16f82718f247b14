"""The standard network trained as PyTorch's tutorials train: a data set, a loader, a plain loop.

After "Training a Classifier": each image a picture of Pillow's that becomes a tensor on its own, a
``DataLoader`` with two workers, tensors in torch's own layout, ``loss.item()`` in every step, and
validation in a loop of its own.
"""

from typing import Any

import numpy as np
from benchmarks.peers.peer import Config, answer
from benchmarks.peers.torch_parts import standard_network, timed_epochs
from PIL import Image

WORKERS = 2


def measure(config: Config) -> dict[str, Any]:
    """Seconds of the epochs after the first."""
    import torch  # noqa: PLC0415
    from torch.utils.data import DataLoader, Dataset  # noqa: PLC0415

    torch.set_num_threads(config["threads"])
    torch.manual_seed(0)
    arrays = np.load(config["arrays"])
    device = torch.device(config["device"])

    class Images(Dataset[tuple[torch.Tensor, int]]):
        """The images of a split, as a data set of torchvision's holds them."""

        def __init__(self, split: str) -> None:
            self.pixels, self.labels = arrays[f"X_{split}"], arrays[f"y_{split}"]

        def __len__(self) -> int:
            return len(self.labels)

        def __getitem__(self, index: int) -> tuple[torch.Tensor, int]:
            image = Image.fromarray(self.pixels[index].squeeze())
            values = np.array(image, dtype=np.uint8).reshape(self.pixels.shape[1:])
            tensor = torch.from_numpy(values).permute(2, 0, 1).contiguous()
            return tensor.float().div(255), int(self.labels[index])

    workers: dict[str, Any] = {"num_workers": WORKERS, "multiprocessing_context": "fork"}
    train_images = Images("train")
    train = DataLoader(train_images, config["batch"], shuffle=True, **workers)
    val = DataLoader(Images("val"), config["batch"], **workers)
    side, channels = arrays["X_train"].shape[2:]
    network = standard_network(side, channels, config["classes"], inplace=False).to(device)
    criterion = torch.nn.CrossEntropyLoss()
    optimizer = torch.optim.Adam(network.parameters(), lr=1e-3)

    samples = len(train_images)

    def learn() -> float:
        network.train()
        running = 0.0
        for x, y in train:
            images, labels = x.to(device), y.to(device)
            optimizer.zero_grad()
            loss = criterion(network(images), labels)
            loss.backward()
            optimizer.step()
            running += loss.item() * len(labels)
        return running / samples

    def validate() -> int:
        network.eval()
        correct = 0
        with torch.no_grad():
            for x, y in val:
                correct += int((network(x.to(device)).argmax(1).cpu() == y).sum())
        return correct

    return timed_epochs(learn, validate, epochs=config["epochs"], samples=samples, network=network)


if __name__ == "__main__":
    answer(measure)
