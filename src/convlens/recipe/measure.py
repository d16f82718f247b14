"""Measuring a bundle on labelled images."""

from pathlib import Path
from typing import Any

from convlens.core.errors import ConvlensError
from convlens.core.reporter import Reporter
from convlens.data import CacheSettings, DataSettings, ImageSet, open_for_evaluation, read_pixels
from convlens.evaluation import Figures, measure
from convlens.prediction import Bundle, Predictor
from convlens.recipe.run import Run


def measure_bundle(
    bundle: Bundle,
    path: Path,
    source: Any,
    *,
    settings: DataSettings,
    device: str,
    reporter: Reporter,
    cache: CacheSettings | None = None,
) -> Figures:
    """Measure a bundle on a source, or on the test images that its run kept apart.

    Args:
        bundle: the trained network.
        path: the run's folder it comes from, or its own.
        source: labelled images; None for the run's own test images.
        settings: how to read the source (the columns of a table).
        device: where to compute.
        reporter: whom to tell.
        cache: whether and where decoded pixels are kept; None for the defaults.

    Raises:
        ConvlensError: there is no source, or no image that can be read.
    """
    if source is None:
        images = _own_images(path, bundle, reporter)
    else:
        images = open_for_evaluation(
            source, classes=bundle.classes, settings=settings, reporter=reporter
        )
    pixels = read_pixels(
        images, images.splits["test"], bundle.input_spec, settings=cache, reporter=reporter
    )
    if not len(pixels.rows):
        raise ConvlensError(
            f"there are no test images in {images.name}; pass a SOURCE of labelled images",
            code="no-images",
        )
    probabilities = Predictor(bundle, device=device).probabilities(pixels.array, reporter=reporter)
    return measure(probabilities, images.labels[pixels.rows], classes=bundle.classes)


def _own_images(path: Path, bundle: Bundle, reporter: Reporter) -> ImageSet:
    run = Run(path)
    if not (path / "recipe.toml").is_file():
        raise ConvlensError(
            f"{path} does not say which images it was trained on; pass a SOURCE of labelled "
            "images: convlens evaluate RUN SOURCE",
            code="no-source",
        )
    images = run.images(reporter)
    if images.fingerprint() != bundle.provenance.get("data"):
        reporter.warn(
            f"{run.recipe.source} is not as it was when this run was trained: some of these test "
            "images may have been training images then"
        )
    return images
