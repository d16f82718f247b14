"""TrivialAugment's operations, each as a change of one parameter.

Müller and Hutter, "TrivialAugment: tuning-free yet state-of-the-art data augmentation", arXiv
2103.10158, algorithm 1, with the wide search space of the paper and its code. Every image gets one
operation, drawn uniformly, at one of 31 strengths, drawn uniformly. The geometric ones join the
one warp, so they are interpolated bilinearly and filled by ``fill_mode``, where the paper's code
takes the nearest pixel and fills with black; they turn and shear about the center.
"""

from dataclasses import dataclass
from typing import Any, Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

Kind: TypeAlias = Literal["add", "scale", "lower", "switch"]

LEVELS = 31


@dataclass(frozen=True, slots=True)
class Operation:
    """One row of the paper's table.

    Attributes:
        name: what the paper calls it.
        parameter: the attribute of `convlens.augment.Draws` that it changes; empty for none.
        kind: ``"add"``: plus or minus the amount; ``"scale"``: times 0.01 plus it;
            ``"lower"``: minus it; ``"switch"``: on.
        largest: the amount at full strength; at none it is 0.
        whole: whether the amount is rounded down, as the paper's code does.
    """

    name: str
    parameter: str = ""
    kind: Kind = "switch"
    largest: float = 1.0
    whole: bool = False

    def change(
        self, value: NDArray[Any], amount: NDArray[np.float64], sign: NDArray[np.float64]
    ) -> NDArray[Any]:
        """What the parameter becomes; all (M,), ``amount`` from 0 to ``largest``, sign 1 or -1."""
        size = np.floor(amount) if self.whole else amount
        changed: dict[Kind, NDArray[Any]] = {
            "add": value + sign * size,
            "scale": value * (0.01 + size),
            "lower": value - size,
            "switch": np.ones(len(value)),
        }
        return changed[self.kind].astype(value.dtype, copy=False)


OPERATIONS = (
    Operation("identity"),
    Operation("autocontrast", "autocontrast"),
    Operation("equalize", "equalize"),
    Operation("rotate", "rotation", "add", 135, whole=True),
    Operation("solarize", "solarize", "lower", 256, whole=True),
    Operation("color", "saturation", "scale", 1.99),
    Operation("posterize", "posterize", "lower", 6, whole=True),
    Operation("contrast", "contrast", "scale", 1.99),
    Operation("brightness", "brightness", "scale", 1.99),
    Operation("sharpness", "sharpness", "scale", 1.99),
    Operation("shear x", "skew_x", "add", 0.99),
    Operation("shear y", "skew_y", "add", 0.99),
    Operation("translate x", "shift_x", "add", 32, whole=True),  # pixels, at most the side
    Operation("translate y", "shift_y", "add", 32, whole=True),
)
