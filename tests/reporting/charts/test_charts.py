"""Charts: every value is drawn where its axis has it, inside the drawing."""

import re
from xml.etree import ElementTree as ET

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from convlens.reporting.charts import (
    Phase,
    Series,
    draw_curves,
    draw_heat_map,
    draw_hundred,
    draw_reliability,
)
from convlens.reporting.charts.axes import HEIGHT, LEFT, RIGHT, TOP, WIDTH, nice_ticks
from convlens.reporting.charts.svg import element

VALUES = st.floats(0, 1e6, allow_nan=False) | st.none()


def parsed(drawing: str) -> ET.Element:
    return ET.fromstring(drawing)  # noqa: S314 - it is our own


def classes(drawing: str, name: str) -> list[ET.Element]:
    return [e for e in parsed(drawing).iter() if name in (e.get("class") or "").split()]


def places(line: ET.Element) -> np.ndarray:
    return np.array([pair.split(",") for pair in (line.get("points") or "").split()], float)


def curves(
    values: list[float | None], *, kept: int | None = None, phases: tuple[Phase, ...] = ()
) -> str:
    points = list(enumerate(values, start=1))
    return draw_curves(
        [Series(kind="train", points=points), Series(kind="val", points=points)],
        title="Loss",
        phases=phases or (Phase(name="all", first=1, last=len(values)),),
        kept=kept,
        written=str,
        says="a chart",
    )


@settings(deadline=None)  # the machine may be busy
@given(st.lists(VALUES, min_size=1, max_size=60))
def test_a_curve_stays_inside_its_axes(values: list[float | None]) -> None:
    drawing = curves(values)
    for line in classes(drawing, "train") + classes(drawing, "val"):
        if line.tag == "polyline":
            x, y = places(line).T
            assert (np.diff(x) > 0).all()
            assert (x >= LEFT).all()
            assert (x <= WIDTH - RIGHT).all()
            assert (y >= TOP - 0.1).all()
            assert (y <= HEIGHT).all()


def test_a_curve_is_drawn_to_scale() -> None:
    (line,) = [e for e in classes(curves([2.0, 1.0, 0.0]), "train") if e.tag == "polyline"]
    x, y = places(line).T
    assert y[1] - y[0] == pytest.approx(y[2] - y[1], abs=0.2)
    assert x[1] - x[0] == pytest.approx(x[2] - x[1], abs=0.2)
    assert y[2] > y[0], "a smaller loss stands lower"


def test_the_kept_epoch_is_marked_at_its_place() -> None:
    drawing = curves([3.0, 2.0, 1.0, 2.0], kept=3)
    (mark,) = classes(drawing, "kept")
    line = next(e for e in classes(drawing, "train") if e.tag == "polyline")
    assert float(mark.get("x1") or 0) == pytest.approx(places(line)[2, 0], abs=0.1)


def test_phases_meet_between_two_epochs() -> None:
    phases = (Phase(name="head", first=1, last=4), Phase(name="all", first=5, last=8))
    drawing = curves([1.0] * 8, phases=phases)
    (shaded,) = classes(drawing, "phase")
    line = next(e for e in classes(drawing, "train") if e.tag == "polyline")
    x = places(line)[:, 0]
    assert x[3] < float(shaded.get("x") or 0) < x[4]
    texts = [e.text for e in parsed(drawing).iter("text")]
    assert {"head", "all"} <= set(texts)
    assert not classes(curves([1.0] * 8), "phase")


@settings(deadline=None)  # the machine may be busy
@given(st.floats(1e-6, 1e9))
def test_ticks_cover_their_range_evenly(high: float) -> None:
    ticks = nice_ticks(0, high)
    assert ticks[0] == 0
    assert ticks[-1] >= high * (1 - 1e-9)
    assert ticks[-2] < high
    assert 2 <= len(ticks) <= 8
    assert np.allclose(np.diff(ticks), ticks[1])


@settings(deadline=None)  # the machine may be busy
@given(st.integers(0, 100), st.integers(0, 100))
def test_a_hundred_squares_are_counted_out(one: int, other: int) -> None:
    low, high = sorted((one, other))
    drawing = draw_hundred(low, high, says="so many")
    assert len(classes(drawing, "right")) == low
    assert len(classes(drawing, "perhaps")) == high - low
    assert len(classes(drawing, "wrong")) == 100 - high
    assert parsed(drawing).get("aria-label") == "so many"


def test_a_bin_of_the_reliability_diagram_stands_at_what_it_says() -> None:
    empty = {"count": 0, "confidence": None, "accuracy": None, "interval": None}
    bins = [
        empty,
        {"count": 4, "confidence": 0.5, "accuracy": 0.5, "interval": [0.2, 0.8]},
        {"count": 100, "confidence": 0.9, "accuracy": 0.6, "interval": [0.5, 0.7]},
    ]
    drawing = draw_reliability(bins, title="As measured", says="a diagram")
    honest, boastful = classes(drawing, "dot")
    (ideal,) = classes(drawing, "ideal")
    start, end = ((float(ideal.get(f"x{k}") or 0), float(ideal.get(f"y{k}") or 0)) for k in "12")

    def above_line(dot: ET.Element) -> float:
        x, y = float(dot.get("cx") or 0), float(dot.get("cy") or 0)
        on_line = start[1] + (x - start[0]) / (end[0] - start[0]) * (end[1] - start[1])
        return on_line - y

    assert above_line(honest) == pytest.approx(0, abs=0.2)
    assert above_line(boastful) < -20
    assert float(boastful.get("r") or 0) > float(honest.get("r") or 0)


@settings(deadline=None)  # the machine may be busy
@given(st.integers(2, 30), st.integers(0, 2**31))
def test_a_heat_map_has_a_square_for_every_count(side: int, seed: int) -> None:
    counts = np.random.default_rng(seed).integers(0, 3, (side, side))
    names = [f"class {k}" for k in range(side)]
    drawing = draw_heat_map(counts.tolist(), names, says="a map")
    shades = list(parsed(drawing).iter("path"))
    squares = {
        kind: sum((e.get("d") or "").count("M") for e in shades if kind in (e.get("class") or ""))
        for kind in ("right", "wrong")
    }
    right = int((np.diag(counts) > 0).sum())
    assert squares == {"right": right, "wrong": int((counts > 0).sum()) - right}
    size = [float(part) for part in (parsed(drawing).get("viewBox") or "").split()]
    ends = re.findall(r"M([\d.]+) ([\d.]+)", " ".join(e.get("d") or "" for e in shades))
    assert all(float(x) < size[2] and float(y) < size[3] for x, y in ends)


def test_what_stands_in_an_element_is_escaped() -> None:
    assert element("text", '<b>"', class_='"x"') == (
        '<text class="&#34;x&#34;">&lt;b&gt;&#34;</text>'
    )
