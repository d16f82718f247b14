"""convlens: from a folder of images to an image classifier you understand and can trust.

Every verb of the command line is a function here, with the same name and words. They are imported
on first use, so that ``import convlens`` costs next to nothing and does not load torch.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from convlens.core.standard_streams import reserve_descriptors
from convlens.core.version import __version__

if TYPE_CHECKING:
    from convlens.api import (
        check,
        compare,
        data_fetch,
        data_info,
        data_list,
        embed,
        evaluate,
        inspect,
        load,
        look,
        look_augment,
        look_convolution,
        look_pooling,
        look_rate,
        predict,
        report,
        resume,
        train,
    )
    from convlens.recipe import Run

reserve_descriptors()  # before any file is opened: see the function's module

__all__ = [
    "Run",
    "__version__",
    "check",
    "compare",
    "data_fetch",
    "data_info",
    "data_list",
    "embed",
    "evaluate",
    "inspect",
    "load",
    "look",
    "look_augment",
    "look_convolution",
    "look_pooling",
    "look_rate",
    "predict",
    "report",
    "resume",
    "train",
]


def __getattr__(name: str) -> Any:
    if name not in __all__:
        raise AttributeError(f"module 'convlens' has no attribute '{name}'")
    owner = "convlens.recipe" if name == "Run" else "convlens.api"
    return getattr(import_module(owner), name)


def __dir__() -> list[str]:
    return __all__
