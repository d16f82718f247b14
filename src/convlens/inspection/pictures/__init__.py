"""Pictures of what a look has found: from its arrays to a figure, and from a figure to a file.

Example:
    >>> from convlens.inspection import EXAMPLE_IMAGE, convolution, find_kernel
    >>> from convlens.inspection.pictures import ConvolutionPicture, png
    >>> picture = ConvolutionPicture(convolution(EXAMPLE_IMAGE, find_kernel("blur")))
    >>> png(picture.figure)[1:4]
    b'PNG'
"""

from convlens.core.canvas import frame, png, save_picture
from convlens.inspection.pictures.animation import save_animation
from convlens.inspection.pictures.by_hand import visualize_convolution, visualize_pooling
from convlens.inspection.pictures.feature_maps import Scale, draw_feature_maps
from convlens.inspection.pictures.filters import draw_filters
from convlens.inspection.pictures.grad_cam import draw_grad_cam, overlay
from convlens.inspection.pictures.look import Look
from convlens.inspection.pictures.rate import draw_rates
from convlens.inspection.pictures.shift import draw_shift
from convlens.inspection.pictures.sliding import (
    ConvolutionPicture,
    PoolingPicture,
    SlidingPicture,
)
from convlens.inspection.pictures.visualizer import Visualizer

__all__ = [
    "ConvolutionPicture",
    "Look",
    "PoolingPicture",
    "Scale",
    "SlidingPicture",
    "Visualizer",
    "draw_feature_maps",
    "draw_filters",
    "draw_grad_cam",
    "draw_rates",
    "draw_shift",
    "frame",
    "overlay",
    "png",
    "save_animation",
    "save_picture",
    "visualize_convolution",
    "visualize_pooling",
]
