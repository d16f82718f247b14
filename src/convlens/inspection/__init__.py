"""Seeing inside a network: what its layers compute, and where its answers come from.

A look is a pure function from a network and decoded images to arrays;
`convlens.inspection.pictures` draws what it found.

Example:
    >>> import numpy as np
    >>> from convlens.core.input_spec import InputSpec
    >>> from convlens.inspection import feature_maps, grad_cam
    >>> from convlens.models import ModelSpec, build
    >>> spec = InputSpec(height=28, width=28, channels=1)
    >>> net = build(ModelSpec(name="simple"), spec, classes=10)
    >>> image = np.zeros((1, 28, 28, 1), np.uint8)
    >>> [maps.maps.shape[1:] for maps in feature_maps(net, image)]
    [(16, 13, 13), (32, 5, 5), (64, 3, 3)]
    >>> grad_cam(net, image).heat.shape
    (1, 3, 3)
"""

from convlens.inspection.compare import Compared, Comparison, PublishedAccuracy, compare
from convlens.inspection.convolution import EXAMPLE_IMAGE, Convolution, convolution, convolve
from convlens.inspection.feature_maps import FeatureMaps, feature_maps
from convlens.inspection.filters import Filters, filters
from convlens.inspection.formulas import shape_in_words
from convlens.inspection.grad_cam import GradCam, grad_cam
from convlens.inspection.gradients import GradientNorm, gradient_by_depth
from convlens.inspection.image_shape import parse_image_shape
from convlens.inspection.kernels import Kernel, find_kernel, known_kernels, read_matrix
from convlens.inspection.layers import Layer, with_followers
from convlens.inspection.named import (
    Named,
    build_named,
    common_input,
    describe,
    given_network,
    published_accuracy,
    trained_network,
)
from convlens.inspection.pooling import Pooling, pool, pooling
from convlens.inspection.shape_errors import check_input, explain_custom_errors
from convlens.inspection.shift import Following, Shift, shift
from convlens.inspection.timing import Timing
from convlens.inspection.trace import Trace, trace
from convlens.inspection.training_memory import TrainingMemory

__all__ = [
    "EXAMPLE_IMAGE",
    "Compared",
    "Comparison",
    "Convolution",
    "FeatureMaps",
    "Filters",
    "Following",
    "GradCam",
    "GradientNorm",
    "Kernel",
    "Layer",
    "Named",
    "Pooling",
    "PublishedAccuracy",
    "Shift",
    "Timing",
    "Trace",
    "TrainingMemory",
    "build_named",
    "check_input",
    "common_input",
    "compare",
    "convolution",
    "convolve",
    "describe",
    "explain_custom_errors",
    "feature_maps",
    "filters",
    "find_kernel",
    "given_network",
    "grad_cam",
    "gradient_by_depth",
    "known_kernels",
    "parse_image_shape",
    "pool",
    "pooling",
    "published_accuracy",
    "read_matrix",
    "shape_in_words",
    "shift",
    "trace",
    "trained_network",
    "with_followers",
]
