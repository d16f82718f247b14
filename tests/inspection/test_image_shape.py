import pytest
from torch import nn

from convlens.core.errors import ConvlensError
from convlens.inspection import parse_image_shape, trace


@pytest.mark.parametrize(
    ("text", "shape"),
    [
        ("28x28x1", (1, 28, 28)),
        ("96x160x3", (3, 96, 160)),
        ("224×224×3", (3, 224, 224)),
        ("32, 32, 4", (4, 32, 32)),
        (" 8X8X1 ", (1, 8, 8)),
    ],
)
def test_height_width_channels(text, shape):
    assert parse_image_shape(text) == shape


@pytest.mark.parametrize(
    ("text", "hint"),
    [
        ("28x28", "lacks its channels: 28x28x3"),
        ("3x224x224", "the channels come last: 224x224x3"),
        ("224", "for example 28x28x1"),
        ("0x28x1", "each side from 1 to 8192"),
        ("9000x28x1", "each side from 1 to 8192"),
        ("28x28x65", "1 to 64 channels"),
        ("28x28x1x1", "for example"),
        ("large", "for example"),
        ("-28x28x1", "for example"),
        ("", "for example"),
    ],
)
def test_anything_else_is_told(text, hint):
    with pytest.raises(ConvlensError, match=hint) as caught:
        parse_image_shape(text)
    assert caught.value.code == "bad-input-shape"


@pytest.mark.parametrize(
    ("shape", "remedy"),
    [
        ((28, 28), r"the channel axis is missing: \(1, 28, 28\)"),
        ((4, 1, 28, 28), r"leave the batch axis out: \(1, 28, 28\)"),
        ((28, 28, 1), r"expected channels, height, width; to mend it: \(1, 28, 28\)"),
        ((1, 0, 28), "three positive numbers"),
        ((), "empty"),
    ],
)
def test_the_shape_of_one_image(shape, remedy):
    with pytest.raises(ConvlensError, match=remedy):
        trace(nn.Conv2d(1, 4, 3), shape)


def test_a_convolution_that_was_made_first_need_not_run_first():
    class Late(nn.Module):
        def __init__(self):
            super().__init__()
            self.last, self.first = nn.Conv2d(32, 4, 3), nn.Conv2d(3, 32, 3)

        def forward(self, x):
            return self.last(self.first(x))

    assert trace(Late(), (3, 32, 32)).output_shape == (4, 28, 28)
    with pytest.raises(ConvlensError, match="'last' .* does not fit the 1×30 map"):
        trace(Late(), (3, 3, 32))
