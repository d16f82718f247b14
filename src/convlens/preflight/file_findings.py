"""Findings about how files hold their pictures."""

import numpy as np

from convlens.core.formatting import pluralize
from convlens.preflight.context import Material
from convlens.preflight.finding import Finding, found

_WIDE = 16


def several_frames(data: Material) -> Finding | None:
    """Animations and files of several pages, of which the first is used."""
    scan = data.facts.scan
    if scan is None or scan.several_frames is None or not scan.several_frames.any():
        return None
    numbers = np.flatnonzero(scan.several_frames)
    return found(
        "several-frames",
        f"{pluralize(len(numbers), 'file')} of {len(data.facts):,} hold several frames or pages, "
        f"as {data.short(int(numbers[0]))}: the first is used",
        "save the frames that matter as files of their own",
        files=data.names(numbers[:1000]),
        count=len(numbers),
    )


def few_bits(data: Material) -> Finding | None:
    """Images of 16 bits that use fewer, and are scaled by them."""
    scan, spec = data.facts.scan, data.input
    if scan is None or scan.bit_depths is None or spec is None or spec.value_bits == _WIDE:
        return None
    count = int((scan.bit_depths == _WIDE).sum())
    if not count:
        return None
    return found(
        "few-bits",
        f"{pluralize(count)} of {len(data.facts):,} have 16 bits and are scaled by the "
        f"{spec.value_bits} that are in use: {(1 << spec.value_bits) - 1:,} is white",
        f"nothing where the camera has {spec.value_bits} bits; else --set input.value_bits=N",
        count=count,
        value_bits=spec.value_bits,
    )
