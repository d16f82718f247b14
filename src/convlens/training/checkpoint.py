"""The newest complete state of a run on disk: safetensors and JSON, never a pickle."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from time import perf_counter
from typing import Annotated, Any, Literal, Self, final

import torch
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator
from safetensors import SafetensorError
from safetensors.torch import load as load_tensors
from safetensors.torch import save as save_tensors
from torch import Tensor

from convlens.core.bounded_file import read_bounded
from convlens.core.command_line import command
from convlens.core.errors import ConvlensError
from convlens.core.files import (
    read_json,
    replacing_folder,
    surviving_folder,
    sweep_partial,
    write_bytes,
    write_json,
)
from convlens.core.legacy import CHECKPOINT_PREFIXES, upgrade_prefixes
from convlens.core.settings import problems
from convlens.core.tensors import savable
from convlens.training.callbacks import Callback, CallbackState, Moment
from convlens.training.state import EpochRecord, Running, TrainingState

_TENSORS = "state.safetensors"
_MOST_COPIES = 16
"""Of the weights: themselves, their average, what the optimizer and callbacks keep of each."""
_SPARE_BYTES = 64 << 20
_VALUES = "state.json"
_SHARE = 0.02
_COUNTERS = (
    "phase",
    "epoch",
    "phase_epoch",
    "samples_seen",
    "step",
    "phase_step",
    "phase_steps",
    "largest_batch",
    "learning_rate",
    "rate_scale",
    "stopped",
)
_UNUSABLE = (
    OSError,
    SafetensorError,
    LookupError,
    TypeError,
    ValueError,
    AttributeError,
    RuntimeError,
)

Count = Annotated[int, Field(ge=0)]


class CheckpointPlace(BaseModel):
    """Where a checkpoint stands: the counters of `TrainingState`, under their names."""

    model_config = ConfigDict(frozen=True, allow_inf_nan=False)

    format_version: Literal[1]
    phase: Count
    epoch: Count
    phase_epoch: Count
    samples_seen: Count
    step: Count
    phase_step: Count
    phase_steps: Count
    largest_batch: Count
    learning_rate: float
    rate_scale: float
    stopped: str | None
    running: Running
    history: tuple[EpochRecord, ...]
    callbacks: dict[str, dict[str, Any]]

    @model_validator(mode="after")
    def _counters_agree(self) -> Self:
        if len(self.history) != self.epoch or self.phase_epoch > self.epoch:
            raise ValueError(
                f"it has {len(self.history)} epochs in its history, and counts {self.epoch}"
            )
        return self


@final
class SaveCheckpoint(Callback):
    """Saves the run at each epoch's end, and within an epoch as often as asked.

    Where epochs are short it leaves some out, so that saving at their ends takes no more than a
    fiftieth of the phase's time: a run that is resumed trains what is missing again, to the same
    bits. A phase's first epoch, of which nothing is known, and its last are always saved.

    Args:
        folder: where; always replaced as a whole.
        every_seconds: the longest time between two saves, give or take a step.
        remember: the callbacks, by name, whose memory belongs to the state. They must be told of
            an epoch's end before this one is.

    Attributes:
        seconds: spent saving.
    """

    def __init__(
        self, folder: Path, *, every_seconds: float, remember: Mapping[str, Callback]
    ) -> None:
        self._folder = folder
        self._every = every_seconds
        self._remember = remember
        self._began = self._saved = perf_counter()
        self._cost = 0.0
        self.seconds = 0.0

    def on(self, moment: Moment, state: TrainingState) -> None:
        """Save when it is time."""
        now = perf_counter()
        late = now - self._saved > self._every
        affordable = self.seconds + self._cost <= _SHARE * (now - self._began)
        last = state.stopped is not None or state.phase_step >= state.phase_steps
        if (late and moment is Moment.STEP_END) or (
            moment is Moment.EPOCH_END and (last or affordable)
        ):
            self.save(state)

    def save(self, state: TrainingState) -> None:
        """Save at once; weights that are no longer finite leave the checkpoint before them."""
        started = perf_counter()
        if all(torch.isfinite(tensor).all() for tensor in state.classifier.state_dict().values()):
            save_checkpoint(self._folder, state, self._remember)
        self._saved = perf_counter()
        self._cost = self._saved - started
        self.seconds += self._cost


def save_checkpoint(
    folder: Path, state: TrainingState, remember: Mapping[str, Callback] | None = None
) -> None:
    """Write the complete state; the checkpoint before it stays whole until this one is.

    Raises:
        ConvlensError: the folder cannot be written to.
        WorkFailedError: the disk is full.
    """
    memories = {name: callback.state_dict() for name, callback in (remember or {}).items()}
    tensors = {f"model/{name}": t for name, t in state.classifier.state_dict().items()}
    tensors |= {f"optimizer/{name}": t for name, t in _optimizer_tensors(state).items()}
    if state.ema is not None:
        tensors |= {f"ema/{name}": t for name, t in state.ema.tensors().items()}
    for name, memory in memories.items():
        tensors |= {f"callback/{name}/{key}": t for key, t in memory.tensors.items()}
    values = {
        "format_version": 1,
        **{name: getattr(state, name) for name in _COUNTERS},
        "running": asdict(state.running),
        "history": [record.as_json() for record in state.history],
        "callbacks": {name: memory.values for name, memory in memories.items()},
    }
    content = save_tensors(savable(tensors))
    values["checksums"] = {"values": _checksum(values), "tensors": _sha256(content)}
    with replacing_folder(folder) as fresh:
        write_bytes(fresh / _TENSORS, content)
        write_json(fresh / _VALUES, values)


def checkpoint_place(folder: Path) -> CheckpointPlace | None:
    """Where the checkpoint stands; None where there is none.

    Raises:
        ConvlensError: it is damaged.
    """
    found = surviving_folder(folder)
    return None if found is None else _read_values(found)[0]


def load_checkpoint(
    folder: Path, state: TrainingState, remember: Mapping[str, Callback] | None = None
) -> bool:
    """Bring a fresh state, and the callbacks' memories, to where the checkpoint stands.

    Args:
        folder: where it is.
        state: the start of the checkpoint's phase: see `checkpoint_place`.
        remember: the callbacks, by name, that were saved with it.

    Returns:
        Whether there was a checkpoint.

    Raises:
        ConvlensError: it is damaged, or of another network.
    """
    sweep_partial(folder)
    found = surviving_folder(folder)
    if found is None:
        return False
    place, values = _read_values(found)
    try:
        content = _read_tensors(found, values.get("checksums"), _most_bytes(state))
        tensors = upgrade_prefixes(load_tensors(content), CHECKPOINT_PREFIXES)
        state.classifier.load_state_dict(_under("model/", tensors))
        _restore_optimizer(state, _under("optimizer/", tensors))
        state.running, state.history = place.running, list(place.history)
        if state.ema is not None:
            state.ema.load(_under("ema/", tensors))
        for name in _COUNTERS:
            setattr(state, name, getattr(place, name))
        for name, callback in (remember or {}).items():
            own = _under(f"callback/{name}/", tensors)
            callback.load_state_dict(CallbackState(values=values["callbacks"][name], tensors=own))
    except _UNUSABLE as error:
        raise _unusable(found, (str(error).splitlines() or [""])[0]) from error
    return True


def _optimizer_tensors(state: TrainingState) -> dict[str, Tensor]:
    entries: dict[int, dict[str, Any]] = state.optimizer.state_dict()["state"]
    return {
        f"{number}/{key}": value
        for number, entry in entries.items()
        for key, value in entry.items()
        if isinstance(value, Tensor)
    }


def _restore_optimizer(state: TrainingState, tensors: Mapping[str, Tensor]) -> None:
    whole = state.optimizer.state_dict()
    parameters = [p for group in state.optimizer.param_groups for p in group["params"]]
    entries: dict[int, dict[str, Tensor]] = {}
    for name, tensor in tensors.items():
        number, _, key = name.partition("/")
        own = entries.setdefault(int(number), {})
        own[key] = _laid_out_like(parameters[int(number)], tensor)
    state.optimizer.load_state_dict({**whole, "state": entries})


def _laid_out_like(parameter: Tensor, tensor: Tensor) -> Tensor:
    """The same numbers in the parameter's memory order: fused optimizers go by that alone."""
    if tensor.shape != parameter.shape:
        return tensor
    return torch.empty_like(parameter, dtype=tensor.dtype, device="cpu").copy_(tensor)


def _under(prefix: str, tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    return {n.removeprefix(prefix): t for n, t in tensors.items() if n.startswith(prefix)}


def _read_values(found: Path) -> tuple[CheckpointPlace, dict[str, Any]]:
    """The counters of a checkpoint, and all of its plain values."""
    try:
        values = read_json(found / _VALUES)
        place = CheckpointPlace.model_validate(values)
    except ValidationError as error:
        raise _unusable(found, f"{_VALUES}: {problems(error)}") from error
    except ConvlensError as error:
        raise _unusable(found, error.problem) from error
    sums = values.get("checksums")  # checkpoints of earlier versions have none
    if sums is not None and (not isinstance(sums, dict) or sums.get("values") != _checksum(values)):
        raise _unusable(found, f"{_VALUES} is not as it was saved")
    return place, values


def _most_bytes(state: TrainingState) -> int:
    """How large the tensors of a checkpoint of this network can be."""
    tensors = state.classifier.state_dict().values()
    return _MOST_COPIES * sum(int(tensor.nbytes) for tensor in tensors) + _SPARE_BYTES


def _read_tensors(found: Path, sums: Mapping[str, Any] | None, most: int) -> bytes:
    content = read_bounded(found / _TENSORS, most)
    if sums is not None and sums.get("tensors") != _sha256(content):
        raise SafetensorError(f"{_TENSORS} is not as it was saved")
    return content


def _checksum(values: Mapping[str, Any]) -> str:
    plain = {key: value for key, value in values.items() if key != "checksums"}
    return _sha256(json.dumps(plain, sort_keys=True).encode())


def _sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def _unusable(found: Path, reason: str) -> ConvlensError:
    run = found.parent
    return ConvlensError(
        f"the checkpoint in {found} cannot be used ({reason}); it is damaged or of another network",
        remedy="restore it; or train again in a new folder: "
        + command("train", "--recipe", run / "recipe.toml"),
        code="damaged-checkpoint",
    )
