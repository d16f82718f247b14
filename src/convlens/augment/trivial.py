"""TrivialAugment's operations, each as a change of one parameter.

Müller and Hutter, "TrivialAugment: tuning-free yet state-of-the-art data augmentation", arXiv
2103.10158, algorithm 1 and table 1 (wide space). Every image gets one operation, drawn uniformly,
at one of 31 strengths, drawn uniformly. The geometric ones join the one warp, so they are
interpolated bilinearly and filled by ``fill_mode``, where the paper's code takes the nearest pixel
and fills with black; they turn and shear about the centre.
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
        kind: ``"add"``: plus or minus the amount; ``"scale"``: times 1 plus or minus it;
            ``"lower"``: minus it, rounded down; ``"switch"``: on.
        largest: the amount at full strength; at none it is 0.
    """

    name: str
    parameter: str = ""
    kind: Kind = "switch"
    largest: float = 1.0

    def change(
        self, value: NDArray[Any], amount: NDArray[np.float64], sign: NDArray[np.float64]
    ) -> NDArray[Any]:
        """What the parameter becomes; all (M,), ``amount`` from 0 to ``largest``, sign 1 or -1."""
        changed = {
            "add": value + sign * amount,
            "scale": value * (1 + sign * amount),
            "lower": value - np.floor(amount),
            "switch": np.ones(len(value)),
        }
        return changed[self.kind].astype(value.dtype)


OPERATIONS = (
    Operation("identity"),
    Operation("autocontrast", "autocontrast"),
    Operation("equalize", "equalise"),
    Operation("rotate", "rotation", "add", 135.0),
    Operation("solarize", "solarise", "lower", 256),
    Operation("color", "saturation", "scale", 0.99),
    Operation("posterize", "posterise", "lower", 6),
    Operation("contrast", "contrast", "scale", 0.99),
    Operation("brightness", "brightness", "scale", 0.99),
    Operation("sharpness", "sharpness", "scale", 0.99),
    Operation("shear x", "skew_x", "add", 0.99),
    Operation("shear y", "skew_y", "add", 0.99),
    Operation("translate x", "shift_x", "add", 32.0),  # pixels, at most the side
    Operation("translate y", "shift_y", "add", 32.0),
)
