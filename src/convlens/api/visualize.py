"""Pictures of what happens inside a network, and the features it makes."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from convlens.api.options import reporter_for
from convlens.api.resolve import subject_meant

if TYPE_CHECKING:
    from convlens.api.trained import Trained
    from convlens.core.classifier import Classifier
    from convlens.inspection.embedding import Embedding
    from convlens.inspection.pictures import Look, Visualizer


def visualize(
    model: Trained | Classifier,
    *,
    pretrained: bool = False,
    weights: str | Path | None = None,
    input: str | None = None,  # noqa: A002 - the verb's own word
    classes: int | None = None,
    seed: int = 0,
    trust_code: bool = False,
    device: str = "auto",
    quiet: bool = False,
) -> Visualizer:
    """Look into a network: feature maps, filters, Grad-CAM, and what moving an image does to it.

    Args:
        model: a `Run`, `Predictor` or `Bundle`, or the folder of one; or a network by name, in the
            layer notation, or your own as ``"file.py:function"``, with random weights unless others
            are asked for; or a `Classifier`.
        pretrained: give a named network its published ImageNet weights.
        weights: give a named network the weights in this file (safetensors or ``.pth``).
        input: a named network's image as ``"28x28x1"``, height x width x channels; by default what
            it was published for.
        classes: a named network's outputs; by default those that it was published with, or 10.
        seed: for random weights.
        trust_code: run the code that the bundle of a network of the user's own carries.
        device: where to compute.
        quiet: show nothing.

    Returns:
        Has a method for each look; a look has figures and arrays, and writes them with ``save``.

    Raises:
        ConvlensError: the network is unknown, or cannot be had as asked.
        WorkFailedError: published weights could not be downloaded.

    Example:
        >>> found = visualize("simple", quiet=True).filters()
        >>> found.summary["layers"][0]["filters"], list(found.figures)
        (16, ['filters-block1.conv1'])
    """
    from convlens.inspection.pictures import Visualizer

    reporter = reporter_for(quiet)
    subject = subject_meant(
        model,
        pretrained=pretrained,
        weights=weights,
        input=input,
        classes=classes,
        seed=seed,
        trust_code=trust_code,
        device=device,
        reporter=reporter,
    )
    return Visualizer(subject, reporter)


def visualize_convolution(
    image: Any = None,
    *,
    kernel: str = "vertical edge",
    stride: int = 1,
    padding: int | Literal["valid", "same"] = 0,
    dilation: int = 1,
    at: tuple[int, int] | None = None,
    size: int = 224,
) -> Look:
    """Slide one kernel over one image, and show the sum that makes one number.

    Args:
        image: a file, whose gray levels from 0 to 255 are taken; or H×W numbers; a 5×5 example by
            default.
        kernel: ``"vertical edge"``, ``"horizontal edge"``, ``"blur"``, ``"sharpen"``, ``"emboss"``
            and others by name, or weights as ``"-1 0 1; -1 0 1; -1 0 1"``.
        stride: pixels from one stop to the next.
        padding: rows and columns of zeros on every side, ``"same"`` or ``"valid"``.
        dilation: pixels from one weight to the next.
        at: row and column of the number to explain; by default the first of a small image, the
            strongest of a large one.
        size: the longer side of a file's image is brought to so many pixels at most.

    Raises:
        ConvlensError: the kernel is unknown or does not fit, or the image cannot be read.

    Example:
        >>> visualize_convolution(kernel="vertical edge").summary["sum"]
        1.0
    """
    from convlens.inspection.pictures import visualize_convolution as slide

    return slide(
        image,
        kernel=kernel,
        stride=stride,
        padding=padding,
        dilation=dilation,
        at=at,
        longest=size,
    )


def visualize_pooling(
    image: Any = None,
    *,
    window: int = 2,
    stride: int | None = None,
    padding: int = 0,
    at: tuple[int, int] | None = None,
    size: int = 224,
) -> Look:
    """Slide a window over one image, keeping the largest number and the mean.

    Args:
        image: as for `visualize_convolution`.
        window: its side in pixels.
        stride: pixels from one stop to the next; the window's side by default.
        padding: rows and columns on every side, at most half the window's side.
        at: row and column of the number to explain; the first by default.
        size: the longer side of a file's image is brought to so many pixels at most.

    Raises:
        ConvlensError: the window does not fit, or the image cannot be read.

    Example:
        >>> visualize_pooling(window=2).summary["max"]
        2.0
    """
    from convlens.inspection.pictures import visualize_pooling as slide

    return slide(image, window=window, stride=stride, padding=padding, at=at, longest=size)


def embed(
    model: Trained | Classifier,
    source: Any,
    *,
    out: str | Path,
    layer: str | None = None,
    pool: bool = True,
    pretrained: bool = False,
    weights: str | Path | None = None,
    input: str | None = None,  # noqa: A002 - the verb's own word
    seed: int = 0,
    trust_code: bool = False,
    device: str = "auto",
    quiet: bool = False,
) -> Embedding:
    """Write what a network makes of every image, as vectors, with names and labels.

    Args:
        model: as for `visualize`.
        source: labeled images in any form that `train` takes; or an image, or a folder of images,
            without labels.
        out: the ``.npz`` file: ``features``, ``names``, ``labels`` (-1 where there is none),
            ``classes``, ``splits``.
        layer: whose output; by default the last stage's, which the head reads.
        pool: average a feature map over its places, so that each image is a vector.
        pretrained: as for `visualize`.
        weights: as for `visualize`.
        input: as for `visualize`.
        seed: for random weights, and for splits that are to be cut.
        trust_code: as for `visualize`.
        device: where to compute.
        quiet: show nothing.

    Raises:
        ConvlensError: the network, the layer or the source is unknown, or nothing can be read.
        WorkFailedError: the disk is full, or published weights could not be downloaded.
    """
    from convlens.data import open_images

    reporter = reporter_for(quiet)
    # The images are opened before the network, which needs torch: a slip is then told at once.
    images = open_images(source, seed=seed, reporter=reporter)

    from convlens.inspection.embedding import embed as write_features

    subject = subject_meant(
        model,
        pretrained=pretrained,
        weights=weights,
        input=input,
        classes=None,
        seed=seed,
        trust_code=trust_code,
        device=device,
        reporter=reporter,
    )
    return write_features(
        subject.classifier, images, Path(out), layer=layer, pool=pool, reporter=reporter
    )
