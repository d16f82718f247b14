"""No cell of ours is a formula to a spreadsheet, and each is read back as it was."""

import csv
import io

import pytest
from hypothesis import given
from hypothesis import strategies as st

from convlens.core.csv_cells import csv_text, harmless, original

STARTS = ["=", "+", "-", "@", "\t", "\r", "\n"]


@pytest.mark.parametrize("start", STARTS)
def test_a_formula_is_made_text(start: str) -> None:
    for cell in (f"{start}1+1", f"'{start}1", f"''{start}"):
        assert harmless(cell) == f"'{cell}"
        assert original(harmless(cell)) == cell


@given(st.text(st.sampled_from("'=+-@\t\r\na"), max_size=6) | st.text(max_size=6))
def test_any_text_is_read_back(cell: str) -> None:
    assert original(harmless(cell)) == cell
    assert not harmless(cell).startswith(tuple(STARTS))


@given(st.lists(st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"))))
def test_any_row_is_read_back(cells: list[str]) -> None:
    (row,) = csv.reader(io.StringIO(csv_text([["first", *cells, 3]]), newline=""))
    assert [original(cell) for cell in row] == ["first", *cells, "3"]
