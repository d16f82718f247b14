"""Looking into one network: from the user's own images to pictures, arrays and figures."""

from collections.abc import Mapping, Sequence
from typing import Any, TypeAlias, final

import numpy as np
from matplotlib.figure import Figure
from numpy.typing import NDArray

from convlens.core.errors import ConvlensError
from convlens.core.reporter import Quiet, Reporter
from convlens.inspection.feature_maps import feature_maps
from convlens.inspection.filters import filters
from convlens.inspection.grad_cam import grad_cam
from convlens.inspection.images import Images, read_images
from convlens.inspection.pictures.feature_maps import Scale, draw_feature_maps
from convlens.inspection.pictures.filters import draw_filters
from convlens.inspection.pictures.grad_cam import draw_grad_cam
from convlens.inspection.pictures.look import Look
from convlens.inspection.pictures.shift import draw_shift
from convlens.inspection.shift import Axis, shift
from convlens.inspection.subject import Subject

Arrays: TypeAlias = Mapping[str, NDArray[Any]]


@final
class Visualizer:
    """Someone who looks into one network.

    Args:
        subject: the network.
        reporter: told which images could not be read; nobody by default.

    Example:
        >>> from convlens.core.reporter import Quiet
        >>> from convlens.inspection.subject import named_subject
        >>> from convlens.models import ModelSpec
        >>> looker = Visualizer(named_subject(ModelSpec(name="simple"), reporter=Quiet()))
        >>> look = looker.features(np.zeros((1, 28, 28), np.uint8))
        >>> [layer["shape"] for layer in look.summary["layers"]]
        [[13, 13, 16], [5, 5, 32], [3, 3, 64]]
    """

    def __init__(self, subject: Subject, reporter: Reporter | None = None) -> None:
        self.subject = subject
        self._reporter = reporter or Quiet()

    def features(
        self,
        images: Any,
        *,
        layers: Sequence[str] = (),
        scale: Scale = "own",
        channels: int = 64,
    ) -> Look:
        """What each channel of a layer answers to each image.

        Args:
            images: a path, a list of paths, or pixels N×H×W×C or N×H×W.
            layers: names as `inspect` lists them; every stage by default.
            scale: ``"own"`` for each channel, or ``"shared"`` by all of a layer.
            channels: how many to show at most: those that vary most.

        Raises:
            ConvlensError: a layer is unknown, or an image cannot be shown.
        """
        shown = self._read(images)
        found = feature_maps(self.subject.classifier, shown.pixels, layers=layers)
        figures = {
            f"features-{one.layer}": draw_feature_maps(
                one,
                shown.pixels,
                shown.names,
                network=self.subject.name,
                scale=scale,
                most=channels,
            )
            for one in found
        }
        arrays: dict[str, Arrays] = {
            f"features-{one.layer}": {
                "maps": one.maps,
                "dead": one.dead,
                "images": np.array(shown.names),
            }
            for one in found
        }
        rows = [
            {
                "layer": one.layer,
                "shape": [*one.maps.shape[2:], one.maps.shape[1]],
                "dead": len(one.dead),
                "dead_channels": one.dead.tolist(),
            }
            for one in found
        ]
        return self._look(figures, arrays, images=list(shown.names), layers=rows)

    def filters(self, *, layers: Sequence[str] = (), scale: Scale = "own", most: int = 64) -> Look:
        """The kernels that a convolution has learned.

        Args:
            layers: convolutions, or stages, whose first convolution is meant; the network's first
                by default.
            scale: ``"own"`` for each filter, or ``"shared"`` by all of a layer.
            most: how many filters to show at most: the strongest.

        Raises:
            ConvlensError: a layer is unknown or holds no convolution.
        """
        classifier = self.subject.classifier
        found = [filters(classifier, layer=layer) for layer in layers] or [filters(classifier)]
        figures = {
            f"filters-{one.layer}": draw_filters(
                one, network=self.subject.name, scale=scale, most=most
            )
            for one in found
        }
        arrays = {
            f"filters-{one.layer}": {"weights": one.weights, "norms": one.norms} for one in found
        }
        rows = [
            {
                "layer": one.layer,
                "filters": len(one.norms),
                "kernel": [*one.weights.shape[2:], one.weights.shape[1]],
                "strongest": int(one.norms.argmax()),
            }
            for one in found
        ]
        return self._look(figures, arrays, layers=rows)

    def gradcam(
        self, images: Any, *, class_name: str | int | None = None, layer: str | None = None
    ) -> Look:
        """Where in each image the network finds its evidence for a class.

        Args:
            images: a path, a list of paths, or pixels N×H×W×C or N×H×W.
            class_name: the class asked about, by name or number; each image's likeliest by default.
            layer: a name as `inspect` lists it; the last stage by default.

        Raises:
            ConvlensError: the layer or class is unknown, or an image cannot be shown.
        """
        subject, shown = self.subject, self._read(images)
        wanted = None if class_name is None else subject.class_number(class_name)
        found = grad_cam(subject.classifier, shown.pixels, class_index=wanted, layer=layer)
        probabilities = subject.probabilities(found.logits)
        figure = draw_grad_cam(
            found,
            shown.pixels,
            shown.names,
            classes=subject.classes,
            probabilities=probabilities,
            network=subject.name,
        )
        rows = [
            {
                "image": name,
                "class": subject.classes[number],
                "probability": float(row[number]),
                "evidence": bool(heat.any()),
            }
            for name, number, row, heat in zip(
                shown.names, found.classes, probabilities, found.heat, strict=True
            )
        ]
        name = f"gradcam-{found.layer}"
        arrays: dict[str, NDArray[Any]] = {
            "heat": found.heat,
            "classes": found.classes,
            "probabilities": probabilities,
            "images": np.array(shown.names),
        }
        return self._look({name: figure}, {name: arrays}, layer=found.layer, images=rows)

    def shift(
        self,
        image: Any,
        *,
        reach: int | None = None,
        axis: Axis = "x",
        layers: Sequence[str] = (),
    ) -> Look:
        """Move an image pixel by pixel: how feature maps follow, and how the answer holds.

        Args:
            image: a path, or pixels 1×H×W×C or 1×H×W.
            reach: pixels to go either way; 16, or a quarter of a smaller image, by default.
            axis: ``"x"`` (to the right) or ``"y"`` (down).
            layers: names as `inspect` lists them; every stage by default.

        Raises:
            ConvlensError: a layer is unknown, the reach is out of range, or the image cannot be
                shown.
        """
        subject, shown = self.subject, self._read(image)
        if len(shown.pixels) != 1:
            raise ConvlensError(
                f"{len(shown.pixels)} images are to be moved; name one", code="bad-option"
            )
        pixels = shown.pixels[0]
        side = pixels.shape[1 if axis == "x" else 0]
        reach = min(16, max(1, side // 4)) if reach is None else reach
        found = shift(subject.classifier, pixels, reach=reach, axis=axis, layers=layers)
        probabilities = subject.probabilities(found.logits)
        figure = draw_shift(
            found,
            shown.names[0],
            classes=subject.classes,
            probabilities=probabilities,
            network=subject.name,
        )
        answers = probabilities.argmax(axis=1)
        own = int(answers[reach])
        arrays: dict[str, NDArray[Any]] = {
            "offsets": found.offsets,
            "probabilities": probabilities,
            "pixels": found.pixels,
        }
        for one in found.layers:
            arrays[f"agreement {one.layer}"] = one.agreement
            arrays[f"maps {one.layer}"] = one.maps
        return self._look(
            {"shift": figure},
            {"shift": arrays},
            image=shown.names[0],
            axis=axis,
            reach=reach,
            offsets=len(answers),
            **{"class": subject.classes[own]},
            same_answer=int((answers == own).sum()),
            lowest_probability=float(probabilities[:, own].min()),
            highest_probability=float(probabilities[:, own].max()),
        )

    def _read(self, images: Any) -> Images:
        return read_images(images, self.subject.classifier.input_spec, self._reporter)

    def _look(
        self, figures: Mapping[str, Figure], arrays: Mapping[str, Arrays], **summary: Any
    ) -> Look:
        told = {"network": self.subject.name, **summary}
        return Look(figures=figures, arrays=arrays, summary=told)
