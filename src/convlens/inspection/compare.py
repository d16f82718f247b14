"""Networks side by side: what they are, and how fast they are here."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from convlens.core.classifier import Classifier
from convlens.core.device import describe_machine, placed, synchronize
from convlens.core.modes import kept_modes
from convlens.core.reporter import Quiet, Reporter
from convlens.inspection.formulas import Shape, channels_last
from convlens.inspection.gradients import GradientNorm, gradient_by_depth
from convlens.inspection.timing import Timing, alternated
from convlens.inspection.trace import trace


@dataclass(frozen=True, kw_only=True)
class PublishedAccuracy:
    """What somebody else measured.

    Attributes:
        percent: top-1 accuracy.
        source: where that stands.
    """

    percent: float
    source: str


@dataclass(frozen=True, kw_only=True)
class Compared:
    """One network among others.

    Attributes:
        name: what it is called.
        layers: rows of its trace.
        weighted_layers: convolutions and dense layers among them.
        parameters: learnable numbers.
        weight_bytes: what its weights take on disk, a file's few kilobytes of names aside.
        macs: multiply-adds for one image.
        feature_shape: channels, height, width of the map that its head reads.
        receptive_field: pixels that a unit of that map sees; None where it is not known.
        top1: published accuracy on ImageNet; None where there is none.
        latency: of one image.
        throughput: of a batch.
        gradients: size of the gradient at each weighted layer, first to last; empty unless asked.
    """

    name: str
    layers: int
    weighted_layers: int
    parameters: int
    weight_bytes: int
    macs: int
    feature_shape: Shape
    receptive_field: int | None
    top1: PublishedAccuracy | None
    latency: Timing
    throughput: Timing
    gradients: tuple[GradientNorm, ...]

    @property
    def gradient_ratio(self) -> float | None:
        """The first layer's gradient over the last one's; None where it was not asked for."""
        if not self.gradients or self.gradients[-1].norm == 0:
            return None
        return self.gradients[0].norm / self.gradients[-1].norm

    def as_json(self) -> dict[str, Any]:
        """One JSON object; durations are in seconds."""
        return {
            **vars(self),
            "feature_shape": channels_last(self.feature_shape),
            "top1": dict(vars(self.top1)) if self.top1 else None,
            "latency": self.latency.as_json(),
            "throughput": self.throughput.as_json(),
            "gradients": [gradient.as_json() for gradient in self.gradients],
        }


@dataclass(frozen=True, kw_only=True)
class Comparison:
    """Networks side by side.

    Attributes:
        input_shape: channels, height, width of one image.
        batch_size: images in the batch that throughput was measured with.
        networks: in the order given.
        machine: where the durations were measured.
        guidance: one line on what to make of it.
    """

    input_shape: Shape
    batch_size: int
    networks: tuple[Compared, ...]
    machine: dict[str, str | int]
    guidance: str

    def as_json(self) -> dict[str, Any]:
        """One JSON object; shapes are height, width, channels."""
        return {
            "input": channels_last(self.input_shape),
            "batch_size": self.batch_size,
            "networks": [network.as_json() for network in self.networks],
            "machine": self.machine,
            "guidance": self.guidance,
        }


def compare(
    networks: Mapping[str, nn.Module],
    input_shape: Shape,
    *,
    batch_size: int = 8,
    repeats: int = 15,
    seconds: float = 30.0,
    top1: Mapping[str, PublishedAccuracy] | None = None,
    gradients: bool = False,
    device: torch.device | None = None,
    reporter: Reporter | None = None,
) -> Comparison:
    """Put networks side by side, and time them here in turns.

    Args:
        networks: by name; each is moved to the device and to channels-last memory, and timed in
            eval mode.
        input_shape: channels, height, width of one image.
        batch_size: images in the batch for throughput.
        repeats: rounds of timing, at most.
        seconds: about how long each of the two timings may last.
        top1: published accuracy on ImageNet, by name.
        gradients: also measure how much of the gradient reaches each depth, with the weights that
            the networks have.
        device: where to compute; the CPU by default.
        reporter: sees the progress.

    Raises:
        ConvlensError: a network cannot take such an image.

    Example:
        >>> stacked = nn.Sequential(nn.Conv2d(8, 8, 3), nn.Conv2d(8, 8, 3))
        >>> found = compare({"3×3 twice": stacked, "5×5": nn.Conv2d(8, 8, 5)}, (8, 9, 9))
        >>> [(network.receptive_field, network.parameters) for network in found.networks]
        [(5, 1168), (5, 1608)]
    """
    device, reporter = device or torch.device("cpu"), reporter or Quiet()
    shape = tuple(input_shape)
    traces = {name: trace(module, shape) for name, module in networks.items()}
    features = {name: trace(_features(module), shape) for name, module in networks.items()}
    depths = {
        name: gradient_by_depth(module, shape) for name, module in networks.items() if gradients
    }
    with _ready(networks, device):
        latency, throughput = (
            alternated(
                {name: _forward(module, batch) for name, module in networks.items()},
                repeats=repeats,
                seconds=seconds,
                reporter=reporter,
            )
            for batch in (_images(size, shape, device) for size in (1, batch_size))
        )
    rows = tuple(
        Compared(
            name=name,
            layers=len(traces[name].layers),
            weighted_layers=traces[name].weighted_layers,
            parameters=traces[name].parameters,
            weight_bytes=traces[name].weight_bytes,
            macs=traces[name].macs,
            feature_shape=features[name].output_shape,
            receptive_field=features[name].receptive_field,
            top1=(top1 or {}).get(name),
            latency=latency[name],
            throughput=throughput[name],
            gradients=depths.get(name, ()),
        )
        for name in networks
    )
    return Comparison(
        input_shape=shape,
        batch_size=batch_size,
        networks=rows,
        machine=describe_machine(device),
        guidance=guidance(rows),
    )


def guidance(networks: Sequence[Compared]) -> str:
    """One honest line: who is fastest, smallest, most accurate, and what nobody knows yet."""
    if len(networks) < 2:
        return "Name two networks or more to compare them."
    fastest = min(networks, key=lambda network: network.latency.median)
    close = [_quoted(n.name) for n in networks if n.latency.overlaps(fastest.latency)]
    smallest = min(networks, key=lambda network: network.weight_bytes)
    speed = f"{_quoted(fastest.name)} is the fastest here"
    if len(close) > 1:
        speed = f"{', '.join(close[:-1])} and {close[-1]} are too close in speed here to tell apart"
    elif smallest is fastest:
        speed += " and the smallest"
    told = [speed]
    if len(close) > 1 or smallest is not fastest:
        told.append(f"{_quoted(smallest.name)} the smallest")
    known = {n.name: n.top1.percent for n in networks if n.top1}
    if len(known) > 1:
        best = max(known, key=lambda name: known[name])
        told.append(f"{best} the most accurate on ImageNet ({known[best]:.1f} %)")
    return f"{', '.join(told)}; which is best on your images, only training them tells."


def _quoted(name: str) -> str:
    return f"'{name}'" if " " in name else name


def _features(module: nn.Module) -> nn.Module:
    return module.stages if isinstance(module, Classifier) else module


def _images(count: int, shape: Shape, device: torch.device) -> Tensor:
    images = torch.rand((count, *shape), generator=torch.Generator().manual_seed(0))
    return images.to(device, memory_format=torch.channels_last)


def _forward(module: nn.Module, batch: Tensor) -> Callable[[], None]:
    def forward() -> None:
        with torch.inference_mode():
            module(batch)
        synchronize(batch.device)

    return forward


@contextmanager
def _ready(networks: Mapping[str, nn.Module], device: torch.device) -> Iterator[None]:
    with kept_modes(*networks.values()):
        for network in networks.values():
            placed(network, device).eval()
        yield
