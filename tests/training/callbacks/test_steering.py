"""What Keras has no word for: interruptions, figures that are missing or not finite, and words."""

import math
from collections.abc import Callable

import pytest
import torch

from convlens.core.errors import ConvlensError
from convlens.training import (
    Callback,
    EarlyStopping,
    EarlyStoppingSettings,
    EmaSettings,
    KeepBest,
    Moment,
    ReduceLROnPlateau,
    ReduceOnPlateauSettings,
    TrainingSettings,
    TrainingState,
)
from tests.training.callbacks.playing import (
    end_epoch,
    fresh_state,
    play,
    through_a_checkpoint,
    weights_of,
)
from tests.training.quarters import small_network

Make = Callable[[], Callback]
NOISY = [1.2, 0.9, 0.95, 0.85, 0.86, 0.84, 0.9, 0.91, 0.88, 0.87, 0.89, 0.83]


def stopping() -> EarlyStopping:
    return EarlyStopping(EarlyStoppingSettings(patience=4, restore_best_weights=True))


def plateau() -> ReduceLROnPlateau:
    settings = ReduceOnPlateauSettings(patience=2, factor=0.5, cooldown=2)
    return ReduceLROnPlateau(settings, peak=0.01)


@pytest.mark.parametrize("make", [stopping, plateau, KeepBest])
@pytest.mark.parametrize("at", range(1, len(NOISY)))
def test_interrupted_after_any_epoch_it_goes_on_the_same(make: Make, at: int) -> None:
    whole = fresh_state()
    scales = play(make(), whole, "val_loss", NOISY)

    state, first, second = fresh_state(), make(), make()
    before = []
    for value in NOISY[: min(at, len(scales))]:
        end_epoch(state, {"val_loss": value})
        first.on(Moment.EPOCH_END, state)
        before.append(state.rate_scale)
    through_a_checkpoint(first, second)
    rest = NOISY[at:] if state.stopped is None else []
    assert before + play(second, state, "val_loss", rest) == scales
    assert (state.epoch, state.stopped) == (whole.epoch, whole.stopped)
    assert weights_of(state) == weights_of(whole)


@pytest.mark.parametrize(
    ("settings", "figure", "values", "words"),
    [
        (
            {"patience": 2},
            "val_loss",
            [0.9, 0.43124, 0.5, 0.6],
            "early stopping: val_loss did not fall below 0.4312 in 2 epochs (best: epoch 2)",
        ),
        (
            {"patience": 1, "min_delta": 0.01, "monitor": "val_accuracy"},
            "val_accuracy",
            [0.5, 0.505],
            "early stopping: val_accuracy did not rise above 51.00 % in 1 epoch (best: epoch 1)",
        ),
        (
            {"patience": 3},
            "val_loss",
            [math.nan] * 3,
            "early stopping: val_loss was not a finite number in 3 epochs",
        ),
    ],
)
def test_it_says_why_it_stops(
    settings: dict[str, object], figure: str, values: list[float], words: str
) -> None:
    state = fresh_state()
    play(EarlyStopping(EarlyStoppingSettings.model_validate(settings)), state, figure, values)
    assert state.stopped == words


def test_it_says_that_the_rate_falls() -> None:
    said: list[str] = []

    class Listener:
        def say(self, text: str) -> None:
            said.append(text)

        warn = say

        def task(self, name: str, total: int) -> None:
            raise AssertionError

    settings = ReduceOnPlateauSettings(patience=2, factor=0.5, min_delta=0.0, min_lr=0.004)
    callback = ReduceLROnPlateau(settings, peak=0.01, reporter=Listener())  # type: ignore[arg-type]
    play(callback, fresh_state(), "val_loss", [0.5, 0.6, 0.6, 0.6, 0.6, 0.6, 0.6])
    assert said == [
        "epoch 3: val_loss did not fall below 0.5 in 2 epochs: learning rate × 0.5",
        "epoch 5: val_loss did not fall below 0.5 in 2 epochs: learning rate × 0.8",
    ]


@pytest.mark.parametrize("make", [stopping, plateau])
def test_a_figure_that_is_not_measured_is_an_error(make: Make) -> None:
    with pytest.raises(ConvlensError, match=r"no validation images .* watch train_loss"):
        play(make(), fresh_state(), "val_loss", [None])


@pytest.mark.parametrize("bad", [math.nan, math.inf])
def test_a_value_that_is_not_finite_is_never_the_best(bad: float) -> None:
    state, best = fresh_state(), KeepBest()
    play(best, state, "val_loss", [bad, 0.9, bad, 0.8, bad])
    assert best.epoch == weights_of(state) == 4


def test_the_first_of_equals_is_kept() -> None:
    state, best = fresh_state(), KeepBest("val_accuracy")
    play(best, state, "val_accuracy", [0.3, 0.5, 0.4, 0.5])
    assert best.epoch == weights_of(state) == 2


def test_without_validation_images_the_last_epoch_is_kept() -> None:
    state, best = fresh_state(), KeepBest()
    play(best, state, "val_loss", [None, None, None])
    assert best.epoch == weights_of(state) == 3


def test_what_is_kept_is_a_copy() -> None:
    state, best = fresh_state(), KeepBest()
    end_epoch(state, {"val_loss": 0.5})
    best.on(Moment.EPOCH_END, state)
    end_epoch(state, {"val_loss": 0.6})
    assert all((t == 1).all() for n, t in best.state_dict().tensors.items() if n.endswith("weight"))


def test_the_average_is_kept_where_there_is_one() -> None:
    settings = TrainingSettings(ema=EmaSettings(decay=0.5))
    state, best = TrainingState.start(small_network(), settings), KeepBest()
    assert state.ema is not None
    end_epoch(state, {"val_loss": 0.5})
    state.ema.update(1)
    with state.ema.swapped_in():
        expected = {n: t.clone() for n, t in state.classifier.state_dict().items()}
    best.on(Moment.EPOCH_END, state)
    best.on(Moment.PHASE_END, state)
    for name, tensor in state.classifier.state_dict().items():
        assert torch.equal(tensor, expected[name])
