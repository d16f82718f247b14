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
        predict,
        report,
        resume,
        train,
        visualize,
        visualize_augment,
        visualize_convolution,
        visualize_lr,
        visualize_pooling,
    )
    from convlens.runs import Run

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
    "predict",
    "report",
    "resume",
    "train",
    "visualize",
    "visualize_augment",
    "visualize_convolution",
    "visualize_lr",
    "visualize_pooling",
]


_RENAMED = {
    "look": "visualize",
    "look_augment": "visualize_augment",
    "look_convolution": "visualize_convolution",
    "look_pooling": "visualize_pooling",
    "look_rate": "visualize_lr",
}


def __getattr__(name: str) -> Any:
    if name in _RENAMED:
        from convlens.core.legacy import warn_renamed  # noqa: PLC0415

        warn_renamed(f"convlens.{name}", f"convlens.{_RENAMED[name]}")
        name = _RENAMED[name]
    if name not in __all__:
        raise AttributeError(f"module 'convlens' has no attribute '{name}'")
    owner = "convlens.runs" if name == "Run" else "convlens.api"
    return getattr(import_module(owner), name)


def __dir__() -> list[str]:
    return __all__
