"""Charts as SVG: numbers in, markup out; colours come from the page that shows them."""

from convlens.reporting.charts.curves import Phase, Series, draw_curves
from convlens.reporting.charts.heat_map import draw_heat_map
from convlens.reporting.charts.hundred import draw_hundred
from convlens.reporting.charts.reliability import draw_reliability

__all__ = [
    "Phase",
    "Series",
    "draw_curves",
    "draw_heat_map",
    "draw_hundred",
    "draw_reliability",
]
