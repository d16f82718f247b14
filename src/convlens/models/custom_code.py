"""The text of a network in a file of the user's own: carry it, run it.

Nothing is run without the caller's word for it, wherever the description comes from. What travels
(a bundle, a run) carries the text and its SHA-256, and needs the word of whoever opens it.
"""

import importlib.abc
import importlib.util
import inspect
import sys
from pathlib import Path
from types import ModuleType

from torch import nn

from convlens.core.errors import ConvlensError
from convlens.core.input_spec import InputSpec
from convlens.models.custom_source import read_source, sha256, split_name, untrusted
from convlens.models.spec import ModelSpec


def portable(spec: ModelSpec) -> ModelSpec:
    """The description as it may leave this machine: it carries its own code, and no path of ours.

    Raises:
        ConvlensError: the file of the user's own network cannot be read.
    """
    weights = Path(spec.weights.name) if spec.weights else None
    if not spec.is_own or spec.name is None:
        return spec.model_copy(update={"weights": weights})
    path, function = split_name(spec.name)
    source = _source(spec)
    return spec.model_copy(
        update={
            "name": f"{Path(path).name}:{function}",
            "source": source,
            "source_sha256": sha256(source),
            "weights": weights,
        }
    )


def _source(spec: ModelSpec) -> str:
    if spec.source is not None:
        if sha256(spec.source) != spec.source_sha256:
            raise ConvlensError(
                f"the code of {spec.name} is not what it was: its SHA-256 is "
                f"{sha256(spec.source)}, not {spec.source_sha256}; restore the bundle",
                code="damaged-code",
            )
        return spec.source
    return read_source(spec.name or "")


class _Loader(importlib.abc.ExecutionLoader):
    """Loads a module from a text at hand."""

    def __init__(self, source: str, origin: str) -> None:
        self._source = source
        self._origin = origin

    def get_source(self, fullname: str) -> str:
        """The text itself."""
        del fullname
        return self._source

    def get_filename(self, fullname: str) -> str:
        """What a traceback calls it."""
        del fullname
        return self._origin


def _run(spec: ModelSpec) -> ModuleType:
    source = _source(spec)
    name = f"convlens_own_{sha256(source)[:16]}"
    path = split_name(spec.name or "")[0]
    module_spec = importlib.util.spec_from_loader(name, _Loader(source, path), origin=path)
    if module_spec is None or module_spec.loader is None:
        raise TypeError(f"no loader for {path}")
    module = importlib.util.module_from_spec(module_spec)
    sys.modules[name] = module  # dataclasses look their own module up
    try:
        module_spec.loader.exec_module(module)
    except BaseException:
        del sys.modules[name]
        raise
    return module


def call(spec: ModelSpec, input_spec: InputSpec, *, classes: int, trust_code: bool) -> nn.Module:
    """Run the user's file, and the function in it.

    Args:
        spec: its ``name`` is ``"path/to/file.py:function"``. The function is given those of
            ``classes``, ``channels``, ``height``, ``width`` and ``input_spec`` that it names.
        input_spec: what the network is fed.
        classes: outputs.
        trust_code: whether the code may run, besides what `ModelSpec.trusting_code` says.

    Raises:
        ConvlensError: the code is not trusted or fails, or what it returns is no module.
    """
    called = spec.name or ""
    if not (trust_code or spec.code_is_trusted):
        raise untrusted(called, spec.source_sha256)
    path, function_name = split_name(called)
    offered = {
        "classes": classes,
        "channels": input_spec.channels,
        "height": input_spec.height,
        "width": input_spec.width,
        "input_spec": input_spec,
    }
    try:
        function = getattr(_run(spec), function_name, None)
        if not callable(function):
            raise ConvlensError(
                f"{path} has no function '{function_name}'",
                remedy="--model takes path/to/file.py:function",
                code="bad-own-model",
            )
        parameters = inspect.signature(function).parameters.values()
        required = {p.name for p in parameters if p.default is p.empty and p.kind not in {2, 4}}
        if not required <= set(offered):
            raise ConvlensError(
                f"{called} requires {', '.join(sorted(required - set(offered)))}; it can be given "
                f"{', '.join(offered)}",
                remedy="give the others default values",
                code="bad-own-model",
            )
        net = function(**{p.name: offered[p.name] for p in parameters if p.name in offered})
    except ConvlensError:
        raise
    except (Exception, SystemExit) as error:
        raise failed(called, error) from error
    if not isinstance(net, nn.Module):
        raise ConvlensError(
            f"{called} returned a {type(net).__name__}",
            remedy="let it return a torch.nn.Module",
            code="bad-own-model",
        )
    return net


def failed(called: str, error: BaseException, *, module: str = "") -> ConvlensError:
    """The error for code of the user's that raised one itself; names the line.

    Args:
        called: what failed.
        error: what it raised.
        module: the module that was running, as `Running.describe` says it.
    """
    line = own_line(error)
    where = f" (line {line})" if line else ""
    return ConvlensError(
        f"{called} failed{module}{where}: {type(error).__name__}: {error}", code="bad-own-model"
    )


def own_line(error: BaseException) -> int | None:
    """The innermost line of the user's own code that an error came through; None without any."""
    trace, line = error.__traceback__, None
    while trace is not None:
        if trace.tb_frame.f_globals.get("__name__", "").startswith("convlens_own_"):
            line = trace.tb_lineno
        trace = trace.tb_next
    return line
