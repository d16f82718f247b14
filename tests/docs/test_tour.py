"""Every command and snippet of the guide does what the page shows, in the order of the pages."""

import re
import tomllib
from pathlib import Path
from typing import Any

import pytest
from pydantic import TypeAdapter
from tests.models.mirror import made_up_weights

from convlens.recipe.recipe import Recipe
from docs import tour

FENCE = re.compile(r"^```(\w*)", re.MULTILINE)


def test_the_whole_tour(tmp_path: Path) -> None:
    mirror, folder = tmp_path / "mirror", tmp_path / "reader"
    mirror.mkdir()
    folder.mkdir()
    with made_up_weights(tour.PUBLISHED, mirror), tour.reader(folder):
        for page in tour.pages():
            names: dict[str, Any] = {}
            for step in tour.steps(page):
                tour.run(step, names)
            drawn = [Path("visualize") / name for name in tour.pictures(page)]
            assert not [str(path) for path in drawn if not path.is_file()], page.name


def test_what_a_page_shows_is_compared() -> None:
    step = tour.Step("page.md", 1, "console", "convlens inspect simple", "…\n98,443 parameters …\n")
    with pytest.raises(tour.TourError, match="98,442 parameters"):
        tour.run(step, {})
    fails = tour.Step("page.md", 1, "console", "convlens inspect no-such-network", "")
    with pytest.raises(tour.TourError, match="failed"):
        tour.run(fails, {})
    works = tour.Step("page.md", 1, "console", "convlens inspect simple", "error there is none\n")
    with pytest.raises(tour.TourError, match="did not fail"):
        tour.run(works, {})
    other = tour.Step("page.md", 1, "console", "rm -rf runs", "")
    with pytest.raises(tour.TourError, match="are convlens's"):
        tour.run(other, {})


@pytest.mark.parametrize(
    ("shown", "matches"),
    [
        ("a\nb 1\nc", True),
        ("a\n…\nb 1", True),
        ("a\n…\nc", True),
        ("b …", True),
        ("…\nc\n…", True),
        ("a\nc", False),
        ("a …\nc", False),
        ("b", False),
        ("c\n…\na", False),
    ],
)
def test_what_a_gap_stands_for(shown: str, matches: bool) -> None:
    assert tour._matches(shown, "a\nb 1\nc") is matches


def test_a_command_goes_on_after_a_backslash(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text("```console\n$ convlens a \\\n    b\nout\n$ convlens c\n```\n", "utf-8")
    found = [(step.text, step.shown) for step in tour.steps(page)]
    assert found == [("convlens a b", "out\n"), ("convlens c", "")]


def test_every_page_says_something_to_do_and_shows_only_its_own_pictures() -> None:
    shown = set()
    for page in tour.pages():
        kinds = set(FENCE.findall(page.read_text("utf-8"))) - {""}
        assert kinds <= {"console", "python", "output", "toml", "sh"}, page.name
        shown |= {tour.PICTURES / name for name in tour.pictures(page)}
    kept = {path for path in tour.PICTURES.rglob("*") if path.is_file()}
    assert kept == shown
    assert sum(path.stat().st_size for path in kept) < 1_500_000


def test_the_recipes_on_the_pages_hold() -> None:
    found = 0
    for page in tour.pages():
        text = page.read_text("utf-8")
        for block in re.findall(r"^```toml\n(.*?)^```", text, re.DOTALL | re.MULTILINE):
            for part, said in tomllib.loads(block).items():
                TypeAdapter(Recipe.model_fields[part].annotation).validate_python(said)
                found += 1
    assert found


def test_the_chapters_recipes_say_what_the_chapter_says() -> None:
    standard = tomllib.loads((tour.ROOT / "recipes/chapter-cifar10.toml").read_text("utf-8"))
    training = standard["training"]
    assert standard["data"]["val"] == 0.1
    assert training["early_stopping"] == {"monitor": "val_loss", "patience": 10}
    assert training["reduce_on_plateau"] == {
        "monitor": "val_loss", "factor": 0.5, "patience": 5, "min_lr": 1e-6,
    }  # fmt: skip
    assert (training["batch_size"], training["epochs"], training["keep"]) == (64, 100, "best")
    transfer = tomllib.loads((tour.ROOT / "recipes/chapter-transfer.toml").read_text("utf-8"))
    phases = transfer["training"]["phases"]
    assert [phase["train"] for phase in phases] == ["head", "last 3"]
    assert [phase["optimizer"]["learning_rate"] for phase in phases] == [1e-3, 1e-5]
    assert transfer["model"]["head"] == "globalavgpool, dense 256 relu, dropout 0.5, dense"
