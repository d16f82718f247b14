"""Read a file of weights without trusting it: safetensors, or a ``.pth`` as torch saves them.

A ``.pth`` is a pickle, and a pickle is a program. So it is read in three steps: its size, from its
headers; the names its program asks for, without running it; and only then its tensors, by torch
itself with ``weights_only=True``.
"""

import errno
import pickle
import pickletools
import struct
import zipfile
import zlib
from collections.abc import Mapping
from pathlib import Path
from typing import IO

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor

from convlens.core.bounded_file import open_bounded
from convlens.core.errors import ConvlensError

MAX_BYTES = 4 << 30
MAX_PROGRAM_BYTES = 32 << 20
_PROTOCOL = 2

_STORAGES = ("Float", "Double", "Half", "BFloat16", "Long", "Int", "Short", "Char", "Byte", "Bool")
_ALLOWED = frozenset(
    {
        "collections OrderedDict",
        "torch._utils _rebuild_tensor",
        "torch._utils _rebuild_tensor_v2",
        "torch._utils _rebuild_parameter",
        "torch Size",
        *(f"torch {name}Storage" for name in _STORAGES),
    }
)
_REFUSED_OPERATIONS = frozenset(
    {"STACK_GLOBAL", "INST", "OBJ", "NEWOBJ", "NEWOBJ_EX", "EXT1", "EXT2", "EXT4", "PERSID"}
)
_DAMAGE = (
    zipfile.BadZipFile,
    OSError,
    ValueError,  # UnicodeDecodeError among them
    EOFError,
    IndexError,
    OverflowError,
    RecursionError,
    NotImplementedError,  # zipfile's word for a way of packing that it does not know
    struct.error,
    zlib.error,
)
_OTHER_FILES = (
    (b"\xff\xd8\xff", "a JPEG image"),
    (b"\x89PNG", "a PNG image"),
    (b"GIF8", "a GIF image"),
    (b"BM", "a BMP image"),
    (b"RIFF", "a WebP image or other media"),
    (b"II*\x00", "a TIFF image"),
    (b"MM\x00*", "a TIFF image"),
    (b"\x89HDF", "an HDF5 file, as Keras writes them"),
)


def read_weights(path: Path) -> dict[str, Tensor]:
    """The tensors of a file by name.

    Args:
        path: safetensors, or what ``torch.save`` wrote of a state dict (alone, or in a dict under
            ``state_dict``, ``model`` or ``model_state_dict``). What a data-parallel wrapper put
            before every name is taken off.

    Raises:
        ConvlensError: it is missing, damaged, larger than 4 GiB, another kind of file, or a pickle
            that asks for anything but tensors.
    """
    try:
        with open_bounded(path, MAX_BYTES) as file:
            start = file.read(9)
    except OSError as error:
        if error.errno == errno.EFBIG:
            raise _refused(path, f"it has more than {MAX_BYTES >> 30} GiB") from error
        raise ConvlensError(
            f"cannot read the weights {path} ({error.strerror}); pass a .safetensors or .pth file",
            code="unreadable-weights",
        ) from error
    for magic, what in _OTHER_FILES:
        if start.startswith(magic):
            raise _refused(path, f"it is {what}, not weights; pass a .safetensors or .pth file")
    if start.startswith(b"PK"):
        found = _read_zipped(path)
    elif path.suffix == ".safetensors" or start[8:] == b"{":  # behind the length of its header
        return _read_safetensors(path)
    elif start.startswith(b"\x80"):
        found = _read_legacy(path)
    else:
        raise _refused(path, "it is neither safetensors nor what torch.save writes")
    return _state_dict(path, found)


def _read_safetensors(path: Path) -> dict[str, Tensor]:
    try:
        return load_file(path)
    except (SafetensorError, OSError, ValueError, MemoryError) as error:
        raise _refused(path, f"it is damaged: {error}; fetch or export it again") from error


def _read_zipped(path: Path) -> object:
    try:
        with zipfile.ZipFile(path) as archive:
            entries = archive.infolist()
            programs = [entry for entry in entries if entry.filename.endswith("/data.pkl")]
            if sum(entry.file_size for entry in entries) > MAX_BYTES:
                raise _refused(path, f"it unpacks to more than {MAX_BYTES >> 30} GiB")
            if any(entry.compress_type != zipfile.ZIP_STORED for entry in entries):
                raise _refused(path, "it is compressed, which torch.save never does")
            if any(entry.filename.endswith("/constants.pkl") for entry in entries):
                raise _refused(
                    path,
                    "it is a compiled network (TorchScript), which is a program; "
                    "save its state_dict() instead",
                )
            if len(programs) != 1:
                raise _refused(path, "it is an archive, but not one that torch.save wrote")
            if programs[0].file_size > MAX_PROGRAM_BYTES:
                raise _refused(path, f"its pickle has {programs[0].file_size:,} bytes")
            with archive.open(programs[0]) as program:
                _check_program(path, program)
    except _DAMAGE as error:
        raise _refused(path, f"it is damaged: {error}; fetch it again") from error
    return _load(path)


def _read_legacy(path: Path) -> object:
    """Five pickles in a row, then the numbers: what torch.save wrote before version 1.6."""
    with path.open("rb") as file:
        for _ in range(5):
            _check_program(path, file)
    return _load(path)


def _check_program(path: Path, program: IO[bytes]) -> None:
    """Walk a pickle's operations without running one; refuse all that tensors do not need."""
    largest = path.stat().st_size
    number: int = 0
    protocol: object = _PROTOCOL
    try:
        for operation, argument, position in pickletools.genops(program):
            name = operation.name
            asks = name == "GLOBAL" and argument not in _ALLOWED
            if name in _REFUSED_OPERATIONS or asks:
                wanted = str(argument).replace(" ", ".") if asks else f"the operation {name}"
                raise _refused(
                    path,
                    f"its pickle asks for {wanted}, not only for tensors; nothing of it was run. "
                    "Save the network's state_dict() alone, or as safetensors",
                )
            if name == "PROTO":
                protocol = argument
            if isinstance(argument, int) and name.startswith(("BININT", "INT", "LONG")):
                number = argument
            if (name == "BINPERSID" and number > largest) or (position or 0) > MAX_PROGRAM_BYTES:
                raise _refused(path, "it claims to hold more numbers than its size allows")
    except (*_DAMAGE, MemoryError) as error:  # a length of 2^62 bytes is no length
        reason = str(error) or "it claims more bytes than there is memory"
        raise _refused(path, f"its pickle is damaged: {reason}; fetch it again") from error
    if protocol != _PROTOCOL:
        raise _refused(
            path,
            f"its pickle is of protocol {protocol}, and torch.save writes {_PROTOCOL}; "
            "save it again without pickle_protocol, or as safetensors",
        )


def _load(path: Path) -> object:
    try:
        found: object = torch.load(path, map_location="cpu", weights_only=True)
    except (
        pickle.UnpicklingError,
        RuntimeError,
        ValueError,
        TypeError,
        LookupError,
        EOFError,
        AttributeError,
        MemoryError,
        RecursionError,
        OSError,
        AssertionError,
    ) as error:
        first = str(error).partition("\n")[0] or type(error).__name__
        raise _refused(path, f"torch refuses it: {first}") from error
    return found


def _state_dict(path: Path, found: object) -> dict[str, Tensor]:
    for key in ("state_dict", "model_state_dict", "model"):
        if isinstance(found, Mapping) and isinstance(found.get(key), Mapping):
            found = found[key]
            break
    if not isinstance(found, Mapping) or not found:
        raise _refused(path, f"it holds a {type(found).__name__}, not tensors by name")
    tensors: dict[str, Tensor] = {}
    for key, value in found.items():
        if not isinstance(value, Tensor) or not isinstance(key, str):
            raise _refused(path, f"'{key}' is a {type(value).__name__}, not a tensor")
        if value.numel() * value.element_size() > value.untyped_storage().nbytes():
            raise _refused(path, f"'{key}' claims more numbers than the file holds")
        tensors[key] = value.detach()
    if all(key.startswith("module.") for key in tensors):
        return {key.removeprefix("module."): value for key, value in tensors.items()}
    return tensors


def _refused(path: Path, reason: str) -> ConvlensError:
    return ConvlensError(f"the weights {path} are refused: {reason}", code="bad-weights")
