import json
import tomllib

import pytest
from pydantic import ValidationError

from convlens.augment import POLICIES, AugmentSettings


def test_nothing_is_on_unless_said():
    settings = AugmentSettings()
    assert not settings.crops
    assert not settings.mixes
    assert settings.margin == 0
    assert settings.zoom_bounds == (1, 1)


def test_a_keras_listing_is_taken_as_it_is_written():
    settings = AugmentSettings(
        rotation_range=30,
        width_shift_range=0.2,
        height_shift_range=0.2,
        horizontal_flip=True,
        zoom_range=0.2,
        shear_range=0.15,
        brightness_range=[0.8, 1.2],
        fill_mode="nearest",
    )
    assert settings.brightness_range == (0.8, 1.2)
    assert settings.zoom_bounds == (0.8, 1.2)


def test_a_zoom_range_may_be_given_by_its_ends():
    assert AugmentSettings(zoom_range=(0.5, 1.0)).zoom_bounds == (0.5, 1.0)


def test_rescale_is_refused_with_the_reason():
    with pytest.raises(ValidationError, match=r"leave it out: pixels are scaled .* inside"):
        AugmentSettings(rescale=1 / 255)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("rotation_range", -1),
        ("rotation_range", 181),
        ("rotation_range", float("nan")),
        ("shear_range", 90),
        ("width_shift_range", -0.1),
        ("width_shift_range", float("inf")),
        ("height_shift_range", []),
        ("zoom_range", 1.0),
        ("zoom_range", -0.1),
        ("zoom_range", (1.2, 0.8)),
        ("zoom_range", float("nan")),
        ("horizontal_flip", "sometimes"),
        ("brightness_range", (-0.1, 1)),
        ("brightness_range", (1.2, 0.8)),
        ("contrast_range", (0, float("inf"))),
        ("saturation_range", (float("nan"), 1)),
        ("channel_shift_range", 256),
        ("fill_mode", "mirror"),
        ("cval", 256),
        ("crop_area", (0, 1)),
        ("crop_area", (0.5, 1.1)),
        ("crop_aspect", (0, 1)),
        ("pad_crop", -1),
        ("hue_range", 181),
        ("gray", 1.1),
        ("erase", -0.1),
        ("erase_area", (0.02, 2)),
        ("erase_aspect", (0, 1)),
        ("mixup", -1),
        ("cutmix", float("inf")),
        ("blur", 1),
    ],
)
def test_a_value_out_of_range_is_refused_by_name(name, value):
    with pytest.raises(ValidationError, match=name):
        AugmentSettings(**{name: value})


@pytest.mark.parametrize("shift", [4, 0.2, 4.0, (-4, 0, 4)])
def test_a_whole_number_stays_one_through_json(shift):
    settings = AugmentSettings(width_shift_range=shift)
    again = AugmentSettings.model_validate_json(settings.model_dump_json())
    assert again == settings
    assert type(again.width_shift_range) is type(shift)


@pytest.mark.parametrize("name", POLICIES)
def test_every_policy_survives_json_and_toml(name):
    written = json.loads(POLICIES[name].model_dump_json())
    assert AugmentSettings(**written) == POLICIES[name]
    lines = "\n".join(f"{key} = {json.dumps(value)}" for key, value in written.items())
    assert AugmentSettings(**tomllib.loads(lines)) == POLICIES[name]


def test_settings_cannot_change():
    with pytest.raises(ValidationError, match="frozen"):
        AugmentSettings().gray = 1.0


def test_a_random_resized_crop_asks_for_the_margin_of_the_resize_rule():
    margin = AugmentSettings(crop_area=(0.35, 1)).margin
    assert round(224 * (1 + margin)) == 256
