"""Pickles that would do something if they were loaded: each leaves a marker, and only a marker."""

import functools
import io
import logging
import operator
import os
import pathlib
import pickle
import runpy
import shutil
import sqlite3
import subprocess
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch

STATE = {"a.weight": torch.arange(6.0).reshape(2, 3), "a.bias": torch.tensor([1.0, 2.0])}
"""Sound weights, in which programs are hidden."""


class Calls:
    """Pickled, it asks for a call."""

    def __init__(self, function: object, *args: object) -> None:
        self.asked = (function, args)

    def __call__(self) -> None:
        """Pickle wants what is called to look callable."""

    def __reduce__(self) -> tuple[object, tuple[object, ...]]:
        return self.asked


def pickled(*calls: object) -> bytes:
    """A pickle that asks for a call."""
    return pickle.dumps(Calls(*calls), protocol=2)


def touch(marker: Path) -> str:
    return f"open({str(marker)!r}, 'w').close()"


def by_script(marker: Path) -> bytes:
    script = marker.with_suffix(".py")
    script.write_text(touch(marker))
    return pickled(runpy.run_path, str(script))


def by_copy(marker: Path) -> bytes:
    return pickled(shutil.copyfile, __file__, str(marker))


def by_state(marker: Path) -> bytes:
    """BUILD gives an object a __setstate__, and BUILD again calls it."""
    return (
        b"\x80\x02ctypes\nSimpleNamespace\n)R}X\x0c\x00\x00\x00__setstate__cposix\nsystem\nsb"
        + f"V: > {marker}\nb.".encode()
    )


def in_parts(marker: Path) -> bytes:
    """The module's name and the function's are strings on the stack."""
    command = f": > {marker}".encode()
    return (
        b"\x80\x04\x8c\x05posix\x8c\x06system\x93\x8c" + bytes([len(command)]) + command + b"\x85R."
    )


HOSTILE: dict[str, Callable[[Path], bytes]] = {
    "os.system": lambda m: pickled(os.system, f": > {m}"),
    "os.mkdir": lambda m: pickled(os.mkdir, str(m)),
    "os.symlink": lambda m: pickled(os.symlink, __file__, str(m)),
    "os.popen": lambda m: pickled(os.popen, f": > {m}"),
    "subprocess": lambda m: pickled(subprocess.call, ["touch", str(m)]),
    "eval": lambda m: pickled(eval, touch(m)),
    "exec": lambda m: pickled(exec, touch(m)),
    "open": lambda m: pickled(open, str(m), "w"),
    "io.FileIO": lambda m: pickled(io.FileIO, str(m), "w"),
    "Path.touch": lambda m: pickled(pathlib.Path.touch, m),
    "methodcaller": lambda m: pickled(Calls(operator.methodcaller, "touch"), m),
    "partial": lambda m: pickled(Calls(functools.partial, os.mkdir, str(m))),
    "runpy": by_script,
    "shutil": by_copy,
    "nested pickle": lambda m: pickled(pickle.loads, pickled(os.mkdir, str(m))),
    "logging": lambda m: pickled(logging.FileHandler, str(m)),
    "sqlite3": lambda m: pickled(sqlite3.connect, str(m)),
    "numpy": lambda m: pickled(np.savetxt, str(m), [1.0]),
    "torch.save": lambda m: pickled(torch.save, {}, str(m)),
    "getattr": lambda m: pickled(Calls(getattr, Calls(__import__, "os"), "mkdir"), str(m)),
    "beside a tensor": lambda m: pickle.dumps({"n": 1, "w": Calls(os.mkdir, str(m))}, protocol=2),
    "operation INST": lambda m: f"(V: > {m}\niposix\nsystem\n.".encode(),
    "operation OBJ": lambda m: f"(cposix\nsystem\nV: > {m}\no.".encode(),
    "operation BUILD": by_state,
    "operation STACK_GLOBAL": in_parts,
}


def zipped(program: bytes, to: Path) -> None:
    """What torch.save writes, with another program in it."""
    torch.save(STATE, to.with_suffix(".whole"))
    with zipfile.ZipFile(to.with_suffix(".whole")) as whole, zipfile.ZipFile(to, "w") as archive:
        for entry in whole.infolist():
            content = program if entry.filename.endswith("data.pkl") else whole.read(entry)
            archive.writestr(entry.filename, content)


def legacy(program: bytes, to: Path) -> None:
    magic, protocol = 0x1950A86A20F9469CFC6C, 1001
    system = {"protocol_version": 1001, "little_endian": True, "type_sizes": {}}
    parts = [pickle.dumps(part, protocol=2) for part in (magic, protocol, system)]
    to.write_bytes(b"".join([*parts, program, pickle.dumps([], protocol=2)]))


def bare(program: bytes, to: Path) -> None:
    to.write_bytes(program if program.startswith(b"\x80") else b"\x80\x02" + program)
