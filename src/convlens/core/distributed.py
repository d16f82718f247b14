"""The processes that share one run, as ``torchrun`` starts them; most often there is one.

torch is imported where it is used: what is wrong with a request is told before it is loaded.
"""

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Self, final

from convlens.core.cores import usable_cores
from convlens.core.errors import ConvlensError

if TYPE_CHECKING:
    import torch
    from torch import Tensor

    from convlens.core.connection import Connection

_LAUNCHED = ("RANK", "WORLD_SIZE", "LOCAL_RANK", "MASTER_ADDR", "MASTER_PORT")


@final
@dataclass(frozen=True)
class Ranks:
    """Which of the processes this one is, and what they do together.

    All but the properties must be called by every process alike, or those that call wait.

    Attributes:
        rank: this process, counted from 0.
        world_size: how many there are.
        local_rank: this process among those of its host.

    Example:
        >>> alone = Ranks()
        >>> with alone.joined() as ranks:
        ...     ranks.is_global_zero, ranks.broadcast("plants"), ranks.broadcast_scalar(0.3)
        (True, 'plants', 0.3)
    """

    rank: int = 0
    world_size: int = 1
    local_rank: int = 0
    _connection: "Connection | None" = field(default=None, repr=False, compare=False)

    @classmethod
    def of_torchrun(cls) -> Self:
        """What the environment says; one process where it does not say all of it."""
        if not all(os.environ.get(name) for name in _LAUNCHED):
            return cls()
        rank, size, local = (int(os.environ[name]) for name in _LAUNCHED[:3])
        return cls(rank, size, local)

    @property
    def is_global_zero(self) -> bool:
        """Whether this process writes and speaks for all."""
        return self.rank == 0

    @contextmanager
    def joined(self, device: str = "auto") -> Iterator[Self]:
        """Connect the processes for as long as the block lasts, through its failure too.

        What is raised in one process ends all of them: one raises it, the others leave without a
        word. A process that dies is noticed by those that wait for it.

        Args:
            device: where they are to compute.

        Yields:
            The same, connected.

        Raises:
            ConvlensError: they cannot be connected, or there is no such device.
            WorkFailedError: another process died.
        """
        if self.world_size == 1:
            yield self
            return
        from convlens.core.connection import connected  # noqa: PLC0415

        with connected(self.rank, self.world_size, lambda: self.device(device)) as connection:
            yield replace(self, _connection=connection)

    def device(self, name: str = "auto") -> "torch.device":
        """Where this process computes: the processes of a host have a GPU each, or its CPU.

        Args:
            name: as for `convlens.core.device.choose_device`.

        Raises:
            ConvlensError: there is no such device, or there are fewer GPUs than processes.
        """
        import torch  # noqa: PLC0415

        from convlens.core.device import choose_device  # noqa: PLC0415

        chosen = choose_device(name)
        if self.world_size == 1 or chosen.type == "cpu":
            return chosen
        if chosen.type != "cuda":
            if name == "auto":
                return torch.device("cpu")
            raise ConvlensError(
                f"device is '{name}', which several processes cannot share; pass --device cpu, or "
                "start one process",
                code="no-such-device",
            )
        gpus = torch.cuda.device_count()
        if self.local_rank >= gpus:
            raise ConvlensError(
                f"torchrun has started more processes here than there are GPUs ({gpus}); pass it "
                f"--nproc-per-node={gpus}, or pass --device cpu",
                code="too-few-gpus",
            )
        return torch.device("cuda", self.local_rank)

    def describe(self, device: "torch.device") -> str:
        """What there is to say of several processes that compute on such a device."""
        import torch  # noqa: PLC0415

        text = f"{self.world_size} processes share every batch"
        if device.type != "cpu":
            return text
        threads, cores = torch.get_num_threads(), usable_cores()
        most = cores // int(os.environ.get("LOCAL_WORLD_SIZE", self.world_size))
        text += f", each with {threads} thread{'s' * (threads != 1)}"
        return text + f"; OMP_NUM_THREADS={most} would use all {cores} cores" * (most > threads)

    @contextmanager
    def local_zero_first(self, kept: bool = True) -> Iterator[None]:
        """One process of each host does what is in the block, then the others, who find it done.

        Args:
            kept: False where it leaves nothing to find: then all do it at once.
        """
        if kept and self.local_rank:
            self.barrier()
        yield
        if kept and not self.local_rank:
            self.barrier()

    def barrier(self) -> None:
        """Until every process has come here, however long one of them works."""
        self.broadcast_scalar(0.0)

    def broadcast_scalar(self, value: float) -> float:
        """The first process's value, in every process: for what is measured, not computed."""
        connection = self._connection
        return connection.sum(value if self.is_global_zero else 0.0) if connection else value

    def max(self, value: int) -> int:
        """The greatest of the processes' values."""
        return self._connection.max(value) if self._connection else value

    def broadcast(self, text: str) -> str:
        """What the first process says, in every process."""
        return self._connection.broadcast(text) if self._connection else text

    def require_same(self, text: str, what: str) -> None:
        """Refuse to go on where a process has another text than the first.

        Args:
            text: whatever must not differ.
            what: what it is, in words: "images".

        Raises:
            ConvlensError: in every process, where one differs.
        """
        if self.max(int(self.broadcast(text) != text)):
            raise ConvlensError(
                f"not every process sees the same {what}; give all hosts the same source and the "
                "same folder for the run",
                code="processes-differ",
            )

    def all_reduce(self, value: "Tensor") -> "Tensor":
        """The sum over all processes; changes ``value`` in place."""
        if self._connection:
            self._connection.all_reduce(value)
        return value

    def broadcast_tensors(self, tensors: Sequence["Tensor"]) -> None:
        """Give every process the first one's values, in place."""
        if self._connection:
            for tensor in tensors:
                self._connection.broadcast_tensor(tensor)
