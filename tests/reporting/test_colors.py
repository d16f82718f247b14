"""The colors of the page, by WCAG 2.2: text at 4.5 to 1 at least, lines and marks at 3 to 1."""

import re
from importlib.resources import files
from itertools import product

import pytest

STYLE = files("convlens.reporting").joinpath("templates", "style.css").read_text("utf-8")

Color = tuple[float, float, float]


def themes() -> dict[str, dict[str, str]]:
    light, dark, printed = (
        dict(re.findall(r"--([\w-]+): ([^;]+);", block))
        for block in re.findall(r":root \{([^}]+)\}", STYLE)
    )
    return {"light": light, "dark": dark, "print": printed}


def rgb(text: str) -> Color:
    if not text.startswith("#"):
        red, green, blue = (float(part) for part in text.split())
        return red, green, blue
    digits = text[1:] if len(text) == 7 else "".join(2 * digit for digit in text[1:])
    return int(digits[:2], 16), int(digits[2:4], 16), int(digits[4:], 16)


def over(color: Color, part: float, ground: Color) -> Color:
    red, green, blue = (part * c + (1 - part) * g for c, g in zip(color, ground, strict=True))
    return red, green, blue


def luminance(color: Color) -> float:
    linear = [
        c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4
        for c in (part / 255 for part in color)
    ]
    return sum(w * c for w, c in zip((0.2126, 0.7152, 0.0722), linear, strict=True))


def contrast(one: Color, other: Color) -> float:
    low, high = sorted((luminance(one), luminance(other)))
    return (high + 0.05) / (low + 0.05)


@pytest.mark.parametrize("name", ["light", "dark", "print"])
def test_text_stands_out_from_every_ground_it_is_on(name: str) -> None:
    theme = {key: rgb(value) for key, value in themes()[name].items()}
    pairs = [*product(("ink", "quiet"), ("card", "paper", "faint", "code"))]
    pairs += [*product(("cool", "warm", "good"), ("card", "paper"))]
    weak = {pair: contrast(theme[pair[0]], theme[pair[1]]) for pair in pairs}
    assert {pair: value for pair, value in weak.items() if value < 4.5} == {}


@pytest.mark.parametrize("name", ["light", "dark", "print"])
@pytest.mark.parametrize("tint", ["rgb-cool", "rgb-warm"])
def test_counts_stand_out_from_the_shades_of_the_confusion_matrix(name: str, tint: str) -> None:
    theme = {key: rgb(value) for key, value in themes()[name].items()}
    darkest = max(float(part) for part in re.findall(r"wrong-6 \{ --a: (\.\d+)", STYLE))
    ground = over(theme[tint], darkest, theme["card"])
    assert contrast(theme["ink"], ground) >= 4.5


@pytest.mark.parametrize("name", ["light", "dark", "print"])
def test_lines_and_bars_stand_out(name: str) -> None:
    theme = {key: rgb(value) for key, value in themes()[name].items()}
    assert all(contrast(theme[mark], theme["card"]) >= 3 for mark in ("cool", "warm", "test"))


def test_the_formula_is_that_of_the_guidelines() -> None:
    assert contrast((0, 0, 0), (255, 255, 255)) == pytest.approx(21)
    assert contrast(rgb("#777777"), rgb("#fff")) == pytest.approx(4.48, abs=0.005)
