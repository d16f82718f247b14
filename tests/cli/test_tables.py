"""On a terminal of any width no cell of a table is cut off."""

import io

import pytest
from rich.table import Table

from convlens.cli.layer_table import layer_table
from convlens.cli.tables import print_table
from convlens.core.console import PlainConsole
from convlens.core.input_spec import InputSpec
from convlens.inspection import trace
from convlens.models import ModelSpec, build

ROWS = [
    ("grün:cat:", "1,797", "98.4 (97.1–99.2)"),
    ("a class\x1b[2J of many words and a longwordthatfitsnowhere_at_all", "3", "-"),
]


def printed(width: int) -> str:
    kept = io.StringIO()
    table = Table(box=None, pad_edge=False)
    for heading in ("class", "images", "recall, %"):
        table.add_column(heading, justify="left" if heading == "class" else "right")
    for row in ROWS:
        table.add_row(*row)
    print_table(PlainConsole(file=kept, width=width), table)
    return kept.getvalue()


@pytest.mark.parametrize("width", [20, 40, 60, 80, 200])
def test_every_cell_is_there_whole(width: int) -> None:
    out = printed(width)
    assert max(map(len, out.splitlines())) <= width
    assert "…" not in out
    assert "\x1b" not in out
    whole = "".join(out.split())
    for cell in ("class", "images", "recall,%", "grün:cat:", "1,797", "98.4(97.1–99.2)"):
        assert cell in whole
    assert r"aclass\x1b[2Jofmanywordsandalongwordthatfitsnowhere_at_all" in whole


def test_a_table_that_fits_stays_one() -> None:
    assert len(printed(200).splitlines()) == 3


@pytest.mark.parametrize("name", ["lenet5", "resnet18"])
@pytest.mark.parametrize("width", [30, 40, 60])
def test_every_figure_of_a_layer_is_there_on_a_narrow_terminal(name: str, width: int) -> None:
    side, channels = (32, 1) if name == "lenet5" else (224, 3)
    spec = InputSpec(height=side, width=side, channels=channels)
    layers = trace(build(ModelSpec(name=name), spec, classes=10), (channels, side, side)).layers
    narrow = [line.plain for line in layer_table(layers, width=width)]
    assert max(map(len, narrow)) <= width
    whole = "".join("".join(narrow).split())
    for line in list(layer_table(layers, width=200))[1:]:
        for cell in line.plain.split():
            assert cell in whole
