"""Convolution, written out in loops to be read.

What a convolutional network calls a convolution is a cross-correlation: the kernel is not flipped
(Goodfellow, Bengio and Courville, "Deep Learning", section 9.1, equation 9.6).
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from convlens.inspection.kernels import Kernel
from convlens.inspection.sliding import Matrix, Padding, Sliding, as_matrix, slide


def convolve(
    image: ArrayLike,
    kernel: ArrayLike,
    *,
    stride: int = 1,
    padding: Padding = 0,
    dilation: int = 1,
) -> Matrix:
    """Slide a kernel over an image: at each stop, multiply by what lies under it and add up.

    Args:
        image: H×W numbers.
        kernel: k_h×k_w weights.
        stride: pixels from one stop to the next.
        padding: rows and columns of zeros on every side; ``"valid"`` is none, ``"same"`` as many
            as make the output ceil(H / stride) × ceil(W / stride), the odd one below and right.
        dilation: pixels from one weight to the next.

    Returns:
        The feature map, h×w float64: what ``torch.nn.functional.conv2d`` gives.

    Raises:
        ConvlensError: the kernel does not fit into the padded image, or a step is below 1.

    Example:
        >>> convolve([[1, 2, 0], [0, 1, 2], [1, 0, 1]], [[-1, 1], [0, 0]]).tolist()
        [[1.0, -2.0], [1.0, 1.0]]
    """
    image, weights = as_matrix(image, "image"), as_matrix(kernel, "kernel")
    sliding = slide(image.shape, weights.shape, stride=stride, padding=padding, dilation=dilation)
    padded = sliding.pad(image)
    feature_map = np.zeros(sliding.output_shape)
    for row in range(feature_map.shape[0]):
        for column in range(feature_map.shape[1]):
            top, left = row * stride, column * stride
            total = 0.0
            for i in range(weights.shape[0]):
                for j in range(weights.shape[1]):
                    total += padded[top + i * dilation, left + j * dilation] * weights[i, j]
            feature_map[row, column] = total
    return feature_map


@dataclass(frozen=True)
class Convolution:
    """One kernel slid over one image.

    Attributes:
        image: H×W float64.
        kernel: what slid.
        sliding: where it stopped.
        feature_map: h×w float64.
    """

    image: Matrix
    kernel: Kernel
    sliding: Sliding
    feature_map: Matrix

    def products(self, row: int, column: int) -> Matrix:
        """What is added up to one number of the feature map: pixels times weights, k_h×k_w."""
        under = self.sliding.under(self.sliding.pad(self.image), row, column)
        return under * self.kernel.weights + 0.0  # a product of -0 reads as 0

    def strongest(self) -> tuple[int, int]:
        """Row and column of the number furthest from 0, leaving out those that see padding."""
        whole = self.sliding.sees_image_alone()
        size = np.where(whole if whole.any() else True, np.abs(self.feature_map), -1)
        row, column = np.unravel_index(size.argmax(), size.shape)
        return int(row), int(column)


def convolution(
    image: ArrayLike,
    kernel: Kernel,
    *,
    stride: int = 1,
    padding: Padding = 0,
    dilation: int = 1,
) -> Convolution:
    """`convolve`, with all that a picture of it shows.

    Example:
        >>> from convlens.inspection.kernels import find_kernel
        >>> shown = convolution(EXAMPLE_IMAGE, find_kernel("vertical edge"))
        >>> shown.products(0, 0).tolist(), float(shown.feature_map[0, 0])
        ([[-1.0, 0.0, 0.0], [0.0, 0.0, 2.0], [-1.0, 0.0, 1.0]], 1.0)
    """
    image = as_matrix(image, "image")
    feature_map = convolve(image, kernel.weights, stride=stride, padding=padding, dilation=dilation)
    sliding = slide(
        image.shape, kernel.weights.shape, stride=stride, padding=padding, dilation=dilation
    )
    return Convolution(image, kernel, sliding, feature_map)


EXAMPLE_IMAGE = np.array(
    [
        [1, 2, 0, 1, 3],
        [0, 1, 2, 3, 1],
        [1, 0, 1, 0, 2],
        [2, 1, 0, 1, 0],
        [0, 3, 2, 1, 1],
    ],
    np.float64,
)
"""A 5×5 image small enough to convolve by hand."""
