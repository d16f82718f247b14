"""The short form of the attack, and whether what attacks and what watches can be trusted."""

import io
import json
import random
import re
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from convlens.core.input_spec import InputSpec
from convlens.data import decode
from convlens.data.limits import UnreadableImageError
from tests.hostile import images
from tests.hostile.__main__ import jobs, main
from tests.hostile.bombs import BOMBS, sound_bombs
from tests.hostile.figures import Metrics
from tests.hostile.kinds import KINDS
from tests.hostile.mutations import mutate
from tests.hostile.runner import Result, runner
from tests.hostile.worker import Job

_MUTATED = {"images": 20, "archives": 8, "arrays": 8, "tables": 2, "weights": 15, "runs": 2}
_EVERY = {"images": 4, "archives": 4, "arrays": 3, "tables": 4, "weights": 5, "runs": 32}
"""Of the crafted cases that are quick, every so many-th; `python -m tests.hostile` tries all."""

_BREAKS = {
    "prints": "printed past Python: .libtiff: Bogus",
    "raises": "RecursionError while the case was made",
    "writes": r"written outside .*'executed'",
    "writes-far": r"written outside .*'\.\./far'",
    "warns": "printed past Python: .*UserWarning: a bomb",
    "grows-for-a-moment": r"1,\d\d\d MiB of memory",
    "dies": "the process died",
}
"""What is said of a case that breaks a rule: the last one ends the worker."""

_SLOW = re.compile(
    "huge|many|million|long|zeros|markup|lines|names|endless|chain|profile|deep|pipe|text|empty"
)
"""Names of crafted cases that take more than a fraction of a second."""


def test_hostile_files_do_no_harm_and_what_breaks_the_rules_is_seen(tmp_path: Path) -> None:
    """One test: it takes seconds to start what is attacked."""
    wanted = [Job(kind, name, 0) for kind, name in _quick()]
    wanted += [Job(kind, number, 0) for kind, count in _MUTATED.items() for number in range(count)]
    with runner(tmp_path / "ground", seconds=10) as attacker:
        results = [attacker.run(job) for job in wanted]
        for name, words in _BREAKS.items():
            found = attacker.run(Job("broken", name, 0))
            assert found.crashed == (name == "dies")
            assert re.search(words, "; ".join(found.problems)), (name, found.problems)
    assert [(str(found.job), found.problems) for found in results if found.problems] == []


def _quick() -> Iterator[tuple[str, str]]:
    """Some crafted cases that take a fraction of a second each."""
    for kind, known in KINDS.items():
        slow = _SLOW if kind != "images" else re.compile("|".join([*sound_bombs(), _SLOW.pattern]))
        names = [name for name in known.crafted if not slow.search(name)]
        yield from ((kind, name) for name in names[:: _EVERY.get(kind, 1)])


@pytest.mark.slow
def test_what_never_ends_is_ended_and_another_worker_goes_on(tmp_path: Path) -> None:
    with runner(tmp_path / "first", seconds=0.5) as attacker:
        assert "not done after" in attacker.run(Job("broken", "hangs", 0)).problems[0]
    with runner(tmp_path / "second") as attacker:
        assert "more memory than" in attacker.run(Job("broken", "grows", 0)).problems[0]
        assert attacker.run(Job("images", "png-claims-all", 0)).problems == ()


@pytest.mark.parametrize("name", images.samples())
def test_what_is_mutated_is_sound(name: str) -> None:
    data = images.samples()[name]
    with Image.open(io.BytesIO(data)) as image:
        image.load()
        assert 8 <= image.width <= 41
    try:
        pixels = decode(data, InputSpec(height=8, width=8))
    except UnreadableImageError as error:
        assert "not an image" in error.reason or "HEIC or AVIF" in error.reason  # noqa: PT017
    else:
        assert pixels.shape == (8, 8, 3)


@pytest.mark.parametrize("side", [9, 64, 300])
@pytest.mark.parametrize("name", sound_bombs())
@pytest.mark.filterwarnings("ignore::UserWarning")
def test_bombs_are_sound_but_for_their_size(name: str, side: int) -> None:
    with Image.open(io.BytesIO(sound_bombs(side)[name]())) as image:
        pixels = np.asarray(image)
    assert pixels.shape[:2] == (side, side)
    assert pixels.min() == pixels.max()


def test_enough_is_crafted() -> None:
    assert len(BOMBS) >= 30
    assert len(KINDS["weights"].crafted) >= 60
    assert all(len(kind.crafted) >= 20 for kind in KINDS.values())


def test_the_same_seed_does_the_same_damage() -> None:
    data = next(iter(images.samples().values()))
    found = [[mutate(data, random.Random(seed)) for seed in range(50)] for _ in range(2)]
    assert found[0] == found[1]
    assert len(set(found[0])) > 40


def test_crafted_cases_come_first_and_then_each_kind_in_turn() -> None:
    wanted = jobs(3, ["arrays", "tables"])
    count = len(KINDS["arrays"].crafted) + len(KINDS["tables"].crafted)
    assert all(isinstance(next(wanted).name, str) for _ in range(count))
    assert [next(wanted) for _ in range(3)] == [
        Job("arrays", 0, 3),
        Job("tables", 0, 3),
        Job("arrays", 1, 3),
    ]


def test_figures_count_what_was_tried_and_what_came_of_it() -> None:
    figures = Metrics(seed=0)
    figures.add(Result(Job("images", "png-ztxt", 0), 0.5, 10 << 20, statuses=(0, 2)))
    figures.add(Result(Job("images", 7, 0), 2.5, 30 << 20, crashed=True, problems=("died", "so")))
    figures.add(Result(Job("runs", 1, 0), 1.0, 0, statuses=(0,)))
    assert figures.findings == 1
    assert figures.slowest[0] == (2.5, "images:7")
    assert figures.table().splitlines()[2:] == [
        "| images | 1 | 1 | 1 | 1 | 30 MiB | 2.5 s |",
        "| runs | 0 | 1 | 0 | 0 | 0 MiB | 1.0 s |",
    ]


def test_figures_go_into_a_page(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text("# Page\n<!-- figures -->\nold\n<!-- end -->\nMore.\n", "utf-8")
    figures = Metrics(seed=5)
    figures.add(Result(Job("images", 7, 0), 2.5, 30 << 20))
    for _ in range(2):
        figures.write_page(page)
    text = page.read_text("utf-8")
    assert text.startswith("# Page\n<!-- figures -->\n| files |")
    assert text.endswith("<!-- end -->\nMore.\n")
    assert "`--seed 5`" in text
    assert "old" not in text
    page.write_text("# Page\n", "utf-8")
    with pytest.raises(ValueError, match="no place for figures"):
        figures.write_page(page)


def test_the_guide_has_a_place_for_the_figures() -> None:
    page = Path(__file__).parents[2] / "docs" / "guide" / "hostile-files.md"
    assert "<!-- figures -->\n" in page.read_text("utf-8")


@pytest.mark.slow
def test_the_command_prints_a_table_and_writes_figures(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out, keep = tmp_path / "figures.json", tmp_path / "case"
    wanted = ["--only", "broken:prints", "images:0", "--out", str(out), "--keep", str(keep)]
    assert main(wanted) == 1
    printed = capsys.readouterr().out
    assert "broken:prints  printed past Python" in printed
    assert re.search(r"\| images \| 0 \| 1 \|", printed)
    figures = json.loads(out.read_text("utf-8"))
    assert figures["kinds"]["broken"]["findings"] == 1
    assert figures["problems"][0][0] == "broken:prints"
    assert any(path.name.startswith("hostile.") for path in keep.rglob("*"))
