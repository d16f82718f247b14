"""What a look has found: pictures, arrays and figures, and how they are written to a folder."""

import io
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.figure import Figure
from numpy.typing import NDArray

from convlens.core.canvas import save_picture
from convlens.core.files import write_bytes
from convlens.core.reporter import Quiet, Reporter
from convlens.inspection.pictures.animation import save_animation
from convlens.inspection.pictures.sliding import SlidingPicture


@dataclass(frozen=True, eq=False, kw_only=True)
class Look:
    """What a look has found.

    Attributes:
        figures: pictures, by the name of their file without its ending.
        arrays: what the pictures show, under the same names.
        summary: the numbers worth telling, as plain JSON values.
        sliding: a window that can be animated; None for looks without one.
    """

    figures: Mapping[str, Figure]
    arrays: Mapping[str, Mapping[str, NDArray[Any]]]
    summary: dict[str, Any]
    sliding: SlidingPicture | None = field(default=None)

    def save(
        self, folder: str | Path, *, animate: str | None = None, reporter: Reporter | None = None
    ) -> tuple[Path, ...]:
        """Write the pictures as PNG and the arrays as ``.npz``, under the names they have here.

        Args:
            folder: made where it is not there.
            animate: ``"gif"`` or ``"webp"``: also a moving picture of the sliding window.
            reporter: sees the progress of the moving picture.

        Returns:
            The files.

        Raises:
            ConvlensError: the folder cannot be written to, or the animation is of another kind.
            WorkFailedError: the disk is full.
        """
        files = []
        for name, figure in self.figures.items():
            files.append(Path(folder) / f"{name}.png")
            save_picture(figure, files[-1])
        for name, arrays in self.arrays.items():
            files.append(Path(folder) / f"{name}.npz")
            write_bytes(files[-1], _npz(arrays))
        if animate and self.sliding:
            files.append(Path(folder) / f"{next(iter(self.figures))}.{animate}")
            save_animation(self.sliding, files[-1], reporter or Quiet())
        return tuple(files)


def _npz(arrays: Mapping[str, NDArray[Any]]) -> bytes:
    buffer = io.BytesIO()
    np.savez_compressed(buffer, allow_pickle=False, **arrays)
    return buffer.getvalue()
