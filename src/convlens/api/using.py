"""Using what a run has trained."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from convlens.api.asked import reporter_for

if TYPE_CHECKING:
    from collections.abc import Sequence

    from convlens.evaluation import Figures
    from convlens.prediction import Prediction, Predictor


def evaluate(
    run: str | Path,
    source: Any = None,
    *,
    settings: Sequence[str] = (),
    trust_code: bool = False,
    device: str = "auto",
    cache: bool = True,
    quiet: bool = False,
) -> Figures:
    """Measure a trained network on labelled images.

    Args:
        run: a run's folder, or a bundle's.
        source: labelled images in any form that `train` takes, matched to the network's classes by
            name; the source's own test split where it has one, else all of it. By default the test
            images that the run kept apart.
        settings: how to read the source, as ``"data.label_column=species"``.
        trust_code: run the code that the bundle of a network of the user's own carries.
        device: where to compute.
        cache: keep decoded images on disk for the next time; False holds them in memory.
        quiet: show nothing.

    Returns:
        Accuracy and the other figures, with their intervals.

    Raises:
        ConvlensError: there is no bundle, or the images do not fit it.
    """
    from convlens.core.settings import apply_setting, validated
    from convlens.data import CacheSettings, DataSettings
    from convlens.prediction import load_bundle
    from convlens.recipe import measure_bundle

    bundle = load_bundle(run, trust_code=trust_code)
    asked: dict[str, Any] = {}
    for setting in settings:
        asked = apply_setting(asked, setting)
    return measure_bundle(
        bundle,
        Path(run),
        source,
        settings=validated(DataSettings, asked.get("data", {}), what="[data]"),
        device=device,
        cache=CacheSettings(enabled=cache),
        reporter=reporter_for(quiet),
    )


def predict(
    run: str | Path,
    images: Any,
    *,
    top: int = 5,
    trust_code: bool = False,
    device: str = "auto",
    quiet: bool = False,
) -> list[Prediction]:
    """Classify images.

    Args:
        run: a run's folder, or a bundle's.
        images: a path, a list of paths (folders are searched), or pixels N×H×W×C or N×H×W, uint8
            or floats in [0, 1].
        top: how many classes to name for each image.
        trust_code: run the code that the bundle of a network of the user's own carries.
        device: where to compute.
        quiet: show nothing.

    Returns:
        One prediction an image, most probable class first.

    Raises:
        ConvlensError: there is no bundle, or none of the images can be read.
    """
    predictor = load(run, trust_code=trust_code, device=device)
    return predictor.predict(images, top=top, reporter=reporter_for(quiet))


def load(bundle: str | Path, *, trust_code: bool = False, device: str = "auto") -> Predictor:
    """A trained network, ready to classify images.

    Args:
        bundle: a bundle's folder, or a run's.
        trust_code: run the code that the bundle of a network of the user's own carries.
        device: where to compute.

    Raises:
        ConvlensError: there is no bundle, or it is damaged.
    """
    from convlens.prediction import Predictor, load_bundle

    return Predictor(load_bundle(bundle, trust_code=trust_code), device=device)
