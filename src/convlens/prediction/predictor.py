"""From a bundle and images to probabilities."""

from collections.abc import Iterable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from functools import reduce
from itertools import groupby, islice
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor

from convlens.core.classifier import class_logits
from convlens.core.cores import usable_cores
from convlens.core.device import choose_device, placed
from convlens.core.errors import ConvlensError
from convlens.core.formatting import pluralize
from convlens.core.reporter import Quiet, Reporter
from convlens.data import (
    Given,
    Skipped,
    UnreadableImageError,
    decode,
    find_images,
    list_images,
    one_opencv_thread,
    ordered_map,
    picture_file,
    read_header,
)
from convlens.evaluation import SelectiveRule, unknown_score_of_logits
from convlens.prediction.bundle import Bundle
from convlens.prediction.views import View, count_views, views_of

_VALUES_A_BATCH = 2**22
_FILES_A_BATCH = 64


def largest_batch(values: int) -> int:
    """How many images go through the network at once, for so many values an image.

    Example:
        >>> largest_batch(224 * 224 * 3), largest_batch(32 * 32 * 3)
        (27, 256)
    """
    return max(1, min(256, _VALUES_A_BATCH // values))


@dataclass(frozen=True, slots=True)
class ClassProbability:
    """A class and the probability it was given, in [0, 1]."""

    name: str
    probability: float


@dataclass(frozen=True, slots=True)
class Prediction:
    """What the network says of one image.

    Attributes:
        path: the image's file, or None where an array was handed over.
        top: the most probable classes, most probable first.
        candidates: where the bundle has a rule for saying "not sure", the classes that it names,
            most probable first: one where it is sure. None without a rule.
        unknown: how little any class answers to the image: the energy of its logits, before the
            temperature. Higher is stranger; it means something only beside what other images get.
    """

    path: str | None
    top: tuple[ClassProbability, ...]
    candidates: tuple[ClassProbability, ...] | None
    unknown: float

    @property
    def sure(self) -> bool | None:
        """Whether a single class is named; None where the bundle has no rule to tell by."""
        return None if self.candidates is None else len(self.candidates) == 1

    def as_json(self) -> dict[str, Any]:
        """``{"path", "top": [{"class", "probability"}, …], "sure", "candidates", "unknown"}``."""
        return {
            "path": self.path,
            "top": _plain(self.top),
            "sure": self.sure,
            "candidates": None if self.candidates is None else _plain(self.candidates),
            "unknown": self.unknown,
        }


def _plain(guesses: Sequence[ClassProbability]) -> list[dict[str, Any]]:
    return [{"class": guess.name, "probability": guess.probability} for guess in guesses]


class _Content(NamedTuple):
    """An image as `convlens.data.decode` takes it.

    Attributes:
        content: a path, the bytes of a file, or pixels.
        name: what to call it in messages.
        path: its file, where it has one.
    """

    content: str | bytes | NDArray[np.uint8]
    name: str
    path: str | None


def _contents(given: Iterable[Given]) -> Iterator[_Content | Skipped]:
    for number, image in enumerate(given):
        name = image if isinstance(image, str) else f"image {number}"
        try:
            content = picture_file(image, name) if isinstance(image, Image.Image) else image
        except UnreadableImageError as error:
            yield Skipped(name, error.reason, unreadable=True)
            continue
        yield _Content(content, name, image if isinstance(image, str) else None)


def _with_files_of_folders(
    given: Sequence[Given], reporter: Reporter
) -> tuple[list[Given], list[Skipped]]:
    """The images in their order, every path replaced by the files that it stands for."""
    found: list[Given] = []
    skipped: list[Skipped] = []
    for are_paths, group in groupby(given, lambda image: isinstance(image, str)):
        if are_paths:
            files, left_out = find_images([str(path) for path in group], reporter)
            found += files
            skipped += left_out
        else:
            found += group
    return found, skipped


def _has_several_frames(path: str | None) -> bool:
    if path is None or path.lower().endswith((".jpg", ".jpeg")):
        return False
    try:
        return read_header(path).several_frames
    except UnreadableImageError:
        return False


class Predictor:
    """A bundle ready to classify images.

    Args:
        bundle: the trained network.
        device: ``"auto"``, ``"cpu"``, ``"cuda"`` or ``"mps"``.
        views: other views of every image to ask the network about: see `views_of`. The logits are
            averaged. What the bundle promises of "not sure" holds for the images alone, so with
            views it is not said.

    Attributes:
        classes: the class names, in the order of the probabilities.
        device: where it computes.
        skipped: the files that the last `predict` could not read, with the reason.
    """

    def __init__(
        self, bundle: Bundle, *, device: str | torch.device = "auto", views: Sequence[View] = ()
    ) -> None:
        self.bundle = bundle
        self._views = tuple(views)
        self.classes = bundle.classes
        self.skipped: tuple[Skipped, ...] = ()
        self.device = choose_device(device)
        self._network = placed(bundle.classifier, self.device).eval()

    @property
    def selective(self) -> SelectiveRule | None:
        """The rule by which it says "not sure"; None where there is none, or with views."""
        return None if self._views else self.bundle.calibration.selective

    def predict(
        self,
        images: Any,
        *,
        top: int = 3,
        reporter: Reporter | None = None,
    ) -> list[Prediction]:
        """Classify images.

        Args:
            images: a path, the bytes of an image file, an open file, a Pillow image, or pixels (one
                image H×W or H×W×C, or several N×H×W×C, N×C×H×W or N×H×W; uint8, booleans or floats
                in [0, 1]); or an iterable of any of these. Folders are searched.
            top: how many classes to name for each image, at least 1.
            reporter: whom to tell of files that cannot be read; nobody by default.

        Returns:
            One prediction an image, in the order given; files that cannot be read are left out,
            told to the reporter and listed in `skipped`.

        Raises:
            ConvlensError: a path does not exist, or none of the files could be read.
        """
        if top < 1:
            raise ConvlensError(f"top is {top}; expected at least 1", code="bad-option")
        reporter = reporter or Quiet()
        spec = self.bundle.input_spec
        flat = spec.height * spec.width * spec.channels
        given, notes = list_images(images, flat=flat)
        for note in notes:
            reporter.say(note)
        found, skipped = _with_files_of_folders(given, reporter)
        return self._predict_given(found, skipped, top, reporter)

    def probabilities(
        self, pixels: NDArray[np.uint8], *, reporter: Reporter | None = None
    ) -> NDArray[np.float32]:
        """The probability of every class, calibrated, for pixels that fit the network's input.

        Args:
            pixels: (N, H, W, C) uint8, as `convlens.data.decode` gives them.
            reporter: whom to show progress.

        Returns:
            (N, K) float32; each row sums to 1.
        """
        return self.bundle.calibration.probabilities(self.logits(pixels, reporter=reporter))

    def logits(
        self, pixels: NDArray[np.uint8], *, reporter: Reporter | None = None
    ) -> NDArray[np.float32]:
        """One logit a class, whatever the head, for pixels that fit the network's input.

        Args:
            pixels: (N, H, W, C) uint8, as `convlens.data.decode` gives them.
            reporter: whom to show progress.

        Returns:
            (N, K) float32, before the temperature; with views their mean.
        """
        out = np.empty((len(pixels), len(self.classes)), np.float32)
        with (reporter or Quiet()).task("measuring", len(pixels)) as task:
            for start, batch in self._batches(pixels):
                stop = start + len(batch)
                out[start:stop] = self._forward(batch)
                task.update(stop)
        return out

    def _batches(self, pixels: NDArray[np.uint8]) -> Iterator[tuple[int, Tensor]]:
        size = largest_batch(pixels[0].size) if len(pixels) else 1
        for start in range(0, len(pixels), size):
            rows = np.array(pixels[start : start + size])  # a cached split is read-only
            yield start, torch.from_numpy(rows).permute(0, 3, 1, 2)

    @torch.inference_mode()
    def _forward(self, batch: Tensor) -> NDArray[np.float32]:
        views = views_of(batch.to(self.device), self._views)
        total = reduce(torch.add, (class_logits(self._network(view)).float() for view in views))
        mean: NDArray[np.float32] = (total / count_views(self._views)).cpu().numpy()
        return mean

    def _predict_given(
        self, given: Sequence[Given], skipped: Sequence[Skipped], top: int, reporter: Reporter
    ) -> list[Prediction]:
        predictions: list[Prediction] = []
        unread = list(skipped)
        reading = ordered_map(
            self._read, _contents(given), threads=usable_cores(), ahead=_FILES_A_BATCH
        )
        with (
            reporter.task("predicting", len(given)) as task,
            one_opencv_thread(),
            closing(reading) as answers,
        ):
            done = 0
            while chunk := list(islice(answers, _FILES_A_BATCH)):
                unread += [found for found in chunk if isinstance(found, Skipped)]
                good = [found for found in chunk if not isinstance(found, Skipped)]
                if good:
                    logits = self.logits(np.stack([pixels for _, pixels in good]))
                    predictions += self._predictions([path for path, _ in good], logits, top)
                done += len(chunk)
                task.update(done)
        self.skipped = tuple(unread)
        if several := sum(_has_several_frames(prediction.path) for prediction in predictions):
            reporter.warn(
                f"{several:,} of {len(predictions):,} files hold several frames or pages: "
                "the first is used"
            )
        for file in unread[len(skipped) :]:
            reporter.warn(f"left out {file.path}: {file.reason}")
        if not predictions:
            named = "; ".join(f"{file.path}: {file.reason}" for file in unread[:3])
            raise ConvlensError(
                f"none of {pluralize(len(unread))} could be read ({named}); "
                "pass image files, such as JPEG, PNG or WebP",
                code="no-images",
            )
        return predictions

    def _read(self, image: _Content | Skipped) -> tuple[str | None, NDArray[np.uint8]] | Skipped:
        if isinstance(image, Skipped):
            return image
        try:
            return image.path, decode(image.content, self.bundle.input_spec)
        except UnreadableImageError as error:
            return Skipped(image.name, error.reason, unreadable=True)

    def _predictions(
        self, paths: Sequence[str | None], logits: NDArray[np.float32], top: int
    ) -> list[Prediction]:
        probabilities = self.bundle.calibration.probabilities(logits)
        rule = self.selective
        named = None if rule is None else rule.candidates(probabilities)
        unknown = unknown_score_of_logits(logits).tolist()
        found = []
        for number, path in enumerate(paths):
            order = np.argsort(-probabilities[number], kind="stable")
            found.append(
                Prediction(
                    path=path,
                    top=self._guesses(probabilities[number], order[:top]),
                    candidates=None
                    if named is None
                    else self._guesses(probabilities[number], order[named[number][order]]),
                    unknown=unknown[number],
                )
            )
        return found

    def _guesses(
        self, probabilities: NDArray[np.float32], classes: NDArray[np.int64]
    ) -> tuple[ClassProbability, ...]:
        return tuple(ClassProbability(self.classes[k], float(probabilities[k])) for k in classes)
