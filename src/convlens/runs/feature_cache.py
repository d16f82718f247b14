"""Freeze once, compute once: features of stages that do not learn are computed once and kept.

As long as the first stages of a network stay as they are, what they make of an image is always the
same. A phase that trains what comes after them starts from there::

    features = FrozenFeatures(
        classifier, name="plants, features of vgg16", seed=0, settings=cache, reporter=reporter
    )
    choice = choose_features(recipe.augment, draws=0, frozen=classifier.stages[:6])
    kept = features.batches(6, pixels, make, choice=choice, further=[5])
    if kept is not None:
        train, val = kept            # feature maps where the images were, in the same order
        network = tail(classifier, 6)

``make`` is what makes batches of the images themselves: order, sizes and shares are then the same
with features and without.
"""

import hashlib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from typing import Literal, TypeAlias, final

import torch

from convlens.augment import AugmentSettings, make_transform
from convlens.core.batch import Batch, Batches, BatchTransform
from convlens.core.classifier import Classifier
from convlens.core.errors import WorkFailedError
from convlens.core.reporter import Reporter
from convlens.data import (
    CacheSettings,
    Features,
    Pixels,
    disk_room,
    find_features,
    gigabytes,
    keep_features,
    memory_room,
)
from convlens.runs.feature_choice import FeatureChoice
from convlens.runs.frozen_stages import Probe, probe, stage_maps

Learning: TypeAlias = Literal["train", "val"]
MakeBatches: TypeAlias = Callable[[Learning, Pixels | Features], Batches]


@final
class FrozenFeatures:
    """What the frozen stages of a network make of its images, kept through the phases of a run.

    Of several processes on a machine let one come first: the others then find what it kept.

    Args:
        classifier: the network, on its device.
        name: whose features of what these are: ``"plants, features of vgg16"``.
        seed: the run's, for augmentation.
        settings: whether and where they are kept; where that is off, in memory for this process.
        reporter: told of progress, and once where they are not kept after all.
    """

    def __init__(
        self,
        classifier: Classifier,
        *,
        name: str,
        seed: int,
        settings: CacheSettings,
        reporter: Reporter,
    ) -> None:
        self._classifier, self._name, self._seed = classifier, name, seed
        self._settings, self._reporter = settings, reporter
        self._held: dict[bytes, Features] = {}
        self._told = False

    def batches(
        self,
        stages: int,
        pixels: Mapping[str, Pixels],
        make: MakeBatches,
        *,
        choice: FeatureChoice,
        further: Iterable[int] = (),
    ) -> tuple[Batches, Batches] | None:
        """Batches of features for a phase, computed now or kept from before.

        Epoch e is shown draw e mod n of the training images; validation images are never augmented.

        Args:
            stages: how many leading stages do not learn, the normalizing one included.
            pixels: the images of ``"train"`` and ``"val"``.
            make: batches of a split, from its images or their features.
            choice: what to keep: see `choose_features`.
            further: the same numbers of later phases: where they are smaller, what these will need
                is kept on the way, so that no stage is run twice.

        Returns:
            Training and validation batches of N×c×h×w float32 feature maps; None where the frozen
            stages are to be computed in every step, since nothing is to be kept or has room.
        """
        if choice.draws == 0:
            return None
        shown = [*_drawn(pixels["train"], choice, self._seed), _plain("val", pixels["val"])]
        try:
            features = self._features(
                shown, {*(own for own in further if 1 < own < stages), stages}
            )
        except _NotKeptError as why:
            self._say_once(f"features of the frozen stages are computed in every step: {why}")
            return None
        *train, val = (make(own.split, kept) for own, kept in zip(shown, features, strict=True))
        return (train[0] if len(train) == 1 else DrawnBatches(train)), val

    def _features(self, shown: Sequence["_Shown"], boundaries: Iterable[int]) -> list[Features]:
        """The features after the last boundary of all that is shown."""
        *before, last = probe(self._classifier, boundaries)
        if last.problem:
            raise _NotKeptError(last.problem)
        probes = [*(own for own in before if not own.problem), last]
        needed = {own.key(made) for own in shown for made in probes}
        self._held = {key: kept for key, kept in self._held.items() if key in needed}
        images = sum(len(own.pixels) for own in shown if self._found(own, last) is None)
        kept, settings = self._where(probes, images)
        try:
            return [self._after(own, kept, settings) for own in shown]
        except WorkFailedError as error:
            if error.code != "no-room-for-features":
                raise
            raise _NotKeptError("neither the disk nor memory had room for them after all") from None
        except torch.OutOfMemoryError:
            raise _NotKeptError("a batch of them is too much for the GPU's memory") from None

    def _where(self, probes: Sequence[Probe], images: int) -> tuple[list[Probe], CacheSettings]:
        """After which stages features are kept (the last at least), and whether on disk."""
        in_memory = self._settings.model_copy(update={"enabled": False})
        on_disk, memory = disk_room(self._settings), memory_room()
        for settings, room in ((self._settings, on_disk), (in_memory, memory)):
            kept = affordable(probes, images, room)
            if kept:
                return kept, settings
        raise _NotKeptError(
            f"they need {gigabytes(images * probes[-1].bytes_an_image)}; the cache has room for "
            f"{gigabytes(on_disk)} (CONVLENS_CACHE_GIGABYTES raises its limit), memory for "
            f"{gigabytes(memory)}"
        )

    def _after(
        self, shown: "_Shown", boundaries: Sequence[Probe], settings: CacheSettings
    ) -> Features:
        """The features after the last boundary: found, or computed from those before it."""
        *before, last = boundaries
        features = self._found(shown, last)
        if features is None:
            source = self._after(shown, before, settings) if before else shown.pixels
            start = before[-1].stages if before else 0
            features = self._computed(shown, source, start, last, settings)
            self._held[shown.key(last)] = features
        return features

    def _computed(
        self,
        shown: "_Shown",
        source: Pixels | Features,
        start: int,
        last: Probe,
        settings: CacheSettings,
    ) -> Features:
        name = [name for name, _ in self._classifier.stages.named_children()][last.stages - 1]
        maps = stage_maps(
            self._classifier,
            source,
            start=start,
            stop=last.stages,
            transform=self._transform(shown) if start == 0 else None,
            draw=shown.draw,
        )
        with closing(maps):
            return keep_features(
                maps,
                key=shown.key(last),
                rows=shown.pixels.rows,
                shape=last.shape,
                name=f"{self._name} up to {name}",
                settings=settings,
                reporter=self._reporter,
            )

    def _transform(self, shown: "_Shown") -> BatchTransform | None:
        if shown.augment is None:
            return None
        _, height, width = self._classifier.input_spec.shape
        return make_transform(  # classes matter to mixed images alone, and none are mixed here
            shown.augment, seed=self._seed, classes=0, height=height, width=width
        )

    def _found(self, shown: "_Shown", made: Probe) -> Features | None:
        key = shown.key(made)
        if key not in self._held:
            features = find_features(key, shown.pixels.rows, self._settings)
            if features is not None:
                self._held[key] = features
        return self._held.get(key)

    def _say_once(self, text: str) -> None:
        if not self._told:
            self._told = True
            self._reporter.say(text)


@final
class DrawnBatches:
    """Several draws of the same samples, in turn: epoch e is shown draw e mod n.

    Args:
        draws: batches of the same samples, in the same order in the same epoch.
    """

    def __init__(self, draws: Sequence[Batches]) -> None:
        self._draws = tuple(draws)

    @property
    def samples(self) -> int:
        """Samples an epoch."""
        return self._draws[0].samples

    @property
    def batch_size(self) -> int:
        """Samples a batch; the last of an epoch may be smaller."""
        return self._draws[0].batch_size

    def epoch(self, epoch: int, *, samples_seen: int = 0) -> Iterator[Batch]:
        """The batches of one epoch, from the sample numbered ``samples_seen`` on."""
        return self._draws[epoch % len(self._draws)].epoch(epoch, samples_seen=samples_seen)


def affordable(probes: Sequence[Probe], images: int, room: int) -> list[Probe]:
    """After which stages features are kept: after the last, then as many before it as have room.

    Args:
        probes: of numbers of stages, smallest first.
        images: how many features there will be of each.
        room: bytes that there are.

    Returns:
        Some of the probes, smallest first; none where not even the last has room.
    """
    kept: list[Probe] = []
    for own in reversed(probes):
        size = images * own.bytes_an_image
        if size <= room:
            kept.append(own)
            room -= size
        elif not kept:
            break
    return kept[::-1]


class _NotKeptError(Exception):
    """Features are not kept; its text says why."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Shown:
    """The images of a split, as one draw shows them.

    Attributes:
        split: which split.
        pixels: its images.
        identity: a digest of them, and of the draw.
        draw: which draw: the epoch that it is made for.
        augment: what is drawn; None for the images as they are.
    """

    split: Learning
    pixels: Pixels
    identity: bytes
    draw: int = 0
    augment: AugmentSettings | None = None

    def key(self, made: Probe) -> bytes:
        """A digest of all that their features depend on."""
        return hashlib.blake2b(made.digest + self.identity, digest_size=16).digest()


def _plain(split: Learning, pixels: Pixels) -> _Shown:
    return _Shown(split=split, pixels=pixels, identity=pixels.identity())


def _drawn(pixels: Pixels, choice: FeatureChoice, seed: int) -> list[_Shown]:
    plain = _plain("train", pixels)
    if choice.augment is None:
        return [plain]
    how = f"{seed} {choice.augment.model_dump_json()}".encode()
    return [
        replace(
            plain,
            identity=plain.identity + f"draw {draw} ".encode() + how,
            draw=draw,
            augment=choice.augment,
        )
        for draw in range(choice.draws)
    ]
