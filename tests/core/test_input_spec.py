import pytest
from pydantic import ValidationError

from convlens.core.errors import ConvlensError
from convlens.core.input_spec import InputSpec, parse_size


def test_normalization_is_the_identity_unless_given() -> None:
    spec = InputSpec(height=4, width=6)
    assert (spec.mean, spec.std) == ((0.0,) * 3, (1.0,) * 3)
    assert spec.shape == (3, 4, 6)


def test_it_survives_json() -> None:
    spec = InputSpec(height=4, width=6, channels=1, resize="pad", mean=(0.5,), std=(0.25,))
    assert InputSpec.model_validate_json(spec.model_dump_json()) == spec


@pytest.mark.parametrize(
    "values",
    [
        {"height": 0, "width": 4},
        {"height": 4, "width": 4, "channels": 0},
        {"height": 4, "width": 4, "mean": (0.5,)},
        {"height": 4, "width": 4, "std": (1.0, 0.0, 1.0)},
        {"height": 4, "width": 4, "resize": "squeeze"},
        {"height": 4, "width": 4, "color": "bgr"},
    ],
)
def test_what_makes_no_sense_is_refused(values: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        InputSpec.model_validate(values)


@pytest.mark.parametrize(("text", "size"), [("224", (224, 224)), ("96x160", (96, 160))])
def test_sizes_as_they_are_typed(text: str, size: tuple[int, int]) -> None:
    assert parse_size(text) == size


@pytest.mark.parametrize("text", ["", "big", "0", "12x", "x12", "9000", "1x2x3", "-4"])
def test_a_size_that_is_none_says_what_was_expected(text: str) -> None:
    with pytest.raises(ConvlensError, match="expected one side") as caught:
        parse_size(text)
    assert caught.value.code == "bad-size"
