"""What was learned about a network's probabilities after its training; it travels in the bundle."""

from typing import Annotated

import numpy as np
import torch
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field

from convlens.evaluation import SelectiveRule

Count = Annotated[int, Field(ge=0)]


class Calibration(BaseModel):
    """How a network's logits become probabilities, and when it says "not sure".

    Attributes:
        temperature: what logits are divided by before the softmax; 1 leaves them as they are.
        fitted_on: the validation images on which the temperature was fitted; 0 where they were too
            few, and it is 1.
        images: the calibration images: validation images that decided nothing else.
        selective: the rule by which the network says "not sure", with what was asked of it; None
            where nothing can be promised.

    Example:
        >>> Calibration(temperature=2.0).probabilities(np.array([[4.0, 0.0]], np.float32)).round(2)
        array([[0.88, 0.12]], dtype=float32)
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    temperature: Annotated[float, Field(ge=1e-6, le=1e6, allow_inf_nan=False)] = 1.0
    fitted_on: Count = 0
    images: Count = 0
    selective: SelectiveRule | None = None

    def probabilities(self, logits: NDArray[np.float32]) -> NDArray[np.float32]:
        """The probability of every class.

        Args:
            logits: (N, K), one a class.

        Returns:
            (N, K) float32; each row sums to 1.
        """
        scaled = torch.from_numpy(logits).float() / self.temperature
        probabilities: NDArray[np.float32] = scaled.softmax(dim=1).numpy()
        return probabilities
