"""Put weights into a network: the published ones, or a file's."""

from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

from safetensors.torch import save
from torch import Tensor

from convlens.core.cache_folder import cache_folder
from convlens.core.classifier import Classifier
from convlens.core.downloads import fetch, locked
from convlens.core.errors import ConvlensError
from convlens.core.files import write_bytes
from convlens.core.formatting import some
from convlens.core.reporter import Reporter
from convlens.models.family import family_named
from convlens.models.published import EDITION, PublishedWeights, published_weights
from convlens.models.spec import PUBLISHED, ModelSpec
from convlens.models.weights_file import read_weights

_LISTED = 4
_COUNTER = "num_batches_tracked"  # absent from the oldest files, and of no consequence


def load_weights(net: Classifier, spec: ModelSpec, reporter: Reporter) -> None:
    """Load the weights that a description asks for; all stages must fit, the head where it does.

    Args:
        net: as `build_architecture` made it from ``spec``; changed in place.
        spec: says which weights.
        reporter: sees a download's progress, and is told what was loaded and what was not.

    Raises:
        ConvlensError: the network has no published weights, or the weights are not this network's;
            lists what does not fit, by name.
        WorkFailedError: the download failed.
    """
    if spec.pretrained and spec.name is not None:
        weights = published_weights(spec.name)
        tensors = _published_tensors(weights, reporter)
        source = f"{EDITION} weights ({weights.file_name})"
    elif spec.weights is not None:
        tensors = read_weights(spec.weights)
        source = f"weights from {spec.weights}"
    else:
        return
    named = _named_like(net, spec, tensors)
    told = [f"{source} loaded"]
    ours = net.state_dict()
    first = next((key for key, value in ours.items() if value.dim() == 4), None)
    if first in named and ours[first].shape[1] == 1 and named[first].shape[1] == 3:
        named[first] = named[first].sum(dim=1, keepdim=True)
        told.append("first kernel summed over its colors for gray input")
    _check_stages(ours, named, source)
    kept, sentence = _fitting_head(ours, named, spec)
    told.extend(filter(None, [sentence]))
    net.load_state_dict(
        {
            key: value
            for key, value in named.items()
            if key in kept
            or (key.startswith("stages.") and key in ours and value.shape == ours[key].shape)
        },
        strict=False,
    )
    reporter.say("; ".join(told))


def _published_tensors(weights: PublishedWeights, reporter: Reporter) -> dict[str, Tensor]:
    """From the cache, as safetensors; fetched and converted at first."""
    converted = cache_folder("weights") / f"{Path(weights.file_name).stem}.safetensors"
    if converted.exists():
        try:
            return read_weights(converted)
        except ConvlensError as error:
            reporter.warn(f"{error}; making it again")
            with suppress(OSError):  # another process may have removed it; what stays is told below
                converted.unlink()
    with locked(converted, reporter):
        if not converted.exists():
            _convert(fetch(weights.download, converted.parent, reporter), converted)
    return read_weights(converted)


def _convert(published: Path, converted: Path) -> None:
    tensors = {key: value.contiguous() for key, value in read_weights(published).items()}
    write_bytes(converted, save(tensors, {"edition": EDITION, "from": published.name}))
    with suppress(OSError):
        published.unlink()


def _named_like(
    net: Classifier, spec: ModelSpec, tensors: Mapping[str, Tensor]
) -> dict[str, Tensor]:
    """The tensors under our names, whether the file has ours or torchvision's."""
    ours = set(net.state_dict())
    if spec.name is None or spec.is_own or ours & set(tensors):
        return dict(tensors)
    translate = family_named(spec.name).from_torchvision
    if translate is None:
        return dict(tensors)
    return {translate(key): value for key, value in tensors.items()}


def _check_stages(ours: Mapping[str, Tensor], named: Mapping[str, Tensor], source: str) -> None:
    needed = [key for key in ours if key.startswith("stages.") and not key.endswith(_COUNTER)]
    mismatched = [
        f"{key} ({_shape(named[key])} in the file, {_shape(ours[key])} in the network)"
        for key in needed
        if key in named and named[key].shape != ours[key].shape
    ]
    problems = {
        "missing in the file": [key for key in needed if key not in named],
        "not in the network": [
            key
            for key in named
            if key not in ours and not key.startswith("head.") and not key.endswith(_COUNTER)
        ],
        "of another shape": mismatched,
    }
    found = [
        f"{len(keys)} {what}: {some(keys, _LISTED)}" for what, keys in problems.items() if keys
    ]
    if not found:
        return
    stem = (
        "; where only the first kernel differs, the stem (small_stem) or the channels are others"
        if len(mismatched) == 1
        else ""
    )
    raise ConvlensError(
        f"the {source} are not this network's. {'. '.join(found)}. Name the network that they "
        f"were trained for{stem}",
        code="weights-do-not-fit",
    )


def _fitting_head(
    ours: Mapping[str, Tensor], named: Mapping[str, Tensor], spec: ModelSpec
) -> tuple[frozenset[str], str]:
    """Which of the head's tensors are taken from the file, and what to say of the others."""
    head, offered = (
        [key for key in keys if key.startswith("head.") and not key.endswith(_COUNTER)]
        for keys in (ours, named)
    )
    fits = frozenset(key for key in head if key in named and named[key].shape == ours[key].shape)
    if not head:
        return frozenset(), "its head is set aside" if offered else ""
    if fits == set(head):
        return fits, ""
    closing = {key for key in head if key.rpartition(".")[0] == head[-1].rpartition(".")[0]}
    classes = len(ours[head[-1]])
    if spec.head == PUBLISHED and set(head) - fits == closing and closing <= set(named):
        theirs = len(named[head[-1]])
        return fits, f"the head's last layer is drawn anew ({classes} classes, not {theirs:,})"
    return frozenset(), f"the head is drawn anew ({classes} classes)"


def _shape(tensor: Tensor) -> str:
    return "×".join(map(str, tensor.shape)) or "a number"
