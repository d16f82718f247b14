"""What test-time views bring, and what they cost."""

import time
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from convlens.core.reporter import Reporter
from convlens.data import ImageSet, Pixels
from convlens.evaluation import Comparison, compare_answers
from convlens.prediction import Predictor, View, count_views
from convlens.runs.metrics import Answers

_WARM_UP = 64


@dataclass(frozen=True, kw_only=True)
class TtaGain:
    """What asking about several views of an image brings, and what it costs.

    Attributes:
        views: which views.
        count: how many each image is shown in, itself included.
        gain: the network with the views (the first) beside the network without, on the same images.
        milliseconds: a whole image takes with the views.
        milliseconds_without: and without them.
    """

    views: tuple[View, ...]
    count: int
    gain: Comparison
    milliseconds: float
    milliseconds_without: float

    def as_json(self) -> dict[str, Any]:
        """The same as plain JSON values."""
        return vars(self) | {"views": list(self.views), "gain": self.gain.as_json()}


def answers_with_views(
    plain: Predictor,
    views: tuple[View, ...],
    images: ImageSet,
    pixels: Pixels,
    reporter: Reporter,
) -> tuple[Answers, TtaGain]:
    """What a network answers when it is asked about several views, and what that brings.

    Args:
        plain: the network, without views.
        views: one at least.
        images: the labeled images.
        pixels: which of them, decoded.
        reporter: whom to show progress.
    """
    labels = images.labels[pixels.rows]
    shown = Predictor(plain.bundle, device=plain.device, views=views)
    without, one = _timed(plain, pixels, reporter)
    logits, all_of_them = _timed(shown, pixels, reporter)
    return Answers(logits=logits, labels=labels), TtaGain(
        views=views,
        count=count_views(views),
        gain=compare_answers(logits.argmax(axis=1), without.argmax(axis=1), labels),
        milliseconds=all_of_them,
        milliseconds_without=one,
    )


def _timed(
    predictor: Predictor, pixels: Pixels, reporter: Reporter
) -> tuple[NDArray[np.float32], float]:
    """Logits, and the milliseconds that an image took; the first few are not counted."""
    predictor.logits(pixels.array[:_WARM_UP])
    started = time.perf_counter()
    logits = predictor.logits(pixels.array, reporter=reporter)
    return logits, (time.perf_counter() - started) * 1000 / len(pixels)
