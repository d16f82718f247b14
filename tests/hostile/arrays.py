"""Files of arrays, ``.npz`` and ``.npy``: damaged by chance, and crafted ones."""

import functools
import io
import os
import pickle
import random
import struct
import zipfile
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from tests.hostile.archives import zip_of_zeros
from tests.hostile.case import Case, Check, Ground, Kind, Outcome, refused
from tests.hostile.mutations import mutate


@functools.cache
def samples() -> tuple[bytes, ...]:
    """Sound files."""
    noise = np.random.default_rng(0)
    images = noise.integers(0, 256, (40, 9, 9, 3), np.uint8)
    labels = np.arange(40) % 2
    names = np.array(["ant", "bee"])[labels]
    files = []
    for save in (np.savez, np.savez_compressed):
        for x, y in ((images, labels), (images / 255, names), (images[..., 0], labels)):
            file = io.BytesIO()
            save(file, X=x, y=y)
            files.append(file.getvalue())
    return tuple(files)


def npy(header: str, content: bytes = b"", *, version: int = 1) -> bytes:
    """A ``.npy`` file with any header (NumPy's NEP 1)."""
    text = header.encode("latin1") + b"\n"
    size = struct.pack("<H" if version == 1 else "<I", len(text))
    return b"\x93NUMPY" + bytes((version, 0)) + size + text + content


def _described(dtype: str, shape: Any, content: bytes = b"") -> bytes:
    return npy(f"{{'descr': {dtype}, 'fortran_order': False, 'shape': {shape}}}", content)


def npz(**members: bytes) -> bytes:
    """An ``.npz`` file of members as they are."""
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members.items():
            archive.writestr(f"{name}.npy", content)
    return file.getvalue()


class _Touches:
    """Pickled, it asks to make a file."""

    def __init__(self, path: str) -> None:
        self._path = path

    def __reduce__(self) -> tuple[Any, ...]:
        return os.mkdir, (self._path,)


def _saved(array: Any) -> bytes:
    file = io.BytesIO()
    np.save(file, array)
    return file.getvalue()


_LABELS = _saved(np.arange(40) % 2)


def _pickled(ground: Ground) -> bytes:
    program = pickle.dumps(_Touches(str(ground.marker)), protocol=2)
    return npz(X=_saved(np.zeros((40, 9, 9), np.uint8)), y=_described("'|O'", "(40,)", program))


def _bare_pickle(ground: Ground) -> bytes:
    return pickle.dumps(_Touches(str(ground.marker)), protocol=2)


def _zeros_as_pixels() -> bytes:
    """Images of 2 GB in 2 MB, whose header is right."""
    images = 1 << 19
    header = _described("'|u1'", f"({images}, 64, 64)")
    labels = _saved(np.arange(images, dtype=np.uint8) % 2)
    return zip_of_zeros("X.npy", images << 12, before=header, beside={"y.npy": labels})


_CRAFTED: dict[str, Callable[[Ground], bytes]] = {
    "object-labels": _pickled,
    "bare-pickle": _bare_pickle,
    "huge-shape": lambda _: npz(X=_described("'|u1'", f"({2**40}, 8, 8)"), y=_LABELS),
    "overflowing-shape": lambda _: npz(X=_described("'|u1'", f"({2**62}, {2**62})"), y=_LABELS),
    "negative-shape": lambda _: npz(X=_described("'|u1'", "(-1, 8, 8)"), y=_LABELS),
    "many-dimensions": lambda _: npz(X=_described("'|u1'", f"({'1, ' * 300})"), y=_LABELS),
    "long-header": lambda _: npz(X=npy("{" + " " * 40_000_000 + "}", version=2), y=_LABELS),
    "deep-header": lambda _: npz(X=npy("(" * 60_000 + ")" * 5000), y=_LABELS),
    "code-as-header": lambda _: npz(X=npy("__import__('os').system('true')"), y=_LABELS),
    "huge-item": lambda _: npz(X=_described(f"'|V{2**31 - 1}'", "(40,)"), y=_LABELS),
    "nested-dtype": lambda _: npz(
        X=_described("[('a', " * 400 + "'|u1'" + ")]" * 400, "(40,)"), y=_LABELS
    ),
    "dates": lambda _: npz(X=_described("'<M8[s]'", "(40, 1)", bytes(320)), y=_LABELS),
    "complex": lambda _: npz(X=_described("'<c16'", "(1, 8, 8)", bytes(1024)), y=_LABELS),
    "text-as-pixels": lambda _: npz(X=_described("'<U4'", "(40, 8, 8)", bytes(40960)), y=_LABELS),
    "labels-not-finite": lambda _: npz(
        X=_saved(np.zeros((4, 9, 9), np.uint8)), y=_saved(np.array([0, np.nan, np.inf, 1]))
    ),
    "pixels-not-finite": lambda _: npz(X=_saved(np.full((40, 9, 9), np.nan)), y=_LABELS),
    "control-characters": lambda _: npz(
        X=_saved(np.zeros((4, 9, 9), np.uint8)),
        y=_saved(np.array(["a\x1b[31m", "b\n\n", "a\x1b[31m", "<script>"])),
    ),
    "odd-names": lambda _: npz(**{"\x1b[31mX": _LABELS, "../../y": _LABELS}),
    "zeros": lambda _: zip_of_zeros("X.npy", 9 << 27),
    "zeros-as-pixels": lambda _: _zeros_as_pixels(),
}
_MAY_PASS = {"control-characters"}


def case(ground: Ground, data: bytes, check: Check) -> Case:
    """A file of arrays that is looked into."""
    path = ground.folder / "hostile.npz"
    path.write_bytes(data)
    return Case([["data", "info", path, "--json"]], check)


def _anything(_: Sequence[Outcome]) -> tuple[str, ...]:
    return ()


def _crafted(name: str, make: Callable[[Ground], bytes]) -> Callable[[Ground], Case]:
    check: Check = _anything if name in _MAY_PASS else refused
    return lambda ground: case(ground, make(ground), check)


def _mutated(ground: Ground, dice: random.Random) -> Case:
    data = dice.choice(samples())
    if dice.random() < 0.5:
        return case(ground, mutate(data, dice), _anything)
    with zipfile.ZipFile(io.BytesIO(data)) as archive:  # damage that the zip then vouches for
        members = {name: archive.read(name) for name in archive.namelist()}
    name = dice.choice(sorted(members))
    members[name] = mutate(members[name], dice)
    return case(ground, npz(**{key[:-4]: value for key, value in members.items()}), _anything)


KIND = Kind({name: _crafted(name, make) for name, make in _CRAFTED.items()}, _mutated)
