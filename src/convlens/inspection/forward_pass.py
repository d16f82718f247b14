"""One forward pass, watched: which module ran when, on what, and what each operation in it did.

Hooks tell where a module begins and ends; torch's dispatch mode sees the operations between, those
of modules and those that a ``forward`` writes out by itself, such as the sum of a residual block.
"""

import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from typing import Any, Self

import torch
from torch import Tensor, nn
from torch.utils._python_dispatch import TorchDispatchMode

from convlens.inspection.clone import twin
from convlens.inspection.formulas import Shape, What
from convlens.inspection.operations import Operation, effect, is_pointwise, multiply_adds
from convlens.inspection.receptive_field import UNKNOWN, Seen


@dataclass(frozen=True)
class Result:
    """A tensor that came out.

    Attributes:
        shape: with the batch.
        seen: what its units see.
        fresh_bytes: what it takes; 0 where it shares the memory of what went in.
    """

    shape: Shape
    seen: Seen
    fresh_bytes: int


@dataclass(frozen=True)
class Step:
    """An operation on something that comes from the image.

    Attributes:
        operation: ATen's name.
        parameters: the learnable tensors that it used.
        multiply_adds: over the whole batch.
        told: what is worth telling of the shape.
        result: what came out.
    """

    operation: str
    parameters: tuple[nn.Parameter, ...]
    multiply_adds: int
    told: What | None
    result: Result


@dataclass
class Call:
    """One run of one module.

    Attributes:
        name: its path; empty for the outermost.
        module: the module.
        given: shapes of the tensors that it was given.
        events: operations of its own and modules it called, in order.
        result: what came out; None while it runs, and where that is not a tensor from the image.
    """

    name: str
    module: nn.Module
    given: tuple[Shape, ...]
    events: "list[Step | Call]" = field(default_factory=list)
    result: Result | None = None


@dataclass(frozen=True)
class Failure:
    """Where a forward pass broke off.

    Attributes:
        call: the innermost module that was running.
        operation: the operation that refused; empty where the module's own code did.
        arguments: of that operation.
        error: what was raised.
    """

    call: Call
    operation: str
    arguments: Sequence[Any]
    error: Exception


def watch(module: nn.Module, shape: Shape) -> "ForwardPass":
    """Run a module in eval mode on a batch of zeros, and say what happened; it stays as it was.

    It runs on the meta device, which computes shapes alone; where something in it needs numbers, it
    runs again on its own device.

    Args:
        module: any module that takes a batch of images.
        shape: N×C×H×W, or whatever else is to be tried.
    """
    first = attempt(module, shape)
    if first.failure is None or _was_refused(first.failure):
        return first
    return attempt(module, shape, on_meta=False)


def attempt(module: nn.Module, shape: Shape, *, on_meta: bool = True) -> "ForwardPass":
    """Run a module as `watch` does, on the meta device alone, or on its own alone."""
    floating = (t for t in (*module.parameters(), *module.buffers()) if t.is_floating_point())
    like = next(floating, torch.empty(0))
    with twin(module, on_meta=on_meta) as running:
        running.eval()
        device = "meta" if on_meta else like.device
        return ForwardPass(running).run(torch.zeros(shape, dtype=like.dtype, device=device))


def _was_refused(failure: Failure) -> bool:
    """Whether torch refused the shapes, rather than the meta device the work."""
    by_torch = failure.operation or type(failure.call.module).__module__.startswith("torch.nn.")
    about_meta = isinstance(failure.error, NotImplementedError) or "meta" in str(failure.error)
    return bool(by_torch) and not about_meta


class ForwardPass(TorchDispatchMode):
    """Watches one run of a module: what was called, and where it broke off.

    Args:
        module: a module that may be hooked: see `convlens.inspection.clone`.

    Attributes:
        outermost: the module's own call, which holds all others; None before the run.
        failure: where the run broke off; None where it did not.
    """

    def __init__(self, module: nn.Module) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.module = module
        self.outermost: Call | None = None
        self.failure: Failure | None = None
        self._running: list[Call] = []
        self._seen: dict[int, tuple[Tensor, Seen]] = {}
        self._learnable: dict[int, tuple[Tensor, tuple[nn.Parameter, ...]]] = {
            id(p): (p, (p,)) for p in module.parameters()
        }
        self._written: set[torch.UntypedStorage] = set()
        self._refused: tuple[Exception, str, Sequence[Any]] | None = None

    def run(self, image: Tensor) -> Self:
        """Run the module on a batch of images, keeping a failure instead of raising it."""
        height, width = image.shape[-2:] if image.ndim > 1 else (1, 1)
        self._seen[id(image)] = (image, Seen.of_image(height, width))
        with ExitStack() as hooks:
            for name, child in self.module.named_modules():
                if not isinstance(child, torch.jit.ScriptModule):  # these take no hooks
                    self._hook(name, child, hooks)
            # A trial run is not the place for torch's advice.
            hooks.enter_context(warnings.catch_warnings(action="ignore"))
            try:
                with self, torch.no_grad():
                    self.module(image)
            except Exception as error:  # noqa: BLE001 - a forward may raise anything; it is told
                self.failure = self._failure(error)
        return self

    def __torch_dispatch__(
        self,
        func: torch._ops.OpOverload,
        types: Sequence[type],
        args: Sequence[Any] = (),
        kwargs: Mapping[str, Any] | None = None,
    ) -> Any:
        """Let an operation happen, and note what it did."""
        kwargs = kwargs or {}
        given = list(tensors_in([args, kwargs]))
        try:
            output = func(*args, **kwargs)
        except Exception as error:
            self._refused = (error, _name(func), args)
            raise
        self._note(func, args, given, output)
        return output

    def _note(
        self, func: torch._ops.OpOverload, args: Sequence[Any], given: list[Tensor], output: Any
    ) -> None:
        results = list(tensors_in(output))
        learnable = tuple(
            {id(p): p for t in given for p in self._learnable.get(id(t), (t, ()))[1]}.values()
        )
        sees = {id(t): seen for t in given if (seen := self._seen_by(t)) is not None}
        if not sees or not results:  # what is made of parameters alone carries them along
            self._learnable.update((id(t), (t, learnable)) for t in results if learnable)
            return
        operation = Operation(_name(func), args, sees, results[0], is_pointwise(func))
        seen, told = effect(operation)
        for tensor in results:
            self._seen[id(tensor)] = (tensor, seen)
        if operation.name.endswith("_") and id(results[0]) not in sees:
            self._written.add(results[0].untyped_storage())
        if self._running:
            fresh = 0 if func.is_view else _bytes(results[0])
            result = Result(tuple(results[0].shape), seen, fresh)
            macs = multiply_adds(operation.name, args, results[0])
            step = Step(operation.name, learnable, macs, told, result)
            self._running[-1].events.append(step)

    def _seen_by(self, tensor: Tensor) -> Seen | None:
        if id(tensor) in self._seen:
            return self._seen[id(tensor)][1]
        if self._written and tensor.untyped_storage() in self._written:
            return UNKNOWN
        return None

    def _hook(self, name: str, module: nn.Module, hooks: ExitStack) -> None:
        def enter(module: nn.Module, args: Any, kwargs: Any) -> None:
            given = tuple(tuple(t.shape) for t in tensors_in([args, kwargs]))
            call = Call(name, module, given)
            if self._running:
                self._running[-1].events.append(call)
            else:
                self.outermost = call
            self._running.append(call)

        def leave(module: nn.Module, args: Any, kwargs: Any, output: Any) -> None:
            call = self._running.pop()
            while call.module is not module:  # one that failed, and was forgiven
                call = self._running.pop()
            call.result = self._result(module, list(tensors_in([args, kwargs])), output)

        before = module.register_forward_pre_hook(enter, with_kwargs=True)
        after = module.register_forward_hook(leave, with_kwargs=True)
        hooks.callback(before.remove)
        hooks.callback(after.remove)

    def _result(self, module: nn.Module, given: list[Tensor], output: Any) -> Result | None:
        from_image = [seen for tensor in given if (seen := self._seen_by(tensor)) is not None]
        results = list(tensors_in(output))
        for tensor in results:
            if self._seen_by(tensor) is None and from_image:
                self._seen[id(tensor)] = (tensor, UNKNOWN)
        seen = self._seen_by(results[0]) if results else None
        if seen is None:
            return None
        if isinstance(module, nn.Linear) and from_image and (from_image[0].dims or (-1,))[-1] != -1:
            # Torch merges the other dimensions for the product; the places stay what they were.
            seen = from_image[0]
            self._seen[id(results[0])] = (results[0], seen)
        shared = {tensor.untyped_storage() for tensor in given}
        fresh = 0 if results[0].untyped_storage() in shared else _bytes(results[0])
        return Result(tuple(results[0].shape), seen, fresh)

    def _failure(self, error: Exception) -> Failure:
        call = self._running[-1] if self._running else Call("", self.module, ())
        if self._refused and self._refused[0] is error:
            return Failure(call, *self._refused[1:], error)
        return Failure(call, "", (), error)


def tensors_in(value: Any) -> Iterator[Tensor]:
    """The tensors in a structure of lists, tuples and mappings, in order."""
    if isinstance(value, Tensor):
        yield value
    elif isinstance(value, Mapping):
        for item in value.values():
            yield from tensors_in(item)
    elif isinstance(value, list | tuple):
        for item in value:
            yield from tensors_in(item)


def _name(operation: torch._ops.OpOverload) -> str:
    return operation.__name__.partition(".")[0]


def _bytes(tensor: Tensor) -> int:
    return tensor.numel() * tensor.element_size()
