import pytest
from torch import nn

from convlens.augment import AugmentSettings
from convlens.core.errors import ConvlensError
from convlens.runs.feature_choice import choose_features

FROZEN = nn.Conv2d(3, 8, 3)
FLIP = AugmentSettings(horizontal_flip=True)


@pytest.mark.parametrize(
    ("augment", "how", "draws", "augmented", "reason"),
    [
        (AugmentSettings(), {}, 1, False, "computed once and kept"),
        (AugmentSettings(), {"draws": 5}, 1, False, "computed once and kept"),
        (FLIP, {}, 0, False, "augmented anew in every epoch; --set training.feature_draws=8"),
        (FLIP, {"draws": 5}, 5, True, "5 augmented versions"),
        (AugmentSettings(mixup=0.2), {}, 0, False, "augmented anew in every epoch"),
        (FLIP, {"draws": 5, "wanted": False}, 0, False, "training.feature_cache is off"),
        (AugmentSettings(), {"wanted": False}, 0, False, "training.feature_cache is off"),
        (AugmentSettings(), {"frozen": nn.Flatten()}, 0, False, "no stage with weights"),
        (AugmentSettings(mixup=1), {"draws": 5, "frozen": nn.Flatten()}, 0, False, "no stage"),
    ],
)
def test_the_rule(
    augment: AugmentSettings, how: dict[str, object], draws: int, augmented: bool, reason: str
) -> None:
    choice = choose_features(augment, **{"draws": 0, "frozen": FROZEN, **how})  # type: ignore[arg-type]
    assert choice.draws == draws
    assert choice.augment == (augment if augmented else None)
    assert reason in choice.reason


def test_keeping_versions_is_not_advised_where_it_would_be_refused() -> None:
    choice = choose_features(AugmentSettings(cutmix=1), draws=0, frozen=FROZEN)
    assert "feature_draws" not in choice.reason


@pytest.mark.parametrize(
    ("augment", "told"),
    [
        (
            AugmentSettings(mixup=0.2),
            (
                "training.feature_draws is 4, but augment.mixup is 0.2: .* "
                "pass --set augment.mixup=0, or --set training.feature_draws=0"
            ),
        ),
        (AugmentSettings(cutmix=1), "augment.cutmix is 1: .* pass --set augment.cutmix=0, or"),
        (
            AugmentSettings(mixup=1, cutmix=0.5, horizontal_flip=True),
            (
                "augment.mixup is 1 and augment.cutmix is 0.5: .* "
                "pass --set augment.mixup=0 --set augment.cutmix=0, or"
            ),
        ),
    ],
)
def test_mixed_images_are_refused_with_the_reason(augment: AugmentSettings, told: str) -> None:
    with pytest.raises(ConvlensError, match=told) as raised:
        choose_features(augment, draws=4, frozen=FROZEN)
    assert raised.value.exit_status == 2
