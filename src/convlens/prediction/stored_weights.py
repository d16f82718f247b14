"""The weights in a bundle's file: what its header claims is compared before they are read."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO, NamedTuple, TypeAlias

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import load as load_tensors

from convlens.core.bounded_file import open_bounded, sha256_of

MOST_BYTES = 4 << 30
_TYPES = {
    torch.float64: "F64",
    torch.float32: "F32",
    torch.float16: "F16",
    torch.bfloat16: "BF16",
    torch.int64: "I64",
    torch.int32: "I32",
    torch.int16: "I16",
    torch.int8: "I8",
    torch.uint8: "U8",
    torch.bool: "BOOL",
}


class Stored(NamedTuple):
    """A tensor as a file describes it: its type in safetensors' words, and its shape."""

    dtype: str
    shape: tuple[int, ...]

    def __str__(self) -> str:
        return f"{self.dtype} of shape {self.shape}"


StoredTensors: TypeAlias = Mapping[str, Stored]


@contextmanager
def open_weights(path: Path, sha256: str) -> Iterator[tuple[BinaryIO, StoredTensors]]:
    """Open a file of weights that is the one that was saved.

    Args:
        path: in a bundle's folder.
        sha256: of the whole file, as its manifest says.

    Yields:
        The file at its start, and its tensors as its header describes them.

    Raises:
        OSError: it cannot be read, is no regular file, or is larger than 4 GiB.
        SafetensorError: its bytes are others, or are not safetensors.
    """
    with open_bounded(path, MOST_BYTES) as file:
        if sha256_of(file) != sha256:
            raise SafetensorError("its bytes are not those that were saved")
        file.seek(0)
        with safe_open(path, framework="pt") as header:
            slices = {name: header.get_slice(name) for name in header.keys()}  # noqa: SIM118
            stored = {
                name: Stored(own.get_dtype(), tuple(own.get_shape()))
                for name, own in slices.items()
            }
        yield file, stored


def check_fits(stored: StoredTensors, network: Mapping[str, torch.Tensor]) -> None:
    """Refuse weights that are not exactly those of a network.

    Args:
        stored: what a file's header describes.
        network: the network's state dict, on any device.

    Raises:
        SafetensorError: a name, a shape or a type differs.
    """
    for name, tensor in network.items():
        wanted = Stored(_TYPES.get(tensor.dtype, str(tensor.dtype)), tuple(tensor.shape))
        found = stored.get(name)
        if found is None:
            raise SafetensorError(f"it has no {name}, which the network has")
        if found != wanted:
            raise SafetensorError(f"its {name} is {found}; the network's is {wanted}")
    unknown = next(iter(stored.keys() - network.keys()), None)
    if unknown is not None:
        raise SafetensorError(f"it has {unknown}, which the network has not")


def read_tensors(file: BinaryIO) -> dict[str, torch.Tensor]:
    """The tensors of an open file of weights.

    Raises:
        SafetensorError: a value is not finite.
    """
    tensors = load_tensors(file.read())
    wrong = [name for name, tensor in tensors.items() if not torch.isfinite(tensor).all()]
    if wrong:
        raise SafetensorError(f"{wrong[0]} holds values that are not finite numbers")
    return tensors
