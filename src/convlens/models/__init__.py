"""Networks: the classic families, the layer notation, pretrained weights, and your own.

Every network is a `convlens.core.classifier.Classifier`: named stages and a head.

Example:
    >>> from convlens.core.input_spec import InputSpec
    >>> from convlens.models import ModelSpec, build
    >>> spec = ModelSpec(layers="conv 16 3 same relu, maxpool 2, globalavgpool, dense")
    >>> net = build(spec, InputSpec(height=32, width=32), classes=5)
    >>> [name for name, _ in net.stages.named_children()]
    ['normalize', 'block1']

The names here are imported on first use: `known_models` answers without loading torch.
"""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from convlens.models.assemble import (
        build,
        build_architecture,
        notes,
        prepare,
        published_form,
        training_head,
        uses_small_stem,
    )
    from convlens.models.backward_errors import backward_remedy, blame_backward
    from convlens.models.custom import CustomModelError
    from convlens.models.custom_code import failed, portable
    from convlens.models.custom_source import untrusted, with_source
    from convlens.models.known_code import is_known_code, remember_code
    from convlens.models.names import is_own, known_models
    from convlens.models.published import (
        PublishedWeights,
        expected_normalization,
        imagenet_normalization,
        published_weights,
    )
    from convlens.models.running import Running, watched_modules
    from convlens.models.spec import ModelSpec

_HOME = {
    "ModelSpec": "spec",
    "CustomModelError": "custom",
    "PublishedWeights": "published",
    "Running": "running",
    "backward_remedy": "backward_errors",
    "blame_backward": "backward_errors",
    "build": "assemble",
    "build_architecture": "assemble",
    "expected_normalization": "published",
    "failed": "custom_code",
    "imagenet_normalization": "published",
    "is_known_code": "known_code",
    "is_own": "names",
    "known_models": "names",
    "notes": "assemble",
    "portable": "custom_code",
    "prepare": "assemble",
    "published_form": "assemble",
    "published_weights": "published",
    "remember_code": "known_code",
    "training_head": "assemble",
    "untrusted": "custom_source",
    "uses_small_stem": "assemble",
    "watched_modules": "running",
    "with_source": "custom_source",
}

__all__ = [
    "CustomModelError",
    "ModelSpec",
    "PublishedWeights",
    "Running",
    "backward_remedy",
    "blame_backward",
    "build",
    "build_architecture",
    "expected_normalization",
    "failed",
    "imagenet_normalization",
    "is_known_code",
    "is_own",
    "known_models",
    "notes",
    "portable",
    "prepare",
    "published_form",
    "published_weights",
    "remember_code",
    "training_head",
    "untrusted",
    "uses_small_stem",
    "watched_modules",
    "with_source",
]


def __getattr__(name: str) -> object:
    if name not in _HOME:
        raise AttributeError(f"module 'convlens.models' has no attribute '{name}'")
    return getattr(import_module(f"convlens.models.{_HOME[name]}"), name)
