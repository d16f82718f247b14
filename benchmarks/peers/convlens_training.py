"""A run of convlens as ``convlens train`` carries it out, with all that belongs to it."""

import json
from contextlib import AbstractContextManager
from pathlib import Path
from time import perf_counter
from typing import Any

from benchmarks.peers.peer import Config, answer


def measure(config: Config) -> dict[str, Any]:
    """Seconds of the epochs after the first, which touches everything once.

    An epoch has ended when its line is shown, which is after its checkpoint has been written.
    """
    import torch  # noqa: PLC0415

    from convlens.core.reporter import Task  # noqa: PLC0415
    from convlens.core.settings import validated  # noqa: PLC0415
    from convlens.core.terminal import Terminal  # noqa: PLC0415
    from convlens.data import DataSettings, open_source  # noqa: PLC0415
    from convlens.recipe import resolve_defaults  # noqa: PLC0415
    from convlens.runs import run_training  # noqa: PLC0415

    torch.set_num_threads(config["threads"])
    folder = Path(config["folder"])
    history = folder / "history.jsonl"

    def records() -> list[dict[str, Any]]:
        lines = history.read_text("utf-8").splitlines() if history.is_file() else []
        return [json.loads(line) for line in lines]

    class Watched:
        """The terminal, and when each epoch had ended."""

        def __init__(self) -> None:
            self._terminal = Terminal()
            self.ended: list[float] = []

        def say(self, text: str) -> None:
            self._terminal.say(text)
            if len(records()) > len(self.ended):
                self.ended.append(perf_counter())

        def warn(self, text: str) -> None:
            self._terminal.warn(text)

        def task(self, name: str, total: int) -> AbstractContextManager[Task]:
            return self._terminal.task(name, total)

    reporter = Watched()
    settings = validated(DataSettings, config["recipe"].get("data", {}), what="[data]")
    images = open_source(config["recipe"]["source"], settings=settings, reporter=reporter)
    recipe, reasons = resolve_defaults(config["recipe"], images)
    for reason in reasons.values():
        reporter.say(f"chose {reason}")
    started, device = perf_counter(), torch.device(config["device"])
    run = run_training(recipe, images, folder, device=device, reporter=reporter)
    network, found = run.predictor().bundle.classifier, records()
    return {
        "images": len(images.splits["train"]) * (len(found) - 1),
        "training_seconds": sum(record["seconds"] for record in found[1:]),
        "whole_seconds": reporter.ended[-1] - reporter.ended[0],
        "epoch_ended_after_seconds": [end - started for end in reporter.ended],
        "saving_share": run.metrics["saving_seconds"] / run.metrics["seconds"],
        "losses": [record["train_loss"] for record in found],
        "val_losses": [record["val_loss"] for record in found],
        "parameters": sum(parameter.numel() for parameter in network.parameters()),
    }


if __name__ == "__main__":
    answer(measure)
