"""What connects the processes of a run, and how they end together when one fails."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from itertools import count
from typing import final

import torch
from torch import Tensor
from torch import distributed as dist
from torch.distributed.distributed_c10d import PrefixStore, Store
from torch.distributed.rendezvous import rendezvous

from convlens.core.errors import ConvlensError, WorkFailedError

_ARRIVAL = timedelta(minutes=5)
_TOGETHER = timedelta(minutes=30)  # for what all compute alike: a step, validation
_APART = timedelta(days=1)  # for what one does for all: decoding, measuring
_FIRSTS_HEAD_START, _NEWS, _UNTIL_ENDED = 1.0, 5.0, 5.0  # seconds
_FAILED = "failed"

_connections = count()


class LostError(WorkFailedError):
    """Another process of the run does not answer any more."""

    def __init__(self, error: Exception) -> None:
        super().__init__(
            "another process of this run has died, or does not answer "
            f"({str(error).splitlines()[0]}); what is in the run's folder is whole: start the "
            "processes again with: convlens resume, and that folder",
            code="lost-process",
        )


@final
class Connection:
    """What the processes do together; every one must call the same, in the same order.

    Args:
        rank: this process, counted from 0.
        patient: a group for numbers on the CPU, whose members wait for as long as it takes.
    """

    def __init__(self, rank: int, patient: dist.ProcessGroup) -> None:
        self._rank = rank
        self._patient = patient

    def all_reduce(self, value: Tensor) -> None:
        """The sum of all processes' tensors, in place."""
        elsewhere = value.is_cuda != (dist.get_backend() == "nccl")
        with _answered():
            dist.all_reduce(value, group=self._patient if elsewhere else None)

    def broadcast_tensor(self, value: Tensor) -> None:
        """The first process's tensor, in place."""
        with _answered():
            dist.broadcast(value, 0)

    def sum(self, value: float) -> float:
        """The sum of all processes' numbers."""
        return self._reduced(torch.tensor(value, dtype=torch.float64), dist.ReduceOp.SUM)

    def max(self, value: int) -> int:
        """The greatest of all processes' numbers."""
        return int(self._reduced(torch.tensor(value), dist.ReduceOp.MAX))

    def broadcast(self, text: str) -> str:
        """The first process's text."""
        content = bytearray(text.encode("utf-8", "surrogateescape"))
        size = self._reduced(torch.tensor(0 if self._rank else len(content)), dist.ReduceOp.SUM)
        letters = torch.zeros(int(size), dtype=torch.uint8)
        if self._rank == 0 and content:
            letters = torch.frombuffer(content, dtype=torch.uint8)
        with _answered():
            dist.broadcast(letters, 0, group=self._patient)
        return letters.numpy().tobytes().decode("utf-8", "surrogateescape")

    def _reduced(self, value: Tensor, how: "dist.ReduceOp.RedOpType") -> float:
        with _answered():
            dist.all_reduce(value, how, group=self._patient)
        return value.item()


@contextmanager
def connected(
    rank: int, world_size: int, device: Callable[[], torch.device]
) -> Iterator[Connection]:
    """Connect the processes for as long as the block lasts, through its failure too.

    What is raised in one process ends all of them: it is raised in one, the first of them where
    all fail alike; the others leave without a word.

    Args:
        rank: this process, counted from 0.
        world_size: how many there are.
        device: says where this process computes.

    Raises:
        ConvlensError: the processes cannot be connected.
        WorkFailedError: another process died.
    """
    if dist.is_initialized():
        raise ConvlensError(
            "torch.distributed has connected the processes of this program already; leave that to "
            "convlens: call it before init_process_group, or after destroy_process_group",
            code="already-connected",
        )
    store = _rendezvous(rank, world_size)
    try:
        chosen = device()
        if chosen.type == "cuda":
            torch.cuda.set_device(chosen)
        dist.init_process_group(
            "nccl" if chosen.type == "cuda" else "gloo",
            store=PrefixStore("group", store),
            rank=rank,
            world_size=world_size,
            timeout=_TOGETHER,
        )
        yield Connection(rank, dist.new_group(backend="gloo", timeout=_APART))
    except BaseException as error:
        speaks = _speaks_for_all(store, rank, error)
        _let_go()
        if speaks:
            raise
        # torchrun ends all processes when one ends: that one must have spoken before.
        time.sleep(_UNTIL_ENDED)
        raise SystemExit(getattr(error, "exit_status", 1)) from None
    dist.destroy_process_group()


def _rendezvous(rank: int, world_size: int) -> Store:
    """Where the processes find each other, and what they tell each other on failing."""
    try:
        store, _, _ = next(rendezvous("env://", rank, world_size, timeout=_ARRIVAL))
    except (ValueError, RuntimeError) as error:
        raise ConvlensError(
            f"the processes of this run cannot find each other ({str(error).splitlines()[0]}); "
            "start them with torchrun, which says where they meet",
            code="no-rendezvous",
        ) from error
    return PrefixStore(f"convlens/{next(_connections)}", store)


def _speaks_for_all(store: Store, rank: int, error: BaseException) -> bool:
    """Whether this is the process that tells of a failure: one of those that met it."""
    patience = _NEWS if isinstance(error, LostError) else _FIRSTS_HEAD_START if rank else 0.0
    latest = time.monotonic() + patience
    try:
        while time.monotonic() < latest and not store.check([_FAILED]):
            time.sleep(0.05)
        return bool(store.add(_FAILED, 1) == 1)
    except RuntimeError:  # the store has gone with the process that held it
        return not isinstance(error, LostError)


def _let_go() -> None:
    """Close the connections, so that those who wait for this process notice.

    What is under way on a GPU might never end: that connection ends with the process.
    """
    if dist.is_initialized() and dist.get_backend() != "nccl":
        dist.destroy_process_group()


@contextmanager
def _answered() -> Iterator[None]:
    try:
        yield
    except RuntimeError as error:
        raise LostError(error) from error
