import io
from collections.abc import Callable

import pytest
from rich.console import Console

from convlens.core.classifier import Classifier
from convlens.core.terminal import Terminal
from convlens.training import Progress, StepContext, TrainingSettings, TrainingState, fit
from tests.training.quarters import QuarterBatches


@pytest.mark.parametrize("validated", [True, False])
def test_a_line_an_epoch_that_fits_80_columns(
    network: Callable[[], Classifier], train: QuarterBatches, validated: bool
) -> None:
    out = io.StringIO()
    settings = TrainingSettings(epochs=3, batch_size=16)
    state = TrainingState.start(network(), settings)
    reporter = Terminal(Console(file=out, width=80))
    progress = Progress(reporter, settings, steps_an_epoch=7)
    val = QuarterBatches(40 if validated else 0, seed=1)
    fit(state, train, val, StepContext(settings=settings, seed=0), callbacks=[progress])
    introduction, heading, *rows = out.getvalue().splitlines()
    assert introduction == "training all: 604 weights learn; adamw at 0.002"
    assert [row.split()[0] for row in rows] == ["1/3", "2/3", "3/3"]
    assert all(len(line) <= 80 for line in (heading, *rows))
    assert {len(row) for row in rows} == {len(heading)}, "columns stand under their headings"


def test_the_bar_tells_epoch_loss_accuracy_speed_and_time_left(
    network: Callable[[], Classifier], train: QuarterBatches, val: QuarterBatches
) -> None:
    out = io.StringIO()
    settings = TrainingSettings(epochs=3, batch_size=1)
    state = TrainingState.start(network(), settings)
    reporter = Terminal(Console(file=out, width=100, force_terminal=True))
    progress = Progress(reporter, settings, steps_an_epoch=1200)
    fit(
        state,
        QuarterBatches(1200, batch_size=1),  # seconds, for a bar that is drawn four times in each
        val,
        StepContext(settings=settings, seed=0),
        callbacks=[progress],
    )
    for word in ("training", "epoch 1/3", "loss", "accuracy", "images/s", "0:0"):
        assert word in out.getvalue()
