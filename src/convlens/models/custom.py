"""A network in a file of the user's own: any function that returns a module."""

from copy import deepcopy

import torch
from torch import Tensor, nn
from torch.nn.parameter import is_lazy

from convlens.core.classifier import Classifier
from convlens.core.errors import ConvlensError
from convlens.core.input_spec import InputSpec
from convlens.models.blocks import draw_closing, draw_he, output_shape
from convlens.models.custom_code import call, failed
from convlens.models.decompose import Stages, take_apart
from convlens.models.notation import parse_head
from convlens.models.notation_build import head_from_layers
from convlens.models.running import watched_modules
from convlens.models.spec import NO_HEAD, PUBLISHED, ModelSpec


class CustomModelError(ConvlensError):
    """A network of the user's own cannot take the input that it is to be built for.

    Attributes:
        network: what the user's function returned.
        shape: of the batch that it was fed.
    """

    def __init__(self, message: str, *, network: nn.Module, shape: tuple[int, ...]) -> None:
        super().__init__(message, code="bad-own-model")
        self.network = network
        self.shape = shape


def build_custom(
    spec: ModelSpec, input_spec: InputSpec, *, classes: int, trust_code: bool
) -> Classifier:
    """Run the user's function and take what it returns apart, or keep it as one opaque stage.

    Args:
        spec: its ``name`` is ``"path/to/file.py:function"``. The function is given those of
            ``classes``, ``channels``, ``height``, ``width`` and ``input_spec`` that it names.
        input_spec: what the network is fed.
        classes: outputs; 0 for features alone.
        trust_code: whether the code may run, besides what `ModelSpec.trusting_code` says.

    Raises:
        CustomModelError: the network breaks off when it is fed.
        ConvlensError: the code is not trusted, fails, or does not give such a network.
    """
    called = spec.name or ""
    # A network without outputs cannot be made; its head is set aside below.
    net = call(spec, input_spec, classes=max(classes, 1), trust_code=trust_code)
    sample = _sample(input_spec)
    _fill_lazy(net, sample, called)
    shape = _shape_of(net, sample, called)
    apart = take_apart(net, sample, spec.stages)
    if spec.stages and apart is None:
        raise ConvlensError(
            f"{called} cannot be cut after {', '.join(spec.stages)}: running its children in order "
            "does not give what it gives",
            remedy="name other children, or leave stages out",
            code="bad-stages",
        )
    if len(shape) == 3:
        return Classifier(_backbone(net, apart), _new_head(spec, shape, classes), input_spec)
    if spec.head != PUBLISHED or classes == 0:
        if apart is None:
            raise ConvlensError(
                f"{called} cannot be taken apart into stages and a head, so its head stays as it "
                "is",
                remedy="let it return feature maps, or give it attributes 'stages' and 'head'",
                code="bad-stages",
            )
        features = output_shape(nn.Sequential(*apart[0].values()), input_spec.shape)
        return Classifier(apart[0], _new_head(spec, features, classes), input_spec)
    if shape != (classes,):
        raise ConvlensError(
            f"{called} gives {shape[0]} outputs, but there are {classes} classes",
            remedy="let the function take 'classes', and give as many outputs",
            code="bad-own-model",
        )
    stages, head = apart or ({"network": net}, nn.Identity())
    return Classifier(stages, head, input_spec)


def _backbone(net: nn.Module, apart: tuple[Stages, nn.Module] | None) -> Stages:
    """A network that gives feature maps: all of it is stages."""
    if apart is None:
        return {"network": net}
    stages, rest = apart
    return stages | ({"rest": rest} if any(True for _ in rest.children()) else {})


def _new_head(spec: ModelSpec, features: tuple[int, ...], classes: int) -> nn.Module:
    if spec.head == NO_HEAD or classes == 0:
        return nn.Identity()
    if spec.head == PUBLISHED:
        raise ConvlensError(
            f"{spec.name} gives feature maps, and no logits",
            remedy="give it a head: --head 'globalavgpool, dense'",
            code="bad-own-model",
        )
    head = head_from_layers(parse_head(spec.head), features, classes)
    draw_he(head)
    draw_closing(head)
    return head


def _sample(input_spec: InputSpec) -> Tensor:
    generator = torch.Generator().manual_seed(0)
    return torch.rand((2, *input_spec.shape), generator=generator)


def _shape_of(net: nn.Module, sample: Tensor, called: str) -> tuple[int, ...]:
    """What it gives for one image, in evaluation; in training it has to give the same kind."""
    shapes = []
    for training in (False, True):
        tried = deepcopy(net).train(training)
        with torch.random.fork_rng(devices=[]), torch.no_grad():
            out = _fed(tried, sample, called, network=net)
        if not isinstance(out, Tensor) or out.dim() not in {2, 4}:
            what = f"shape {tuple(out.shape)}" if isinstance(out, Tensor) else type(out).__name__
            when = " in training" if training else ""
            raise ConvlensError(
                f"{called} gives {what}{when}",
                remedy="let its forward give logits (N×K) or feature maps (N×C×H×W), and nothing "
                "beside them",
                code="bad-own-model",
            )
        shapes.append(tuple(out.shape[1:]))
    return shapes[0]


def _fed(run: nn.Module, sample: Tensor, called: str, *, network: nn.Module) -> object:
    """What a module makes of a batch.

    Raises:
        CustomModelError: it raised an error.
    """
    with watched_modules(run) as running:
        try:
            return run(sample)
        except Exception as error:
            fed = f"{called}, fed {tuple(sample.shape)},"
            words = failed(fed, error, module=running.describe()).message
            raise CustomModelError(words, network=network, shape=tuple(sample.shape)) from error


def _fill_lazy(net: nn.Module, sample: Tensor, called: str) -> None:
    """Give lazy layers the shape that the input asks for, their weights drawn as any others."""
    if not _lazy_names(net):
        return
    modes = [(module, module.training) for module in net.modules()]
    with torch.no_grad():
        _fed(net.eval(), sample, called, network=net)
    for module, training in modes:
        module.training = training
    if left := _lazy_names(net):
        raise ConvlensError(
            f"{called}: the shape of {left[0]} is still open after an image has gone through the "
            "network, since nothing runs it",
            remedy="take the layer out, or give it its shape",
            code="bad-own-model",
        )


def _lazy_names(net: nn.Module) -> list[str]:
    tensors = [*net.named_parameters(), *net.named_buffers()]
    return [f"'{name}'" for name, tensor in tensors if is_lazy(tensor)]
