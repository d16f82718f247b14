"""The Python API: one function a verb, with the command line's names and words.

Each function imports what it runs, so that importing this module costs next to nothing.

Example:
    >>> import convlens
    >>> run = convlens.train("digits", epochs=1, quiet=True)     # doctest: +SKIP
    >>> run.metrics["test"]["accuracy"]                           # doctest: +SKIP
    0.91
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    from collections.abc import Sequence

    from torch import nn

    from convlens.augment.pictures import FirstEpochs
    from convlens.core.classifier import Classifier
    from convlens.core.errors import ConvlensError
    from convlens.core.ranks import Ranks
    from convlens.core.reporter import Reporter
    from convlens.data import ImageSet
    from convlens.evaluation import Figures
    from convlens.inspection import Comparison, Named, Trace
    from convlens.inspection.embedding import Embedding
    from convlens.inspection.pictures import Look, Looker
    from convlens.inspection.subject import Subject
    from convlens.prediction import Prediction, Predictor
    from convlens.recipe import RateLook, Run

__all__ = [
    "compare",
    "embed",
    "evaluate",
    "inspect",
    "load",
    "look",
    "look_augment",
    "look_convolution",
    "look_pooling",
    "look_rate",
    "predict",
    "train",
]


def train(
    source: Any = None,
    *,
    model: str | None = None,
    layers: str | Sequence[str] | None = None,
    head: str | None = None,
    pretrained: bool = False,
    weights: str | Path | None = None,
    recipe: str | Path | None = None,
    splits: str | Path | None = None,
    augment: str | None = None,
    epochs: int | None = None,
    budget: str | float | None = None,
    size: str | int | None = None,
    seed: int | None = None,
    out: str | Path | None = None,
    resume: str | Path | None = None,
    device: str = "auto",
    cache: bool = True,
    settings: Sequence[str] = (),
    quiet: bool = False,
) -> Run:
    """Train a network on labelled images, and measure it on images it never saw.

    What is not asked for is chosen from the data by the rules of `convlens.recipe.complete`, told,
    and written into the run's recipe. In a program that ``torchrun`` starts as several processes,
    they share the run; all must call this alike.

    Args:
        source: a folder of class folders, an archive, an ``.npz`` file, a table, a catalogue name,
            or arrays ``(X, y)``: X of N×H×W×C or N×H×W, uint8 or floats in [0, 1]; y of N labels.
        model: a network by name, or your own as ``"file.py:function"``.
        layers: a network in the layer notation, in place of ``model``.
        head: what follows the stages, in the layer notation: ``"globalavgpool, dense 256 relu,
            dropout 0.5, dense"``; ``"published"`` for the one the network is published with.
        pretrained: begin from the published ImageNet weights.
        weights: begin from this file (safetensors or ``.pth``).
        recipe: a TOML file to begin from; what is said here comes before what it says.
        splits: a run's ``splits.csv``: the images that it names stay in their splits, new ones are
            dealt out.
        augment: what is done to training images: ``"none"``, ``"light"``, ``"standard"``,
            ``"strong"`` or ``"trivial"``.
        epochs: passes over the training images, in each phase.
        budget: fit the epochs to this time: ``"5m"``, ``"90s"``, ``"1h30m"``, or seconds.
        size: the network's input in pixels: 224, or ``"96x160"`` (height × width).
        seed: fixes every draw of the run; 0 by default.
        out: the run's folder; by default a new one under ``runs``.
        resume: an unfinished run to go on with; nothing else is then asked.
        device: ``"auto"``, ``"cpu"``, ``"cuda"`` or ``"mps"``.
        cache: keep decoded images on disk for the next run; False holds them in memory.
        settings: any key of the recipe as ``"part.key=value"``.
        quiet: show nothing.

    Returns:
        The finished run: its metrics, history, bundle and predictor.

    Raises:
        ConvlensError: the request cannot be carried out as it stands.
        WorkFailedError: the work failed.
    """
    from convlens.core.ranks import Ranks
    from convlens.core.settings import merge

    with Ranks.of_torchrun().joined(device) as ranks:
        reporter = _reporter(quiet or not ranks.is_first)
        where: dict[str, Any] = {"device": device, "cache": cache, "ranks": ranks}
        if resume is not None:
            return _resume(Path(resume), **where, reporter=reporter)
        asked = _asked(
            recipe,
            model={
                "name": model,
                "layers": layers,
                "head": head,
                "pretrained": pretrained or None,
                "weights": weights and str(weights),
            },
            augment=augment,
            epochs=epochs,
            budget=budget,
            size=size,
            seed=seed,
            settings=settings,
        )
        if splits is not None:
            asked = merge(asked, {"data": {"splits": str(Path(splits).resolve())}})
        return _begin(source, asked, out=out, **where, reporter=reporter)


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
        reporter=_reporter(quiet),
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
    return predictor.predict(images, top=top, reporter=_reporter(quiet))


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


def inspect(
    model: str | Path | nn.Module | None = None,
    *,
    layers: str | Sequence[str] | None = None,
    input: str | None = None,  # noqa: A002 - the verb's own word
    head: str | None = None,
    classes: int | None = None,
    trust_code: bool = False,
) -> Trace:
    """A network layer by layer: shapes and how they follow, parameters, cost, receptive fields.

    Args:
        model: a network by name, your own as ``"file.py:function"``, a run's or bundle's folder, or
            any module that takes a batch of images.
        layers: a network in the layer notation, in place of ``model``.
        input: the image as ``"28x28x1"``, height x width x channels; by default what the network
            was published or trained for.
        head: ``"none"``, or a head in the layer notation, in place of the network's own.
        classes: outputs of the head; by default those that the network was published with, or 10.
        trust_code: run the code that the bundle of a network of the user's own carries.

    Raises:
        ConvlensError: the network is unknown, or cannot take such an image: the text shows where.

    Example:
        >>> found = inspect("simple")
        >>> found.parameters, found.layers[0].formula
        (98442, '(28 − 3 + 2·0)/1 + 1 = 26')
    """
    from convlens.inspection import parse_image_shape, trace

    if (model is None) == (layers is None):
        raise _not_one_network(model)
    shape = parse_image_shape(input) if input is not None else None
    named = _named(
        model, layers=layers, shape=shape, head=head, classes=classes, trust_code=trust_code
    )
    return trace(named.network, shape or named.input_shape, notes=named.notes)


def compare(
    models: Sequence[str | Path],
    *,
    input: str | None = None,  # noqa: A002 - the verb's own word
    head: str | None = None,
    classes: int | None = None,
    batch_size: int = 8,
    repeats: int = 15,
    gradients: bool = False,
    trust_code: bool = False,
    device: str = "auto",
    quiet: bool = False,
) -> Comparison:
    """Networks side by side: size, cost, features, published accuracy, and speed measured here.

    Args:
        models: networks by name, in the layer notation, your own as ``"file.py:function"``, or the
            folders of runs and bundles.
        input: the image as ``"224x224x3"``, height x width x channels; by default what all of them
            were published or trained for, where that is the same.
        head: ``"none"`` compares features alone; or a head in the layer notation for all of them.
        classes: outputs of the head; by default those that each network was published with, or 10.
        batch_size: images in the batch that throughput is measured with.
        repeats: rounds of timing, at most.
        gradients: also measure how much of the gradient reaches each depth at initialisation.
        trust_code: as for `inspect`.
        device: where to compute.
        quiet: show nothing.

    Raises:
        ConvlensError: a network is unknown, or cannot take such an image.
    """
    from convlens.core.device import choose_device
    from convlens.inspection import common_input, parse_image_shape, published_accuracy
    from convlens.inspection import compare as side_by_side

    asked: dict[str, Any] = {"head": head, "classes": classes, "trust_code": trust_code}
    if input is not None:
        shape = parse_image_shape(input)
    else:
        shape = common_input(_named(model, **asked).input_shape for model in models)
    networks = {
        str(model): _named(model, shape=shape, numbers=True, **asked).network for model in models
    }
    return side_by_side(
        networks,
        shape,
        batch_size=batch_size,
        repeats=repeats,
        top1=published_accuracy(networks),
        gradients=gradients,
        device=choose_device(device),
        reporter=_reporter(quiet),
    )


def look(
    model: str | Path | Classifier,
    *,
    pretrained: bool = False,
    weights: str | Path | None = None,
    input: str | None = None,  # noqa: A002 - the verb's own word
    classes: int | None = None,
    seed: int = 0,
    trust_code: bool = False,
    device: str = "auto",
    quiet: bool = False,
) -> Looker:
    """Look into a network: feature maps, filters, Grad-CAM, and what moving an image does to it.

    Args:
        model: a run's or bundle's folder; or a network by name, in the layer notation, or your own
            as ``"file.py:function"``, with random weights unless others are asked for; or a
            `Classifier`.
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
        >>> found = look("simple", quiet=True).filters()
        >>> found.summary["layers"][0]["filters"], list(found.figures)
        (16, ['filters-block1.conv1'])
    """
    from convlens.inspection.pictures import Looker

    reporter = _reporter(quiet)
    subject = _subject(
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
    return Looker(subject, reporter)


def look_convolution(
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
        image: a file, whose grey levels from 0 to 255 are taken; or H×W numbers; a 5×5 example by
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
        >>> look_convolution(kernel="vertical edge").summary["sum"]
        1.0
    """
    from convlens.inspection.pictures import look_convolution as slide

    return slide(
        image,
        kernel=kernel,
        stride=stride,
        padding=padding,
        dilation=dilation,
        at=at,
        longest=size,
    )


def look_pooling(
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
        image: as for `look_convolution`.
        window: its side in pixels.
        stride: pixels from one stop to the next; the window's side by default.
        padding: rows and columns on every side, at most half the window's side.
        at: row and column of the number to explain; the first by default.
        size: the longer side of a file's image is brought to so many pixels at most.

    Raises:
        ConvlensError: the window does not fit, or the image cannot be read.

    Example:
        >>> look_pooling(window=2).summary["max"]
        2.0
    """
    from convlens.inspection.pictures import look_pooling as slide

    return slide(image, window=window, stride=stride, padding=padding, at=at, longest=size)


def embed(
    model: str | Path | Classifier,
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
        model: as for `look`.
        source: labelled images in any form that `train` takes; or an image, or a folder of images,
            without labels.
        out: the ``.npz`` file: ``features``, ``names``, ``labels`` (-1 where there is none),
            ``classes``, ``splits``.
        layer: whose output; by default the last stage's, which the head reads.
        pool: average a feature map over its places, so that each image is a vector.
        pretrained: as for `look`.
        weights: as for `look`.
        input: as for `look`.
        seed: for random weights, and for splits that are to be cut.
        trust_code: as for `look`.
        device: where to compute.
        quiet: show nothing.

    Raises:
        ConvlensError: the network, the layer or the source is unknown, or nothing can be read.
        WorkFailedError: the disk is full, or published weights could not be downloaded.
    """
    from convlens.data import open_images

    reporter = _reporter(quiet)
    # The images are opened before the network, which needs torch: a slip is then told at once.
    images = open_images(source, seed=seed, reporter=reporter)

    from convlens.inspection.embedding import embed as write_features

    subject = _subject(
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


def look_augment(
    source: Any,
    *,
    policy: str | None = None,
    size: str | int | None = None,
    number: int = 0,
    seed: int = 0,
    settings: Sequence[str] = (),
    out: str | Path | None = None,
    quiet: bool = False,
) -> FirstEpochs:
    """Show what training makes of an image: the original, and what its first nine epochs see.

    Args:
        source: an image file, or labelled images in any form that `train` takes.
        policy: ``"none"``, ``"light"``, ``"standard"``, ``"strong"`` or ``"trivial"``; by default
            the one that `train` would choose, as is all else that is not said here.
        size: the network's input in pixels: 224, or ``"96x160"`` (height × width).
        number: of a source, which of its training images.
        seed: the run's seed.
        settings: any key of the recipe as ``"part.key=value"``.
        out: a PNG file to write; by default none.
        quiet: show nothing.

    Returns:
        The original, the nine images, and in words what was drawn for each.

    Raises:
        ConvlensError: the source cannot be read, or what is asked for is not valid.
    """
    from convlens.augment.pictures import as_png, draw_sheet, first_epochs, picture_path
    from convlens.core.errors import ConvlensError
    from convlens.core.files import write_bytes
    from convlens.data import decode
    from convlens.recipe import complete

    path = None if out is None else picture_path(out)
    nothing = {"name": None, "layers": None}
    asked = _asked(
        None, model=nothing, augment=policy, epochs=None, size=size, seed=seed, settings=settings
    )
    images = _images_or_image(source, seed=seed, reporter=_reporter(quiet))
    recipe, reasons = complete({**asked, "source": _source_name(source)}, images)
    numbers = images.splits["train"]
    if not 0 <= number < len(numbers):
        raise ConvlensError(
            f"image number {number} is asked for; {images.name} has {len(numbers):,} training "
            f"images: give a number from 0 to {len(numbers) - 1}",
            code="no-such-image",
        )
    index = int(numbers[number])
    image = (images.paths or ())[index] if images.arrays is None else images.arrays[index]
    found = first_epochs(
        decode(image, recipe.input, margin=recipe.augment.margin),
        recipe.augment,
        original=decode(image, recipe.input),
        seed=recipe.seed,
        index=index,
    )
    if path is not None:
        name = Path(image).name if isinstance(image, str) else f"{images.name}, image {index}"
        chosen = [reason for reason in reasons if reason.startswith("augmentation")]
        figure = draw_sheet(
            found,
            title=f"Augmentation of {name}",
            detail=f"{chosen[0] if chosen else f'policy {policy}'}; seed {recipe.seed}"
            + "; MixUp and CutMix, which need a batch, are not shown" * recipe.augment.mixes,
        )
        write_bytes(path, as_png(figure))
    return found


def look_rate(
    source: Any = None,
    *,
    model: str | None = None,
    layers: str | Sequence[str] | None = None,
    pretrained: bool = False,
    weights: str | Path | None = None,
    recipe: str | Path | None = None,
    size: str | int | None = None,
    seed: int | None = None,
    settings: Sequence[str] = (),
    out: str | Path | None = None,
    device: str = "auto",
    cache: bool = True,
    quiet: bool = False,
) -> RateLook:
    """Try ever higher learning rates on a run's first steps, and suggest one; no run is made.

    Args:
        source: as for `train`, as is all that is not named here.
        model: as for `train`.
        layers: as for `train`.
        pretrained: as for `train`.
        weights: as for `train`.
        recipe: as for `train`.
        size: as for `train`.
        seed: as for `train`.
        settings: any key of the recipe as ``"part.key=value"``.
        out: a PNG file to write, or a folder for ``rate.png``; by default none.
        device: where to compute.
        cache: keep decoded images on disk for the run; False holds them in memory.
        quiet: show nothing.

    Returns:
        The curve, the suggested rate, and the setting that asks `train` for it.

    Raises:
        ConvlensError: the request cannot be carried out as it stands.
        WorkFailedError: the work failed.
    """
    from convlens.core.device import choose_device
    from convlens.core.files import png_path

    path = None if out is None else png_path(out, name="rate.png")
    reporter = _reporter(quiet)
    asked = _asked(
        recipe,
        model={
            "name": model,
            "layers": layers,
            "pretrained": pretrained or None,
            "weights": weights and str(weights),
        },
        augment=None,
        epochs=None,
        size=size,
        seed=seed,
        settings=settings,
    )
    source, images = _opened(source, asked, reporter)

    from convlens.data import CacheSettings
    from convlens.inspection.pictures import draw_rates, save_picture
    from convlens.recipe import RateLook, complete, rate_setting, try_rates

    complete_recipe, _ = complete({**asked, "source": _source_name(source)}, images)
    where, kept = choose_device(device), CacheSettings(enabled=cache)
    curve = try_rates(complete_recipe, images, device=where, cache=kept, reporter=reporter)
    rate = None if curve.suggestion is None else float(f"{curve.suggestion:.2g}")
    if path is not None:
        training = complete_recipe.training
        figure = draw_rates(
            curve.rates,
            curve.losses,
            suggestion=rate,
            title=f"Learning rates tried on {images.name}",
            detail=f"{complete_recipe.model.name or 'layers'}, "
            f"{training.plan[0].optimiser.name}; one step of {training.batch_size} images "
            f"a rate, {len(curve.rates)} in all; seed {complete_recipe.seed}"
            + "; the loss did not fall: no rate is suggested"
            * (rate is None),
        )
        save_picture(figure, path)
    return RateLook(
        curve=curve,
        recipe=complete_recipe,
        suggestion=rate,
        setting=None if rate is None else rate_setting(asked, rate),
    )


def _asked(
    recipe: str | Path | None,
    *,
    model: dict[str, Any],
    augment: str | None,
    epochs: int | None,
    size: str | int | None,
    seed: int | None,
    settings: Sequence[str],
    budget: str | float | None = None,
) -> dict[str, Any]:
    """What the user has said: the recipe file, over it the options, over them the settings."""
    from convlens.core.durations import parse_duration
    from convlens.core.input_spec import parse_size
    from convlens.core.settings import apply_setting, merge, read_toml

    asked = read_toml(Path(recipe)) if recipe is not None else {}
    said: dict[str, Any] = {}
    if model["name"] is not None or model["layers"] is not None:
        asked.pop("model", None)
    said["model"] = {key: value for key, value in model.items() if value is not None}
    if augment is not None:
        asked.pop("augment", None)
        said["augment"] = {"policy": augment}
    if epochs is not None:
        said["training"] = {"epochs": epochs, **_each_phase(asked, {"epochs": epochs})}
    if budget is not None:
        said["training"] = {**said.get("training", {}), "budget_seconds": parse_duration(budget)}
    if size is not None:
        height, width = parse_size(str(size))
        said["input"] = {"height": height, "width": width}
    if seed is not None:
        said["seed"] = seed
    asked = merge(asked, said)
    for setting in settings:
        said = apply_setting({}, setting)
        asked = merge(asked, said)
        of_phases = ("epochs", "optimiser", "schedule", "early_stopping", "reduce_on_plateau")
        shared = {k: v for k, v in said.get("training", {}).items() if k in of_phases}
        asked = merge(asked, {"training": _each_phase(asked, shared)} if shared else {})
    return asked


def _each_phase(asked: dict[str, Any], said: dict[str, Any]) -> dict[str, Any]:
    """The phases of a recipe, where it has some, each with what is said over what it had."""
    from convlens.core.settings import merge

    phases = asked.get("training", {}).get("phases")
    return {"phases": [merge(phase, said) for phase in phases]} if phases else {}


def _named(
    model: str | Path | nn.Module | None,
    *,
    layers: str | Sequence[str] | None = None,
    shape: tuple[int, ...] | None = None,
    head: str | None = None,
    classes: int | None = None,
    numbers: bool = False,
    trust_code: bool,
) -> Named:
    """The network that a name, the layer notation, a file, a run or a bundle stands for."""
    from convlens.inspection import build_named, describe, given_network, trained_network

    if layers is None and isinstance(model, str | Path) and _means_run(str(model)):
        from convlens.prediction import load_bundle

        bundle = load_bundle(model, trust_code=trust_code)
        return trained_network(bundle.classifier, bundle.model, head=head, classes=classes)
    if layers is None and not isinstance(model, str | Path | None):
        return given_network(model, shape)
    return build_named(
        describe(layers or str(model), written=layers is not None, head=head or "published"),
        input_shape=shape,
        classes=classes,
        numbers=numbers,
    )


def _subject(
    model: str | Path | Classifier,
    *,
    pretrained: bool,
    weights: str | Path | None,
    input: str | None,  # noqa: A002 - the verb's own word
    classes: int | None,
    seed: int,
    trust_code: bool,
    device: str,
    reporter: Reporter,
) -> Subject:
    """The network that is to be looked into, with its weights."""
    from convlens.core.device import choose_device, placed
    from convlens.inspection import describe, parse_image_shape
    from convlens.inspection.subject import named_subject, refuse_options, trained_subject
    from convlens.models import ModelSpec

    where = choose_device(device)
    asked = {"pretrained": pretrained, "weights": weights, "input": input, "classes": classes}
    if not isinstance(model, str | Path):
        refuse_options(asked)
        return trained_subject("the network", model)
    if _means_run(str(model)):
        from convlens.prediction import load_bundle

        refuse_options(asked)
        bundle = load_bundle(model, trust_code=trust_code)
        found = trained_subject(Path(model).resolve().name, bundle.classifier, bundle.classes)
    else:
        is_file = Path(model).is_file()  # no network: its name says what it is instead
        found = named_subject(
            ModelSpec(name=str(model)) if is_file else describe(str(model)),
            pretrained=pretrained,
            weights=None if weights is None else Path(weights),
            input_shape=parse_image_shape(input) if input is not None else None,
            classes=classes,
            seed=seed,
            reporter=reporter,
        )
    placed(found.classifier, where)
    return found


def _means_run(text: str) -> bool:
    """Whether a folder is meant, be it there or not, rather than a network by name."""
    path = Path(text)
    if path.is_dir() or path.is_file():
        return path.is_dir()
    return len(path.parts) > 1 and not any(sign in text for sign in (" ", ",", ".py:"))


def _begin(
    source: Any,
    asked: dict[str, Any],
    *,
    out: str | Path | None,
    device: str,
    cache: bool,
    ranks: Ranks,
    reporter: Reporter,
) -> Run:
    """A new run, from what the user has said to its end."""
    # The images are opened before the recipe, which needs torch: a slip is then told at once.
    with ranks.one_a_host_first():
        source, images = _opened(source, asked, reporter)

    from convlens.data import CacheSettings
    from convlens.recipe import carry_out, complete, new_run_folder

    where = ranks.device(device)
    recipe, reasons = complete({**asked, "source": _source_name(source)}, images)
    for reason in reasons:
        reporter.say(f"chose {reason}")
    ranks.require_same(recipe.to_toml(), "recipe")
    folder = Path()
    if ranks.is_first:
        folder = new_run_folder(
            Path(out) if out is not None else None,
            name=images.name,
            model=recipe.model.name or "layers",
        )
    return carry_out(
        recipe,
        images,
        Path(ranks.told(str(folder))),
        device=where,
        cache=CacheSettings(enabled=cache),
        ranks=ranks,
        reporter=reporter,
    )


def _opened(source: Any, asked: dict[str, Any], reporter: Reporter) -> tuple[Any, ImageSet]:
    """The source that is passed, or else the recipe file's, and its images."""
    from convlens.core.settings import validated
    from convlens.data import DataSettings, open_source

    source = source if source is not None else asked.get("source")
    if source is None:
        raise _no_source()
    images = open_source(
        source,
        seed=int(asked.get("seed", 0)),
        settings=validated(DataSettings, asked.get("data", {}), what="[data]"),
        reporter=reporter,
    )
    return source, images


def _resume(folder: Path, *, device: str, cache: bool, ranks: Ranks, reporter: Reporter) -> Run:
    from convlens.data import CacheSettings
    from convlens.recipe import Run, carry_out

    run = Run(folder)
    with ranks.one_a_host_first():
        images = run.images(reporter)
    return carry_out(
        run.recipe,
        images,
        folder,
        device=ranks.device(device),
        cache=CacheSettings(enabled=cache),
        ranks=ranks,
        reporter=reporter,
    )


def _images_or_image(source: Any, *, seed: int, reporter: Reporter) -> ImageSet:
    """Labelled images, or a single image file as if it were the only training image."""
    import numpy as np

    from convlens.core.errors import ConvlensError
    from convlens.data import ImageSet, open_source

    try:
        return open_source(source, seed=seed, reporter=reporter)
    except ConvlensError as error:
        path = Path(source) if isinstance(source, str | Path) else None
        if error.code != "unknown-source" or path is None or not path.is_file():
            raise
        none = np.zeros(0, np.int64)
        return ImageSet(
            name=path.name,
            classes=("image",),
            labels=np.zeros(1, np.int64),
            splits={"train": np.zeros(1, np.int64), "val": none, "test": none},
            paths=[str(path)],
        )


def _reporter(quiet: bool) -> Reporter:
    if quiet:
        from convlens.core.reporter import Quiet

        return Quiet()
    from convlens.core.terminal import Terminal

    return Terminal()


def _source_name(source: Any) -> str:
    """What the recipe calls the source: a path that holds from any working folder."""
    from convlens.data import known_datasets

    if not isinstance(source, str | Path):
        return "arrays"
    if source in known_datasets():
        return str(source)
    path = Path(source).expanduser()
    return str(path.resolve()) if path.exists() else str(source)


def _not_one_network(model: Any) -> ConvlensError:
    from convlens.core.errors import ConvlensError

    given = "no network was named" if model is None else f"model is '{model}', and layers too"
    return ConvlensError(
        f"{given}; give a model (a name, a file of your own, a run's folder) or layers, not both",
        code="bad-model",
    )


def _no_source() -> ConvlensError:
    from convlens.core.errors import ConvlensError

    return ConvlensError(
        "no source of images was given; pass a folder of class folders, an .npz file, arrays "
        "(X, y), or a catalogue name such as digits",
        code="no-source",
    )
