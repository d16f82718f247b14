"""A small problem that a network can learn in a second: which quarter of the image is bright."""

from collections.abc import Iterator

import torch
from torch import nn

from convlens.core.batch import Batch
from convlens.core.classifier import Classifier
from convlens.core.input_spec import InputSpec
from convlens.core.rng import permutation

SPEC = InputSpec(height=8, width=8, channels=1)


class QuarterBatches:
    """Batches of noisy 8×8 images whose bright quarter is the class."""

    def __init__(self, samples: int, *, batch_size: int = 16, seed: int = 0) -> None:
        self.samples = samples
        self.batch_size = batch_size
        generator = torch.Generator().manual_seed(seed)
        self.labels = torch.arange(samples) % 4
        self.pixels = torch.randint(0, 120, (samples, 1, 8, 8), generator=generator)
        for image, label in zip(self.pixels, self.labels.tolist(), strict=True):
            row, column = 4 * (label // 2), 4 * (label % 2)
            image[:, row : row + 4, column : column + 4] += 60
        self.pixels = self.pixels.to(torch.uint8)

    def epoch(self, epoch: int, *, samples_seen: int = 0) -> Iterator[Batch]:
        order = torch.from_numpy(permutation(0, epoch, self.samples))
        for start in range(samples_seen, self.samples, self.batch_size):
            chosen = order[start : start + self.batch_size]
            yield Batch(self.pixels[chosen], self.labels[chosen], chosen, epoch)


def small_network(seed: int = 0) -> Classifier:
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        block = nn.Sequential(
            nn.Conv2d(1, 8, 3, padding=1, bias=False), nn.BatchNorm2d(8), nn.ReLU(), nn.MaxPool2d(2)
        )
        head = nn.Sequential(nn.Flatten(), nn.Dropout(0.2), nn.Linear(8 * 16, 4))
        return Classifier({"block1": block}, head, SPEC)
