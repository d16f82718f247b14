"""The run's figures for TensorBoard."""

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, final

from convlens.core.errors import ConvlensError
from convlens.training.callbacks.callback import Callback, Moment

if TYPE_CHECKING:
    from torch.utils.tensorboard import SummaryWriter

    from convlens.training.state import TrainingState


@final
class WriteTensorBoard(Callback):
    """Writes every epoch's figures where ``tensorboard --logdir FOLDER`` finds them.

    Losses share a chart, and so do accuracies. The figures are on the disk at each epoch's end;
    after a resume those of the epochs that are trained again take the place of the older ones.

    Args:
        folder: where to; one below it for training and one for validation.

    Raises:
        ConvlensError: TensorBoard is not installed.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._open_writer = _writer_class()
        self._train: SummaryWriter | None = None
        self._val: SummaryWriter | None = None

    def on(self, moment: Moment, state: "TrainingState") -> None:
        """Open the files, write each epoch's figures, close them."""
        if moment is Moment.PHASE_START:
            self.close()
            first = len(state.history) + 1
            self._train = self._open_writer(str(self._folder / "train"), purge_step=first)
            self._val = self._open_writer(str(self._folder / "val"), purge_step=first)
        elif moment is Moment.EPOCH_END:
            record = state.history[-1]
            speed = {
                "learning rate": record.learning_rate,
                "images per second": record.images_per_second,
            }
            trained = {"loss": record.train_loss, "accuracy": record.train_accuracy, **speed}
            _write(self._train, record.epoch, trained)
            measured = {"loss": record.val_loss, "accuracy": record.val_accuracy}
            _write(self._val, record.epoch, measured)
        elif moment is Moment.PHASE_END:
            self.close()

    def close(self) -> None:
        """End the files; a run that fails half-way needs this."""
        for writer in (self._train, self._val):
            if writer is not None:
                writer.close()
        self._train = self._val = None


def _write(writer: "SummaryWriter | None", epoch: int, figures: Mapping[str, float | None]) -> None:
    if writer is None:
        return
    for name, value in figures.items():
        if value is not None:
            writer.add_scalar(name, value, epoch)
    writer.flush()


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
