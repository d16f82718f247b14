"""What the leading stages of a network make of images, where their weights do not learn.

They run as in prediction (dropout off, statistics held), over the images in their order, in batches
of one size that the last one is filled up to. So the same weights, images and machine give the same
features to the last bit, whatever was computed before.
"""

import hashlib
import json
import math
from collections.abc import Generator, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from convlens.core.batch import BatchTransform
from convlens.core.classifier import Classifier
from convlens.core.device import describe_machine
from convlens.core.modes import kept_modes
from convlens.core.rng import Stream, bits
from convlens.core.version import __version__
from convlens.data import Features, PixelBatches, Pixels

_VERSION = 1
_PIXELS_A_BATCH = 2**18  # 16 images of 128×128: on a CPU as fast as more, in little memory
_PIXELS_A_BATCH_ON_GPU = 2**22
_MOST_A_BATCH = 64
_MACHINE = ("processor", "threads", "device", "torch")
_TOLERANCE = 1e-3


@dataclass(frozen=True, slots=True, kw_only=True)
class Probe:
    """What a network's leading stages are, found by running them on fixed noise.

    Attributes:
        stages: how many, the normalizing one included.
        digest: tells them from any others: weights, structure, code, machine and versions.
        shape: height, width and channels of their feature map.
        problem: why their features cannot be kept; empty where they can.
    """

    stages: int
    digest: bytes
    shape: tuple[int, int, int]
    problem: str = ""

    @property
    def bytes_an_image(self) -> int:
        """What the features of one image fill."""
        return math.prod(self.shape) * np.float32().itemsize


def probe(classifier: Classifier, boundaries: Iterable[int]) -> list[Probe]:
    """Run the leading stages on noise: an image beside another one, and beside itself.

    Weights and structure do not tell all: what the code of a user's own network does, or another
    precision, shows in what they give.

    Args:
        classifier: the network, on its device.
        boundaries: numbers of leading stages, the normalizing one included.

    Returns:
        One for each number of stages, smallest first.
    """
    found, device, start = list[Probe](), _device(classifier), 0
    beside_another = _noise(classifier.input_spec.shape).to(device)
    beside_itself = beside_another[[0, 0]]
    for stop in sorted(set(boundaries)):
        part = classifier.stages[start:stop]
        with as_in_prediction(part), torch.inference_mode(), torch.random.fork_rng(devices=[]):
            beside_another, beside_itself = part(beside_another), part(beside_itself)
        found.append(_probed(classifier, stop, beside_another, beside_itself))
        start = stop
    return found


def stage_maps(
    classifier: Classifier,
    source: Pixels | Features,
    *,
    start: int,
    stop: int,
    transform: BatchTransform | None = None,
    draw: int = 0,
) -> Generator[NDArray[np.float32], None, None]:
    """The features of images, some at a time, in their order.

    Args:
        classifier: the network, on its device.
        source: the images, or what the stages before ``start`` made of them.
        start: the first stage to run.
        stop: the first stage not to run.
        transform: what is done to each batch of images before; None for nothing.
        draw: the epoch that it is done for.

    Yields:
        N×h×w×c float32.
    """
    part, device = classifier.stages[start:stop], _device(classifier)
    batches = PixelBatches(
        source,
        np.zeros(source.rows.max() + 1, np.int64),
        batch_size=_images_a_batch(classifier),
        seed=0,
        shuffle=False,
        last="fill",
    )
    left = len(source)
    for batch in batches.epoch(draw):
        placed = replace(batch, pixels=batch.pixels.to(device))
        with as_in_prediction(part), torch.inference_mode():
            maps: Tensor = part((transform(placed) if transform else placed).pixels)
        yield maps[:left].permute(0, 2, 3, 1).cpu().numpy()
        left -= len(batch)


@contextmanager
def as_in_prediction(module: nn.Module) -> Iterator[None]:
    """Evaluation mode for every module, and on a GPU algorithms that repeat to the last bit."""
    cudnn = torch.backends.cudnn
    flags = cudnn.benchmark, cudnn.deterministic
    cudnn.benchmark, cudnn.deterministic = False, True
    try:
        with kept_modes(module):
            module.eval()
            yield
    finally:
        cudnn.benchmark, cudnn.deterministic = flags


def _device(classifier: Classifier) -> torch.device:
    return next(classifier.parameters()).device


def _images_a_batch(classifier: Classifier) -> int:
    on_cpu = _device(classifier).type == "cpu"
    pixels = _PIXELS_A_BATCH if on_cpu else _PIXELS_A_BATCH_ON_GPU
    _, height, width = classifier.input_spec.shape
    return max(1, min(_MOST_A_BATCH, pixels // (height * width)))


def _noise(shape: tuple[int, int, int]) -> Tensor:
    """Two images, the same ones each time."""
    channels, height, width = shape
    drawn = bits(0, 0, np.arange(2 * math.prod(shape)), Stream.WEIGHTS) & np.uint64(0xFF)
    pixels = drawn.astype(np.uint8).reshape(2, height, width, channels)
    return torch.from_numpy(pixels).permute(0, 3, 1, 2)


def _probed(
    classifier: Classifier, stages: int, beside_another: Tensor, beside_itself: Tensor
) -> Probe:
    problem = _problem(beside_another, beside_itself)
    if problem:
        return Probe(stages=stages, digest=b"", shape=(0, 0, 0), problem=problem)
    digest = _digest(classifier, classifier.stages[:stages])
    digest.update(_bytes(beside_another))
    _, channels, height, width = beside_another.shape
    return Probe(stages=stages, digest=digest.digest(), shape=(height, width, channels))


def _problem(beside_another: Tensor, beside_itself: Tensor) -> str:
    if beside_another.ndim != 4:
        return f"their output has {beside_another.ndim} dimensions, a feature map has 4"
    if beside_another.dtype != torch.float32:
        return f"they compute in {beside_another.dtype}, features are kept in float32"
    one, other = beside_another[0], beside_itself[0]
    scale = one.abs().max().item()
    if not torch.allclose(one, other, rtol=_TOLERANCE, atol=_TOLERANCE * scale, equal_nan=True):
        return "what they give for an image is random, or depends on the others of its batch"
    return ""


def _digest(classifier: Classifier, part: nn.Module) -> "hashlib.blake2b":
    machine = describe_machine(_device(classifier))
    facts = {
        "form": [_VERSION, __version__, _images_a_batch(classifier)],
        "machine": {name: machine[name] for name in _MACHINE},
        "input": classifier.input_spec.model_dump(mode="json"),
        "modules": repr(part),
    }
    digest = hashlib.blake2b(json.dumps(facts).encode(), digest_size=16)
    for name, tensor in part.state_dict().items():
        digest.update(f"\0{name} {tensor.dtype} {tuple(tensor.shape)}\0".encode())
        digest.update(_bytes(tensor))
    return digest


def _bytes(tensor: Tensor) -> memoryview:
    plain = tensor.detach().cpu().contiguous().reshape(-1)
    return plain.view(torch.uint8).numpy().data
