"""A hundred squares: how many of a hundred images are right in the long run."""

from markupsafe import Markup

from convlens.reporting.charts.svg import element, picture

_CELL, _GAP, _A_ROW = 18, 4, 10


def draw_hundred(low: int, high: int, *, says: str) -> Markup:
    """Ten rows of ten squares, filled from the first one on.

    Args:
        low: squares that are filled in any case, 0 to 100.
        high: squares up to which they may be; those between are half filled.
        says: the same in words.
    """
    side = _A_ROW * (_CELL + _GAP) - _GAP
    squares = [_square(number, low, high) for number in range(100)]
    return picture(side, side, *squares, says=says, class_="hundred")


def _square(number: int, low: int, high: int) -> Markup:
    row, column = divmod(number, _A_ROW)
    kind = "right" if number < low else "perhaps" if number < high else "wrong"
    return element(
        "rect",
        x=column * (_CELL + _GAP) + 1,
        y=row * (_CELL + _GAP) + 1,
        width=_CELL - 2,
        height=_CELL - 2,
        rx=3,
        class_=kind,
    )
