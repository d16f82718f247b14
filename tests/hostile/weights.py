"""Files of weights: pickles that would run something, claims of any size, and damage by chance."""

import functools
import io
import pickle
import random
import struct
import warnings
import zipfile
from collections.abc import Callable
from pathlib import Path

import torch
from safetensors.torch import save

from tests.hostile import programs
from tests.hostile.case import Case, Check, Ground, Kind, refused
from tests.hostile.mutations import mutate
from tests.hostile.programs import STATE, bare, legacy, zipped

_NETWORK = "conv 4 3 same relu, flatten, dense"
_HUGE = 2**62


def _saved(*, zipped_file: bool) -> bytes:
    file = io.BytesIO()
    torch.save(STATE, file, _use_new_zipfile_serialization=zipped_file)
    return file.getvalue()


@functools.cache
def samples() -> dict[str, bytes]:
    """Sound files, by suffix and more."""
    return {
        "pth": _saved(zipped_file=True),
        "pth-legacy": _saved(zipped_file=False),
        "safetensors": save(STATE),
    }


_START = b"\x80\x02"


def _bytes_of(size: int) -> bytes:
    """BINBYTES8, BINUNICODE8 and BYTEARRAY8 each claim this many bytes."""
    claims = (opcode + struct.pack("<Q", size) for opcode in (b"\x8e", b"\x8d", b"\x96"))
    return b"\x80\x04" + b"".join(claims)


_PROGRAMS: dict[str, bytes] = {
    "claims-bytes": _bytes_of(_HUGE),
    "claims-a-text": b"\x80\x04\x8d" + struct.pack("<Q", _HUGE) + b"x.",
    "claims-a-buffer": b"\x80\x05\x96" + struct.pack("<Q", _HUGE) + b"x.",
    "claims-a-frame": b"\x80\x04\x95" + struct.pack("<Q", _HUGE) + b"N.",
    "claims-a-number": _START + b"\x8b" + struct.pack("<i", 2**31 - 1) + b"\1.",
    "claims-less-than-nothing": _START + b"\x8b" + struct.pack("<i", -(2**31)) + b"\1.",
    "long-number": _START + b"L" + b"9" * 3_000_000 + b"L\n.",
    "far-memo": _START + b"Nr" + b"\xff\xff\xff\xff.",
    "memo-unset": _START + b"j" + b"\xff\xff\xff\xff.",
    "nested-lists": _START + b"]" * 1_000_000 + b"a" * 999_999 + b".",
    "nested-tuples": _START + b")" + b"\x85" * 1_000_000 + b".",
    "nested-marks": _START + b"(" * 5_000_000 + b".",
    "list-in-itself": _START + b"]q\0h\0a.",
    "doubled-thirty-times": _START + b"]" + b"2\x86" * 30 + b".",
    "empty-stack": _START + b"0000.",
    "no-end": _START + b"N" * 1_000_000,
    "unknown-protocol": b"\x80\xff" + b"N.",
    "extension": _START + b"\x84\x01\0\0\0.",
    "persistent": _START + b"Pos.system\n.",
    "persistent-text": _START + b"X\x09\0\0\0os.systemQ.",
    "unicode": _START + b"Vos.system\\ud800\\udfff\n.",
    "global-with-dots": _START + b"ctorch\n_utils.os.system\n.",
    "global-of-builtins": b"\x80\x02c__builtin__\neval\nX\x01\0\0\x001\x85R.",
    "global-of-numpy": b"\x80\x02cnumpy.core.multiarray\n_reconstruct\n.",
    "global-of-torch": b"\x80\x02ctorch._tensor\n_rebuild_from_type_v2\n.",
    "global-of-torch-load": b"\x80\x02ctorch.serialization\nload\n.",
}


def _rebuilt(size: str, stride: str, *, count: int = 6, offset: int = 0) -> bytes:
    """A pickle of a tensor with any size, stride, place and count of numbers."""
    storage = b"((X\x07\0\0\0storagectorch\nFloatStorage\nX\x01\0\0\0" + b"0X\x03\0\0\0cpu"
    number = b"\x8a\x08" + struct.pack("<q", count)
    tensor = storage + number + b"tQ" + b"\x8a\x08" + struct.pack("<q", offset)
    shape = size.encode() + stride.encode() + b"\x89ccollections\nOrderedDict\n)RtR"
    return b"\x80\x02}X\x01\0\0\0wctorch._utils\n_rebuild_tensor_v2\n" + tensor + shape + b"s."


_TENSORS = {
    "tensor-huge": _rebuilt(f"(L{2**40}L\nt", "(K\1t"),
    "tensor-negative": _rebuilt("(L-5L\nt", "(K\1t"),
    "tensor-huge-stride": _rebuilt("(K\2t", f"(L{_HUGE}L\nt"),
    "tensor-negative-stride": _rebuilt("(K\2t", "(L-1L\nt"),
    "tensor-far-offset": _rebuilt("(K\2t", "(K\1t", offset=_HUGE),
    "tensor-negative-offset": _rebuilt("(K\2t", "(K\1t", offset=-4),
    "tensor-huge-count": _rebuilt("(K\2t", "(K\1t", count=_HUGE),
    "tensor-expanded": _rebuilt(f"(L{2**40}L\nt", "(K\0t"),
}


def _hidden(make: Callable[[Path], bytes], wrap: Callable[[bytes, Path], None]) -> "_Craft":
    def craft(ground: Ground) -> bytes:
        path = ground.folder / "made.pth"
        wrap(make(ground.marker), path)
        data = path.read_bytes()
        path.unlink()
        return data

    return craft


def _program(data: bytes) -> Callable[[Path], bytes]:
    return lambda _: data


def _zip(*members: tuple[str, bytes]) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive, warnings.catch_warnings():
        warnings.simplefilter("ignore")  # two members may have one name here
        for name, content in members:
            archive.writestr(zipfile.ZipInfo(name), content)
    return file.getvalue()


def _header(text: bytes, *, size: int | None = None, content: bytes = b"") -> bytes:
    return struct.pack("<Q", len(text) if size is None else size) + text + content


def _tensor(dtype: str, shape: str, begin: int, end: int) -> bytes:
    facts = f'{{"dtype":"{dtype}","shape":{shape},"data_offsets":[{begin},{end}]}}'
    return f'{{"w":{facts}}}'.encode()


_Craft = Callable[[Ground], bytes]
_STATE_PICKLE = pickle.dumps({}, protocol=2)

_PTH: dict[str, _Craft] = {
    f"{name.replace(' ', '-')}-{wrap.__name__}": _hidden(make, wrap)
    for number, (name, make) in enumerate(programs.HOSTILE.items())
    for wrap in ((zipped, legacy, bare)[number % 3],)
}
_PTH |= {
    name: _hidden(_program(data), zipped if number % 2 else bare)
    for number, (name, data) in enumerate(_PROGRAMS.items())
}
_PTH |= {
    name: _hidden(lambda _, program=program: program, zipped) for name, program in _TENSORS.items()
}
_PTH |= {
    "zip-two-programs": lambda ground: _zip(
        ("a/data.pkl", _STATE_PICKLE),
        ("b/data.pkl", programs.HOSTILE["os.mkdir"](ground.marker)),
    ),
    "zip-same-program-twice": lambda ground: _zip(
        ("a/data.pkl", _STATE_PICKLE),
        ("a/data.pkl", programs.HOSTILE["os.mkdir"](ground.marker)),
    ),
    "zip-compiled": lambda _: _zip(
        ("a/data.pkl", _STATE_PICKLE), ("a/constants.pkl", _STATE_PICKLE), ("a/version", b"3")
    ),
    "zip-program-beside": lambda ground: _zip(
        ("data.pkl", programs.HOSTILE["os.mkdir"](ground.marker)), ("a/data.pkl", _STATE_PICKLE)
    ),
}
_SAFE: dict[str, bytes] = {
    "header-of-all-memory": _header(b"{}", size=2**63),
    "header-deep": _header(b'{"a":' * 200_000 + b"1" + b"}" * 200_000),
    "header-deep-lists": _header(b"[" * 1_000_000),
    "header-no-object": _header(b"[1, 2]"),
    "header-huge-shape": _header(_tensor("F32", "[4611686018427387904, 8]", 0, 4), content=b"0000"),
    "header-negative": _header(_tensor("F32", "[-1]", 0, 4), content=b"0000"),
    "header-overlap": _header(_tensor("F32", "[1]", 0, 2**62), content=b"0000"),
    "header-dtype": _header(_tensor("F3\x1b[31m", "[1]", 0, 4), content=b"0000"),
    "header-not-utf-8": _header(b'{"\xff": 1}'),
    "header-many": _header(
        b"{"
        + b",".join(b'"w%d":' % n + _tensor("F32", "[0]", 0, 0)[5:-1] for n in range(99_999))
        + b"}"
    ),
}


def case(ground: Ground, suffix: str, data: bytes, check: Check) -> Case:
    """A file of weights for a network that does not fit it: to be read, and refused."""
    path = ground.folder / f"hostile.{suffix}"
    path.write_bytes(data)
    words = ["visualize", "filters", "lenet5", "--weights", path, "--out", ground.folder / "out"]
    return Case([[*words, "--json"]], check)


def _mutated(ground: Ground, dice: random.Random) -> Case:
    known = samples()
    name = dice.choice(sorted(known))
    return case(ground, name.partition("-")[0], mutate(known[name], dice), refused)


def _crafted(suffix: str, craft: _Craft) -> Callable[[Ground], Case]:
    return lambda ground: case(ground, suffix, craft(ground), refused)


def _always(data: bytes) -> _Craft:
    return lambda _: data


KIND = Kind(
    {name: _crafted("pth", craft) for name, craft in _PTH.items()}
    | {name: _crafted("safetensors", _always(data)) for name, data in _SAFE.items()},
    _mutated,
)
