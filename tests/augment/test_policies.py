import pytest

from convlens.augment import POLICIES, AugmentSettings, default_policy, policy
from convlens.core.errors import ConvlensError


def test_the_named_policies():
    assert sorted(POLICIES) == ["light", "none", "standard", "strong", "trivial"]
    assert policy("none") == AugmentSettings()
    assert all(policy(name) == POLICIES[name] for name in POLICIES)


def test_an_unknown_policy_names_the_known_and_the_nearest():
    with pytest.raises(ConvlensError, match="did you mean 'standard'") as caught:
        policy("standrad")
    assert caught.value.code == "unknown-policy"


def test_a_policy_may_be_changed_in_part():
    changed = policy("standard", rotation_range=0)
    assert changed.rotation_range == 0
    assert changed.crop_area == POLICIES["standard"].crop_area


@pytest.mark.parametrize(
    ("names", "size", "expected", "flips"),
    [
        (["cat", "dog"], (224, 224), "standard", True),
        (["cat", "dog"], (96, 32), "standard", True),
        (["airplane", "frog"], (32, 32), "light", True),
        ([str(digit) for digit in range(10)], (28, 28), "light", False),
        (["A", "b", "3"], (224, 224), "standard", False),
        ([f"{number:05d}" for number in range(43)], (64, 64), "light", False),
        (["TurnLeft", "stop"], (224, 224), "standard", False),
        (["hand_right", "hand"], (224, 224), "standard", False),
        (["TURN_LEFT", "STOP"], (224, 224), "standard", False),
        (["LEFT", "STOP"], (224, 224), "standard", False),
        (["leftover", "bright"], (224, 224), "standard", True),
        ([f"digit_{digit}" for digit in range(10)], (28, 28), "light", False),
        ([f"digit {digit}" for digit in range(10)], (28, 28), "light", False),
        ([f"Digit{digit}" for digit in range(10)], (28, 28), "light", False),
        (["zero", "one", "Two"], (28, 28), "light", False),
        (["0-zero", "1-one", "2-two"], (28, 28), "light", False),
        (["zero_0", "one_1"], (28, 28), "light", False),
        (["letter a", "letter b"], (28, 28), "light", False),
        (["n02085620", "n02085782"], (224, 224), "standard", True),
        (["0_cat", "1_dog"], (224, 224), "standard", True),
        (["cat 1", "dog 2"], (224, 224), "standard", True),
        (["one", "none"], (224, 224), "standard", True),
        (["digit", "digit 3"], (224, 224), "standard", True),
        (["red fox", "red panda"], (224, 224), "standard", True),
    ],
)
def test_the_default_follows_its_rule(names, size, expected, flips):
    choice = default_policy(names, height=size[0], width=size[1])
    assert choice.name == expected
    assert bool(choice.settings.horizontal_flip) is flips
    assert choice.settings == policy(expected, horizontal_flip=choice.settings.horizontal_flip)


def test_the_reason_says_why():
    assert default_policy(["cat", "dog"], height=32, width=32).reason == "images are small (32x32)"
    reason = default_policy(["turn left", "stop"], height=224, width=224).reason
    assert reason == "images are 224x224; no horizontal flip: class 'turn left' speaks of a side"
