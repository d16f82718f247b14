"""The run's figures for TensorBoard."""

import errno
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, final

from convlens.core.errors import ConvlensError
from convlens.core.files import write_error
from convlens.training.callbacks.callback import Callback, Moment

if TYPE_CHECKING:
    from torch.utils.tensorboard import SummaryWriter

    from convlens.training.state import EpochRecord, TrainingState

_SYSTEM_ERRORS = {
    5: errno.ENOENT,  # NOT_FOUND
    6: errno.EEXIST,  # ALREADY_EXISTS
    7: errno.EACCES,  # PERMISSION_DENIED
    8: errno.ENOSPC,  # RESOURCE_EXHAUSTED
    9: errno.ENOTDIR,  # FAILED_PRECONDITION
}
"""Errors of the system by TensorFlow's error codes, which are those of gRPC."""


@final
class WriteTensorBoard(Callback):
    """Writes every epoch's figures where ``tensorboard --logdir FOLDER`` finds them.

    Losses share a chart, and so do accuracies. The figures are on the disk at each epoch's end;
    after a resume those of the epochs that are trained again take the place of the older ones.

    Args:
        folder: where to; one below it for training and one for validation.

    Raises:
        ConvlensError: TensorBoard is not installed, or the folder cannot be written to.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._open_writer = _writer_class()
        self._train: SummaryWriter | None = None
        self._val: SummaryWriter | None = None

    def on(self, moment: Moment, state: "TrainingState") -> None:
        """Open the files, write each epoch's figures, close them."""
        try:
            if moment is Moment.PHASE_START:
                self._open(first=len(state.history) + 1)
            elif moment is Moment.EPOCH_END:
                self._write(state.history[-1])
            elif moment is Moment.PHASE_END:
                self.close()
        except _file_errors() as error:
            raise write_error(self._folder, _as_os_error(error)) from error

    def close(self) -> None:
        """End the files; a run that fails half-way needs this."""
        for writer in (self._train, self._val):
            if writer is not None:
                writer.close()
        self._train = self._val = None

    def _open(self, *, first: int) -> None:
        self.close()
        self._train = self._open_writer(str(self._folder / "train"), purge_step=first)
        self._val = self._open_writer(str(self._folder / "val"), purge_step=first)

    def _write(self, record: "EpochRecord") -> None:
        trained = {
            "loss": record.train_loss,
            "accuracy": record.train_accuracy,
            "learning rate": record.learning_rate,
            "images per second": record.images_per_second,
        }
        measured = {"loss": record.val_loss, "accuracy": record.val_accuracy}
        for writer, figures in ((self._train, trained), (self._val, measured)):
            if writer is None:
                continue
            for name, value in figures.items():
                if value is not None:
                    writer.add_scalar(name, value, record.epoch)
            writer.flush()


def _file_errors() -> tuple[type[Exception], ...]:
    """What a failing file raises: TensorBoard writes through TensorFlow where it is installed."""
    tensorflow = sys.modules.get("tensorflow")
    return (OSError,) if tensorflow is None else (OSError, tensorflow.errors.OpError)


def _as_os_error(error: Exception) -> OSError:
    """The system's error behind one of TensorFlow's, by the number of its kind."""
    if isinstance(error, OSError):
        return error
    number = _SYSTEM_ERRORS.get(getattr(error, "error_code", -1), errno.EIO)
    return OSError(number, os.strerror(number))


def _writer_class() -> "type[SummaryWriter]":
    try:
        from torch.utils.tensorboard import SummaryWriter  # noqa: PLC0415  an extra's
    except ImportError as error:
        raise ConvlensError(
            "writing for TensorBoard takes the extra 'tensorboard'; "
            "run: pip install 'convlens[tensorboard]', or set training.tensorboard=false",
            code="missing-extra",
        ) from error
    return SummaryWriter
