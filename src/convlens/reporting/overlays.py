"""Images under the heat of Grad-CAM."""

from collections.abc import Sequence

from convlens.core.classifier import Classifier
from convlens.core.errors import ConvlensError
from convlens.inspection import grad_cam, trace
from convlens.inspection.pictures.grad_cam import overlay
from convlens.inspection.recording import last_stage, layer_names
from convlens.reporting.facts import Picture
from convlens.reporting.pictures import Pixels, encode, seen

FEWEST_PLACES = 4
"""On a map's shorter side, below which it hardly says where."""

_AT_ONCE = 4


def draw_overlays(
    classifier: Classifier, pixels: Pixels
) -> tuple[Sequence[Picture | None], str, str]:
    """Each image under the heat of its likeliest class.

    Args:
        classifier: run in eval mode, and left as it was.
        pixels: uint8 N×H×W×C, as decoded for the network.

    Returns:
        The pictures, or None for each where there can be none; the layer; and what to know of
        them, in words.
    """
    overlays: list[Picture | None] = []
    blank = 0
    try:
        layer, note = telling_layer(classifier)
        for start in range(0, len(pixels), _AT_ONCE):  # the graph of a few images at a time
            some = pixels[start : start + _AT_ONCE]
            found = grad_cam(classifier, some, layer=layer)
            blank += int((found.heat.max(axis=(1, 2)) == 0).sum())
            overlays += [
                encode(overlay(seen(image), heat))
                for image, heat in zip(some, found.heat, strict=True)
            ]
    except (ConvlensError, RuntimeError) as error:  # the user's own forward, or too little memory
        why = str(error).partition("\n")[0].rstrip(".")
        return [None] * len(pixels), "", f"There are no Grad-CAM overlays: {why}."
    if blank:
        note += f" On {blank} of {len(pixels)} there is none: nothing there speaks for the answer."
    return overlays, layer, note.strip()


def telling_layer(classifier: Classifier) -> tuple[str, str]:
    """The deepest layer whose map still says where, and a note where it is not the last stage.

    Small images leave the last stage a map of a single place, which is all heat or none.

    Args:
        classifier: the network.

    Raises:
        ConvlensError: the network cannot be followed.
    """
    stage = last_stage(classifier)
    known = set(layer_names(classifier))
    maps = [
        (layer.name, layer.output_shape)
        for layer in trace(classifier, classifier.input_spec.shape).layers
        if layer.name in known and len(layer.output_shape) == 3
    ]
    in_stage = [shape for name, shape in maps if name == stage or name.startswith(f"{stage}.")]
    large = [name for name, shape in maps if min(shape[1:]) >= FEWEST_PLACES]
    if not in_stage or min(in_stage[-1][1:]) >= FEWEST_PLACES or not large:
        return stage, ""
    places = "×".join(map(str, in_stage[-1][1:]))
    return large[-1], f"The last stage's map has {places} places, too few to tell where."
