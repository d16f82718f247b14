"""The history on disk."""

import json
import os
from pathlib import Path
from typing import TYPE_CHECKING, final

from convlens.core.files import write_error, write_text
from convlens.training.callbacks.callback import Callback, Moment

if TYPE_CHECKING:
    from convlens.training.state import EpochRecord, TrainingState


@final
class WriteHistory(Callback):
    """Writes ``history.jsonl``: one line an epoch, on the disk before the next one starts.

    Args:
        path: the file; at the start it is rewritten to what the state remembers, which after a
            resume may be fewer epochs than had been written.
    """

    def __init__(self, path: Path) -> None:
        self._path = path

    def on(self, moment: Moment, state: "TrainingState") -> None:
        """Rewrite at the start, append at each epoch's end."""
        if moment is Moment.PHASE_START:
            write_text(self._path, "".join(map(_line, state.history)))
        elif moment is Moment.EPOCH_END:
            try:
                with self._path.open("a", encoding="utf-8") as file:
                    file.write(_line(state.history[-1]))
                    file.flush()
                    os.fsync(file.fileno())
            except OSError as error:
                raise write_error(self._path, error) from error


def _line(record: "EpochRecord") -> str:
    return json.dumps(record.as_json(), allow_nan=False) + "\n"
