"""Cases that break the rules themselves: what watches must see each of them."""

import os
import time
import warnings
from pathlib import Path

from tests.hostile.case import Case, Ground, Kind


def _die(_: Ground) -> Case:
    os.abort()


def _hang(_: Ground) -> Case:
    time.sleep(3600)
    raise AssertionError


def _grow(_: Ground) -> Case:
    held = bytearray(3 << 29)
    held[::4096] = bytes(len(held[::4096]))  # only what is written to takes memory
    time.sleep(3600)
    raise AssertionError


def _grow_for_a_moment(_: Ground) -> Case:
    held = bytearray(17 << 26)  # 1,088 MiB
    held[::4096] = bytes(len(held[::4096]))
    return Case([])


def _print(_: Ground) -> Case:
    os.write(2, b"libtiff: Bogus marker length.\n")
    return Case([])


def _write(ground: Ground) -> Case:
    return _writing(ground.marker)


def _write_far(ground: Ground) -> Case:
    return _writing(ground.folder.parent.parent / "far")


def _writing(path: Path) -> Case:
    def check(_: object) -> tuple[()]:
        path.write_text("")
        return ()

    return Case([], check)


def _raise(_: Ground) -> Case:
    raise RecursionError


def _warn(_: Ground) -> Case:
    def check(_: object) -> tuple[()]:
        warnings.warn("a bomb?", stacklevel=1)
        return ()

    return Case([], check)


KIND = Kind(
    {
        "dies": _die,
        "hangs": _hang,
        "grows": _grow,
        "grows-for-a-moment": _grow_for_a_moment,
        "prints": _print,
        "writes": _write,
        "writes-far": _write_far,
        "raises": _raise,
        "warns": _warn,
    },
    lambda _, dice: dice.choice((_print, _raise))(_),
)
