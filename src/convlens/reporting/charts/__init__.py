"""Charts as SVG: numbers in, markup out; colors come from the page that shows them."""

from convlens.reporting.charts.curves import Phase, Series, draw_curves
from convlens.reporting.charts.heat_map import draw_heat_map
from convlens.reporting.charts.reliability import draw_reliability
from convlens.reporting.charts.waffle import draw_hundred

__all__ = [
    "Phase",
    "Series",
    "draw_curves",
    "draw_heat_map",
    "draw_hundred",
    "draw_reliability",
]
