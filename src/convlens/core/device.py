"""Where the arithmetic happens, and what to call it."""

import importlib.metadata
import platform
from contextlib import AbstractContextManager, suppress
from pathlib import Path
from typing import TypeVar

import torch
from torch import nn

from convlens.core.cores import usable_cores
from convlens.core.errors import ConvlensError
from convlens.core.memory import peak_resident

Module = TypeVar("Module", bound=nn.Module)

_DECIDING = ("numpy", "opencv-python-headless", "pillow", "simplejpeg", "scikit-learn", "scipy")


def choose_device(name: str | torch.device = "auto") -> torch.device:
    """The device to work on: ``"auto"`` takes a CUDA GPU, then Apple's, then the CPU.

    Raises:
        ConvlensError: the name is unknown, or this machine has no such device.

    Example:
        >>> choose_device("cpu")
        device(type='cpu')
    """
    if isinstance(name, torch.device):
        return name
    if name == "auto":
        if torch.cuda.is_available():
            return torch.device("cuda")
        return torch.device("mps" if torch.backends.mps.is_available() else "cpu")
    available = {
        "cpu": True,
        "cuda": torch.cuda.is_available(),
        "mps": torch.backends.mps.is_available(),
    }
    kind, colon, index = name.partition(":")
    pluralize = {"cuda": torch.cuda.device_count()}.get(kind, 1)
    if not available.get(kind, False) or (
        colon and not (index.isdecimal() and int(index) < pluralize)
    ):
        here = ", ".join(device for device, there in available.items() if there)
        raise ConvlensError(
            f"device is '{name}'; this machine has: {here}; pass --device auto",
            code="no-such-device",
        )
    return torch.device(name)


def kept_generators(device: torch.device) -> AbstractContextManager[None]:
    """Within it torch's generators may be seeded: those of the CPU and of one device come back."""
    return torch.random.fork_rng(devices=[device] if device.type == "cuda" else [])


def seed_generators(seed: int, device: torch.device) -> None:
    """Seed torch's generators of the CPU and of one device.

    `torch.manual_seed` does so for every kind of GPU there may be, and for each that is not in use
    writes down the stack of calls: a millisecond, too much to ask of every step.

    Example:
        >>> seed_generators(7, torch.device("cpu"))
        >>> drawn = torch.rand(3)
        >>> generator = torch.manual_seed(7)
        >>> torch.equal(torch.rand(3), drawn)
        True
    """
    torch.default_generator.manual_seed(seed)
    if device.type == "cuda":
        with torch.cuda.device(device):
            torch.cuda.manual_seed(seed)
    elif device.type == "mps":
        torch.mps.manual_seed(seed)


def placed(module: Module, device: torch.device, *, channels_last: bool = True) -> Module:
    """The module on a device, in channels-last memory unless told otherwise: mostly the faster."""
    layout = torch.channels_last if channels_last else torch.contiguous_format
    module.to(device)
    module.to(memory_format=layout)  # type: ignore[call-overload]  # torch's stub
    return module


def synchronize(device: torch.device) -> None:
    """Wait until the device has done what it was given; only then has time been taken."""
    if device.type == "cuda":
        torch.cuda.synchronize(device)
    elif device.type == "mps":
        torch.mps.synchronize()


def describe_machine(device: torch.device) -> dict[str, str | int]:
    """What a figure measured here should be read with: processor, cores, threads, versions."""
    return {
        "processor": _processor_name(),
        "cores": usable_cores(),
        "threads": torch.get_num_threads(),
        "device": torch.cuda.get_device_name(device) if device.type == "cuda" else device.type,
        "system": platform.platform(),
        "python": platform.python_version(),
        "torch": torch.__version__,
    }


def library_versions() -> dict[str, str]:
    """The versions of what decodes and resizes images and takes part in the figures, besides torch.

    What is installed under another name than the one asked for (another build of OpenCV) is left
    out.
    """
    found = {}
    for name in _DECIDING:
        with suppress(importlib.metadata.PackageNotFoundError):
            found[name] = importlib.metadata.version(name)
    return found


def peak_memory(device: torch.device) -> int:
    """The most bytes that this process has held so far; on a GPU, there. 0 where nobody says."""
    if device.type == "cuda":
        return torch.cuda.max_memory_allocated(device)
    return peak_resident()


def _processor_name() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text("utf-8").splitlines()
    except OSError:
        return platform.processor() or platform.machine()
    names = (line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    return next(names, platform.machine())
