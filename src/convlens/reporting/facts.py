"""What a report shows: plain values, gathered before anything is drawn."""

import base64
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from convlens.inspection import Trace
from convlens.recipe import Recipe


@dataclass(frozen=True, kw_only=True)
class Picture:
    """An encoded image.

    Attributes:
        content: the bytes of the file.
        kind: what they are.
        width: pixels across.
        height: pixels down.
        few: whether its pixels are few enough to be shown as squares.
    """

    content: bytes = field(repr=False)
    kind: Literal["png", "webp"]
    width: int
    height: int
    few: bool = False

    @property
    def uri(self) -> str:
        """The image as the address that a page has it under: itself."""
        return f"data:image/{self.kind};base64,{base64.b64encode(self.content).decode()}"


@dataclass(frozen=True, kw_only=True)
class Answer:
    """One image and what the network says of it.

    Attributes:
        name: what the image is called.
        true: its class.
        predicted: the class that it was given.
        probability: that class's, in [0, 1].
        true_probability: the true class's.
        image: as the network sees it.
        overlay: the same under Grad-CAM's heat for the predicted class; None where there is none.
    """

    name: str
    true: str
    predicted: str
    probability: float
    true_probability: float
    image: Picture
    overlay: Picture | None = None

    @property
    def right(self) -> bool:
        """Whether the answer is the truth."""
        return self.true == self.predicted


@dataclass(frozen=True, kw_only=True)
class Gallery:
    """Images worth looking at, of the split that the report's figures are about.

    Attributes:
        worst: mistakes, the most confident first.
        unsure: other images, the least sure first.
        mistakes: how many there are in all.
        n: images that were classified.
        layer: where Grad-CAM was taken.
        note: what to know of the overlays, or of the images; empty for nothing.
    """

    worst: tuple[Answer, ...]
    unsure: tuple[Answer, ...]
    mistakes: int
    n: int
    layer: str = ""
    note: str = ""


@dataclass(frozen=True, kw_only=True)
class Sheet:
    """A training image, and what training saw of it in its first epochs.

    Attributes:
        name: what the image is called.
        original: as validation would see it.
        epochs: one picture an epoch.
        words: what was done to each of them.
    """

    name: str
    original: Picture
    epochs: tuple[Picture, ...]
    words: tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class Facts:
    """All that a report shows.

    Attributes:
        folder: the run's, as the user wrote it.
        recipe: what was asked.
        classes: the K class names, in the order of the network's outputs.
        environment: versions, hardware and data, as ``environment.json`` has them.
        history: one record an epoch, as ``history.jsonl`` has them.
        metrics: the figures, as ``metrics.json`` has them.
        provenance: where the bundle comes from, as it says itself.
        preflight: what was found before training, as ``preflight.json`` has it; None without.
        network: its layers.
        gallery: images worth looking at.
        sheet: what augmentation makes of an image.
        missing: of the parts above that are None, why; by name, in words.
        notes: what the reader should know besides.
    """

    folder: str
    recipe: Recipe
    classes: tuple[str, ...]
    environment: Mapping[str, Any]
    history: Sequence[Mapping[str, Any]]
    metrics: Mapping[str, Any]
    provenance: Mapping[str, Any] = field(default_factory=dict)
    preflight: Mapping[str, Any] | None = None
    network: Trace | None = None
    gallery: Gallery | None = None
    sheet: Sheet | None = None
    missing: Mapping[str, str] = field(default_factory=dict)
    notes: tuple[str, ...] = ()

    @property
    def split(self) -> Literal["test", "val"] | None:
        """The split that the report's figures are about: the one that decided nothing, if any."""
        return measured_split(self.metrics)

    @property
    def findings(self) -> Sequence[Mapping[str, Any]]:
        """What was found before training, as ``preflight.json`` lists it; nothing without one."""
        listed: Sequence[Mapping[str, Any]] = (self.preflight or {}).get("findings", ())
        return listed

    @property
    def figures(self) -> Mapping[str, Any] | None:
        """The figures of that split."""
        return self.metrics[self.split] if self.split else None


def measured_split(metrics: Mapping[str, Any]) -> Literal["test", "val"] | None:
    """The test images where some were kept apart, else the validation images."""
    if metrics.get("test"):
        return "test"
    return "val" if metrics.get("val") else None
