"""Using what a run has trained."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from convlens.api.options import reporter_for
from convlens.api.trained import device_for, loaded, trained_bundle, trained_folder
from convlens.core.legacy import renamed_arguments

if TYPE_CHECKING:
    from collections.abc import Sequence

    from convlens.api.trained import Trained
    from convlens.prediction import Prediction, Predictor
    from convlens.runs import Evaluation


@renamed_arguments(against="baseline", views="tta")
def evaluate(
    run: Trained,
    source: Any = None,
    *,
    baseline: Trained | None = None,
    tta: str = "",
    settings: Sequence[str] = (),
    run_source: Any = None,
    trust_code: bool = False,
    device: str = "auto",
    cache: bool = True,
    quiet: bool = False,
) -> Evaluation:
    """Measure a trained network on labeled images.

    Args:
        run: a `Run`, or a run's or bundle's folder; or a `Predictor` or `Bundle`.
        source: labeled images in any form that `train` takes, matched to the network's classes by
            name; the source's own test split where it has one, else all of it. By default the test
            images that the run kept apart.
        baseline: another of the same kinds, to compare with on the same images; those that
            either has learned from are left out.
        tta: also ask about these views of every image, and say what that brings and costs:
            ``"flip"``, ``"crops"``, or ``"flip,crops"``.
        settings: how to read the source, as ``"data.label_column=species"``; or what the network's
            "not sure" should promise from now on, as ``"selective.error_rate=0.02"`` or
            ``"selective.coverage=0.9"``, which the run's bundle then keeps.
        run_source: where the run's own images are now, if they have moved (``--source``). They must
            be the same images.
        trust_code: run the code that the bundle of a network of the user's own carries.
        device: where to compute.
        cache: keep decoded images on disk for the next time; False holds them in memory.
        quiet: show nothing.

    Returns:
        Accuracy and the other figures, with their intervals.

    Raises:
        ConvlensError: there is no bundle, the images do not fit it, the networks cannot be
            compared, or what is asked cannot be promised.
    """
    from convlens.api.options import source_name
    from convlens.core.errors import ConvlensError
    from convlens.core.legacy import RECIPE_KEYS, upgrade_keys
    from convlens.core.settings import apply_setting, validated
    from convlens.data import CacheSettings
    from convlens.prediction import parse_views
    from convlens.runs import EvaluationSettings, measure_bundle

    asked: dict[str, Any] = {}
    for setting in settings:
        asked = upgrade_keys(apply_setting(asked, setting), RECIPE_KEYS, warn=True)
    said = validated(EvaluationSettings, asked, what="--set")
    if source is not None and run_source is not None and said.selective is None:
        raise ConvlensError(
            "both SOURCE and --source were passed; expected SOURCE to measure other images, or "
            "--source where the run's own images have moved",
            remedy="leave one of them out",
            code="bad-option",
        )
    return measure_bundle(
        trained_folder(run),
        source,
        source_name="" if source is None else source_name(source),
        settings=said,
        tta=parse_views(tta) if tta else (),
        baseline=None if baseline is None else trained_folder(baseline, name="baseline"),
        bundles=(loaded(run), loaded(baseline)),
        run_source=run_source,
        trust_code=trust_code,
        device=device_for(run, device),
        cache=CacheSettings(enabled=cache),
        reporter=reporter_for(quiet),
    )


@renamed_arguments(views="tta")
def predict(
    run: Trained,
    images: Any,
    *,
    top: int = 3,
    tta: str = "",
    allow_url: bool = False,
    trust_code: bool = False,
    device: str = "auto",
    quiet: bool = False,
) -> list[Prediction]:
    """Classify images.

    Args:
        run: a `Run`, or a run's or bundle's folder; or a `Predictor` or `Bundle`.
        images: a path, the bytes of an image file, an open file, a Pillow image, or pixels (one
            image H×W or H×W×C, or several N×H×W×C, N×C×H×W or N×H×W; uint8, booleans or floats in
            [0, 1]); or an iterable of any of these. Folders are searched.
            With ``allow_url``, a path may be an address on the web.
        top: how many classes to name for each image.
        tta: also ask about these views of every image: ``"flip"``, ``"crops"``, or
            ``"flip,crops"``; what the network's "not sure" promises then does not hold, and it is
            not said.
        allow_url: fetch images that are named by ``http://…`` or ``https://…``.
        trust_code: run the code that the bundle of a network of the user's own carries.
        device: where to compute.
        quiet: show nothing.

    Returns:
        One prediction an image: the most probable classes; where the bundle has a rule for saying
        "not sure", the candidates that it names; and how strange the image is to the network.

    Raises:
        ConvlensError: there is no bundle, or none of the images can be read.
    """
    from convlens.api.urls import fetched, require_permission, urls_among
    from convlens.prediction import Predictor, parse_views

    urls = urls_among(images)
    require_permission(urls, allow_url=allow_url)
    bundle, where = trained_bundle(run, trust_code=trust_code), device_for(run, device)
    predictor = Predictor(bundle, device=where, views=parse_views(tta) if tta else ())
    reporter = reporter_for(quiet)
    if not urls:
        return predictor.predict(images, top=top, reporter=reporter)
    with fetched(images, bundle.input_spec, reporter) as (paths, addresses):
        predictions = predictor.predict(paths, top=top, reporter=reporter)
    return [
        replace(prediction, path=addresses.get(prediction.path or "", prediction.path))
        for prediction in predictions
    ]


def load(bundle: Trained, *, trust_code: bool = False, device: str = "auto") -> Predictor:
    """A trained network, ready to classify images.

    Args:
        bundle: a `Run`, or a run's or bundle's folder; or a `Predictor` or `Bundle`.
        trust_code: run the code that the bundle of a network of the user's own carries.
        device: where to compute.

    Raises:
        ConvlensError: there is no bundle, or it is damaged.
    """
    from convlens.prediction import Predictor

    found = trained_bundle(bundle, trust_code=trust_code, name="bundle")
    return Predictor(found, device=device_for(bundle, device))
