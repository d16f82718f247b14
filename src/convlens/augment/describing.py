"""What was drawn, in words."""

from convlens.augment.parameters import Draws


def describe(draws: Draws, number: int) -> tuple[str, ...]:
    """What happened to one image: a phrase for each parameter that shows, in the order done.

    Args:
        draws: the parameters of N images.
        number: which of them.

    Returns:
        Phrases such as ``"turned 12° left"``; none where nothing happened.
    """
    return (*_geometry(draws, number), *_color(draws, number), *_rectangles(draws, number))


def _geometry(draws: Draws, i: int) -> list[str]:
    said = []
    if draws.crop_area[i] < 1 or draws.crop_aspect[i] != 1:
        said.append(f"crop {draws.crop_area[i]:.0%}, aspect ×{draws.crop_aspect[i]:.2f}")
    if draws.rotation[i]:
        side = "left" if draws.rotation[i] > 0 else "right"
        said.append(f"turned {_short(draws.rotation[i])}° {side}")
    moves = [(draws.shift_x[i], "right", "left"), (draws.shift_y[i], "down", "up")]
    moved = [f"{_short(by)} px {plus if by > 0 else minus}" for by, plus, minus in moves if by]
    if moved:
        said.append("moved " + ", ".join(moved))
    if draws.shear[i]:
        said.append(f"sheared {_signed(draws.shear[i], '.2g')}°")
    skews = [(draws.skew_x[i], "sideways"), (draws.skew_y[i], "up and down")]
    said += [f"sheared {_signed(by, '.2f')} {way}" for by, way in skews if by]
    if draws.zoom_x[i] != 1 or draws.zoom_y[i] != 1:
        said.append(f"zoomed ×{1 / draws.zoom_x[i]:.2f} wide, ×{1 / draws.zoom_y[i]:.2f} high")
    if draws.flip_x[i]:
        said.append("mirrored")
    if draws.flip_y[i]:
        said.append("upside down")
    return said


def _color(draws: Draws, i: int) -> list[str]:
    factors = {
        "brightness": draws.brightness,
        "contrast": draws.contrast,
        "saturation": draws.saturation,
        "sharpness": draws.sharpness,
    }
    said = [f"{name} ×{v[i]:.2f}" for name, v in factors.items() if round(v[i], 2) != 1]
    if draws.channel_shift[i]:
        said.append(f"channels {_signed(draws.channel_shift[i], '.0f')}")
    if draws.hue[i]:
        said.append(f"hue {_signed(draws.hue[i], '.0f')}°")
    if draws.solarize[i] < 256:
        said.append(f"solarized from {draws.solarize[i]}")
    if draws.posterize[i] < 8:
        said.append(f"posterized to {draws.posterize[i]} bits")
    switches = {
        "made gray": draws.gray,
        "autocontrast": draws.autocontrast,
        "equalized": draws.equalize,
    }
    return said + [name for name, on in switches.items() if on[i]]


def _rectangles(draws: Draws, i: int) -> list[str]:
    boxes = {"cut out": draws.cutout[i], "erased": draws.erase[i]}
    return [f"{name} {box[2]}×{box[3]} px" for name, box in boxes.items() if box[2]]


def _short(value: float) -> str:
    """The size of a number in two digits: 12, 3.2, 3."""
    size = abs(value)
    return f"{size:.0f}" if size >= 10 or size == int(size) else f"{size:.1f}"


def _signed(value: float, form: str) -> str:
    """A number with its sign, which is a real minus."""
    return ("−" if value < 0 else "+") + format(abs(value), form)
