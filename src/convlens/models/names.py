"""The registry: every network convlens knows by name, and where its family stands.

A new family is one file and one line here. Nothing is imported until a name is used, so that a
command line can list the names without loading torch.
"""

from collections.abc import Mapping
from types import MappingProxyType

from convlens.core.errors import ConvlensError, unknown_name

FAMILIES: Mapping[str, str] = MappingProxyType(
    {
        "alexnet": "convlens.models.alexnet:ALEXNET",
        "lenet5": "convlens.models.lenet:LENET5",
        "mobilenet_v2": "convlens.models.mobilenet:MOBILENET_V2",
        "resnet18": "convlens.models.resnet:RESNET18",
        "resnet34": "convlens.models.resnet:RESNET34",
        "resnet50": "convlens.models.resnet:RESNET50",
        "resnet101": "convlens.models.resnet:RESNET101",
        "resnet152": "convlens.models.resnet:RESNET152",
        "simple": "convlens.models.simple:SIMPLE",
        "sprint": "convlens.models.sprint:SPRINT",
        "standard": "convlens.models.standard:STANDARD",
        "standard_no_bn": "convlens.models.standard:STANDARD_NO_BN",
        "vgg11": "convlens.models.vgg:VGG11",
        "vgg11_bn": "convlens.models.vgg:VGG11_BN",
        "vgg13": "convlens.models.vgg:VGG13",
        "vgg13_bn": "convlens.models.vgg:VGG13_BN",
        "vgg16": "convlens.models.vgg:VGG16",
        "vgg16_bn": "convlens.models.vgg:VGG16_BN",
        "vgg19": "convlens.models.vgg:VGG19",
        "vgg19_bn": "convlens.models.vgg:VGG19_BN",
    }
)

_IMAGES = (".jpg", ".jpeg", ".png", ".gif", ".bmp", ".webp", ".tif", ".tiff")
_WEIGHTS = (".pth", ".pt", ".safetensors", ".bin", ".ckpt", ".onnx", ".h5", ".keras")


def known_models() -> tuple[str, ...]:
    """The names of all networks, in alphabetical order.

    Example:
        >>> "resnet18" in known_models()
        True
    """
    return tuple(FAMILIES)


def is_own(name: str) -> bool:
    """Whether a name has the form of a module of the user's: ``path/to/file.py:function``.

    Example:
        >>> is_own("nets/mine.py:build"), is_own("vgg16")
        (True, False)
    """
    path, _, function = name.rpartition(":")
    return path.endswith(".py") and function.isidentifier()


def check_name(name: str) -> None:
    """Refuse a name that neither the registry knows nor has the form of a user's own module.

    Raises:
        ConvlensError: with the nearest known name, or with what the user probably meant.
    """
    if name in FAMILIES or is_own(name):
        return
    lowered = name.lower()
    if lowered.partition(":")[0].endswith(".py"):
        raise ConvlensError(
            f"model is '{name}'; a network in a file of your own is named with the function that "
            f"returns it: {name.partition(':')[0]}:build",
            code="unknown-model",
        )
    for suffixes, what, remedy in (
        (_IMAGES, "an image", "pass it as an image"),
        (_WEIGHTS, "a file of weights", "name the network, and pass the file with --weights"),
    ):
        if lowered.endswith(suffixes):
            raise ConvlensError(
                f"model is '{name}', which is {what}, not a network; {remedy}. "
                f"Known networks: {', '.join(known_models())}",
                code="unknown-model",
            )
    for known in FAMILIES:
        if _folded(name) == _folded(known):
            raise ConvlensError(
                f"unknown model '{name}'; did you mean '{known}'?", code="unknown-model"
            )
    raise unknown_name("model", name, known_models(), code="unknown-model")


def _folded(name: str) -> str:
    return name.lower().replace("-", "").replace("_", "")
