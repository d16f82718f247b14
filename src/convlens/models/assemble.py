"""From a description to a network."""

from collections.abc import Callable

from torch import Tensor, nn

from convlens.core.classifier import Classifier
from convlens.core.errors import ConvlensError
from convlens.core.input_spec import InputSpec
from convlens.core.reporter import Quiet, Reporter
from convlens.models.blocks import draw_closing, draw_he, output_shape
from convlens.models.custom import build_custom
from convlens.models.family import Family, Options, Shape, family_from_layers, family_named
from convlens.models.loading import load_weights
from convlens.models.notation import HEAD_STARTS, parse_head, parse_network
from convlens.models.notation_build import head_from_layers
from convlens.models.spec import NO_HEAD, PUBLISHED, ModelSpec

SMALL_IMAGE = 64
_DEFAULTS = {"small_stem": None, "width": 1.0, "dropout": None}


def build(
    spec: ModelSpec,
    input_spec: InputSpec,
    *,
    classes: int,
    reporter: Reporter | None = None,
    trust_code: bool = False,
) -> Classifier:
    """Build the network that a description names, and load the weights that it asks for.

    What is not loaded is drawn from torch's generator in force: the caller seeds it.

    Args:
        spec: which network, and which weights.
        input_spec: what it is fed.
        classes: outputs; 0 for features alone, as with the head ``"none"``.
        reporter: is told what was loaded, and sees the progress of a download.
        trust_code: whether code of the user's own may run, in a file or carried: the caller's word
            for it, besides `ModelSpec.trusting_code`.

    Raises:
        ConvlensError: the network cannot take this input, does not know an option, does not fit
            the weights, or brings code that is not trusted.
        WorkFailedError: published weights could not be downloaded.

    Example:
        >>> net = build(ModelSpec(name="standard"), InputSpec(height=32, width=32), classes=10)
        >>> sum(p.numel() for p in net.parameters())
        815530
    """
    net = build_architecture(spec, input_spec, classes=classes, trust_code=trust_code)
    if spec.loads_weights:
        load_weights(net, spec, reporter or Quiet())
    return net


def build_architecture(
    spec: ModelSpec, input_spec: InputSpec, *, classes: int, trust_code: bool = False
) -> Classifier:
    """Build the network that a description names, with weights drawn from torch's generator.

    Args:
        spec: which network. Weights that it asks for are not loaded: see `build`.
        input_spec: what it is fed.
        classes: outputs; 0 for features alone, as with the head ``"none"``.
        trust_code: as for `build`.

    Raises:
        ConvlensError: the network cannot take this input, does not know an option, or brings code
            that is not trusted.

    Example:
        >>> spec = ModelSpec(name="simple")
        >>> net = build_architecture(spec, InputSpec(height=28, width=28, channels=1), classes=10)
        >>> sum(p.numel() for p in net.parameters())
        98442
    """
    outputs = _outputs(spec, classes)
    if spec.is_own:
        return build_custom(spec, input_spec, classes=outputs, trust_code=trust_code)
    family = _family(spec)
    options = _options(spec, family, input_spec)
    stages = nn.Sequential()
    for name, stage in family.stages(options).items():
        stages.add_module(name, stage)
    family.draw(stages)
    head = _head(spec, family, options, output_shape(stages, input_spec.shape), outputs)
    return Classifier(dict(stages.named_children()), head, input_spec)


def _outputs(spec: ModelSpec, classes: int) -> int:
    if not spec.binary_output or classes == 0:
        return classes
    if classes != 2:
        raise ConvlensError(
            f'binary_output is set (as the loss "binary" asks), which is for two classes; '
            f"there are {classes}",
            remedy='leave it out, and take the loss "cross-entropy"',
            between=": ",
            code="bad-model",
        )
    return 1


def uses_small_stem(spec: ModelSpec, input_spec: InputSpec) -> bool:
    """Whether the network begins as suits small images: 3×3, stride 1, no pooling.

    Where the description leaves it open: for images up to 64 pixels, unless weights are loaded,
    by the families that have such a stem.
    """
    if spec.is_own or "small_stem" not in _family(spec).takes:
        return False
    if spec.small_stem is not None:
        return spec.small_stem
    return max(input_spec.height, input_spec.width) <= SMALL_IMAGE and not spec.loads_weights


def prepare(net: Classifier, spec: ModelSpec, images: Callable[[], Tensor]) -> bool:
    """Fill what a network makes from training images before the first step, in place.

    Args:
        net: as `build` made it from ``spec``; where that loaded weights it is left as it is.
        spec: which network.
        images: gives N×C×H×W training images, uint8 or float in [0, 1]; asked only where needed.

    Returns:
        Whether there was something to fill.
    """
    found = None if spec.is_own or spec.loads_weights else _family(spec).prepare
    if found is None:
        return False
    found(net.stages, images())
    return True


def training_head(spec: ModelSpec) -> str:
    """The head that training on a user's data gives a network unless told otherwise.

    Example:
        >>> training_head(ModelSpec(name="vgg16")), training_head(ModelSpec(name="simple"))
        ('globalavgpool, dense', 'published')
    """
    return PUBLISHED if spec.is_own else _family(spec).training_head


def published_form(spec: ModelSpec) -> tuple[InputSpec, int] | None:
    """The input and the number of classes a named network was published with; None for others.

    Example:
        >>> published = published_form(ModelSpec(name="vgg16"))
        >>> published and (published[0].shape, published[1])
        ((3, 224, 224), 1000)
    """
    family = None if spec.is_own else _family(spec)
    if family is None or family.published_input is None or family.published_classes is None:
        return None
    channels, height, width = family.published_input
    return InputSpec(height=height, width=width, channels=channels), family.published_classes


def notes(spec: ModelSpec, input_spec: InputSpec) -> tuple[str, ...]:
    """What a reader of the network's trace should know: how it differs from the published one."""
    found = [] if spec.is_own else [_family(spec).note]
    if uses_small_stem(spec, input_spec):
        found.append(
            "small-image stem: 3×3, stride 1, no pooling (the default up to "
            f"{SMALL_IMAGE} pixels without loaded weights; small_stem = false for the published)"
        )
    return tuple(filter(None, found))


def _family(spec: ModelSpec) -> Family:
    return family_from_layers(spec.layers) if spec.name is None else family_named(spec.name)


def _options(spec: ModelSpec, family: Family, input_spec: InputSpec) -> Options:
    called = spec.name or "a network in the layer notation"
    for option, default in _DEFAULTS.items():
        if getattr(spec, option) != default and option not in family.takes:
            takes = ", ".join(sorted(family.takes)) or "none"
            raise ConvlensError(
                f"{option} is set, but {called} does not have it (its options: {takes})",
                remedy="leave it out",
                code="bad-model",
            )
    if min(input_spec.height, input_spec.width) < family.smallest_side:
        raise ConvlensError(
            f"the input is {input_spec.height}×{input_spec.width}; {called} needs at least "
            f"{family.smallest_side} pixels a side",
            remedy=f"use larger images (--size {family.smallest_side}) or a network for small "
            "ones (standard, resnet18)",
            between=": ",
            code="input-too-small",
        )
    return Options(
        shape=input_spec.shape,
        small_stem=uses_small_stem(spec, input_spec),
        width=spec.width,
        dropout=spec.dropout,
    )


def _head(
    spec: ModelSpec, family: Family, options: Options, features: Shape, classes: int
) -> nn.Module:
    if spec.head == NO_HEAD or classes == 0:
        return nn.Identity()
    if spec.head != PUBLISHED:
        head: nn.Module = head_from_layers(parse_head(spec.head), features, classes)
        draw_he(head)
    elif spec.layers and not any(la.kind in HEAD_STARTS for la in parse_network(spec.layers)):
        raise ConvlensError(
            "the network's layers hold no head",
            remedy="end them with 'globalavgpool, dense', or set head",
            code="bad-layers",
        )
    else:
        head = family.head(options, features, classes)
        family.draw(head)
    draw_closing(head)
    return head
