"""The page: what it says is what was measured, nothing in it runs, and it is well formed."""

import re
from collections.abc import Callable
from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest

from convlens.reporting import Facts, render
from convlens.reporting.confusion import LISTED
from convlens.reporting.page import SECTIONS
from tests.reporting.reading import Read, read
from tests.reporting.simulated import NASTY, facts, figures, history, with_everything

CASES: dict[str, Callable[[], Facts]] = {
    "everything": lambda: with_everything(facts()),
    "plain": facts,
    "two classes": lambda: facts(("no", "yes"), n=20),
    "forty classes": lambda: facts(tuple(f"class {k}" for k in range(40)), n=400),
    "no pictures": lambda: facts(pictures=False),
    "validation alone": lambda: replace(facts(), metrics=facts().metrics | {"test": None}),
    "nothing measured": lambda: replace(
        facts(), metrics=facts().metrics | {"test": None, "val": None}, gallery=None
    ),
    "one epoch": lambda: replace(facts(), history=history(1)),
    "no validation": lambda: replace(
        facts(),
        history=[own | {"val_loss": None, "val_accuracy": None} for own in history(3)],
        metrics=facts().metrics | {"val": None},
    ),
    "all right": lambda: facts(n=50, skill=100.0),
    "all wrong": lambda: facts(n=50, skill=-100.0),
    "old": lambda: replace(
        facts(pictures=False), environment=_without(facts().environment, "machine"), provenance={}
    ),
    "strange names": lambda: with_everything(facts((NASTY, "b" * 200, "</table>"))),
}


def _without(environment: object, name: str) -> dict[str, object]:
    assert isinstance(environment, dict)
    return {key: value for key, value in environment.items() if key != name}


@pytest.fixture(scope="module", params=CASES, ids=str)
def page(request: pytest.FixtureRequest) -> str:
    return render(CASES[request.param]())


def test_a_page_is_well_formed(page: str) -> None:
    found = read(page)
    assert found.faults == []
    ids = found.values("id")
    assert len(ids) == len(set(ids))
    assert page.startswith("<!DOCTYPE html>")


def test_every_reference_inside_the_page_leads_somewhere(page: str) -> None:
    found = read(page)
    ids = set(found.values("id"))
    assert {link.removeprefix("#") for link in found.values("href")} <= ids
    assert set(" ".join(found.values("aria-labelledby")).split()) <= ids


def test_nothing_is_loaded_and_nothing_runs(page: str) -> None:
    found = read(page)
    assert not found.of("script", "link", "iframe", "object", "embed", "form", "base")
    assert all(link.startswith("#") for link in found.values("href"))
    assert all(source.startswith("data:image/") for source in found.values("src"))
    assert not [name for _, own in found.elements for name in own if name.startswith("on")]
    style = page[page.index("<style>") : page.index("</style>")]
    assert "url(" not in style
    assert "@import" not in style
    policy = "default-src 'none'; img-src data:; style-src 'unsafe-inline'"
    assert policy in found.values("content")


def test_headings_go_down_a_step_at_a_time(page: str) -> None:
    levels = [int(name[1]) for name, _ in read(page).of("h1", "h2", "h3", "h4")]
    assert levels[0] == 1
    assert levels.count(1) == 1
    assert all(after - before <= 1 for before, after in pairwise(levels))


def test_images_have_words_and_tables_a_caption_and_scopes(page: str) -> None:
    found = read(page)
    assert all(own.get("alt") for _, own in found.of("img"))
    assert all(own.get("aria-label") for _, own in found.of("svg"))
    assert len(found.of("table")) == len(found.of("caption"))
    assert all(own.get("scope") in {"row", "col"} for _, own in found.of("th"))
    scrolling = [own for _, own in found.elements if "scroll" in (own.get("class") or "")]
    assert all(own["tabindex"] == "0" and own["aria-label"] for own in scrolling)


def test_sections_stand_in_order_and_in_the_list_of_contents(page: str) -> None:
    found = read(page)
    there = [own["id"] for _, own in found.of("section")]
    order = list(SECTIONS)
    assert there == sorted(there, key=lambda name: order.index(str(name)))
    contents = page[page.index("<nav") : page.index("</nav>")]
    linked = [link.removeprefix("#") for link in read(contents).values("href")]
    assert linked == [name for name in order if name in linked]
    assert set(linked) <= set(there)


def words(found: Read, section: str) -> str:
    return re.sub(r"\s+", " ", found.text[section])


def test_the_figures_are_those_that_were_measured() -> None:
    made = with_everything(facts())
    test = made.metrics["test"]
    found = read(render(made))
    right, n = round(test["accuracy"] * test["n"]), test["n"]
    low, high = test["interval"]
    result = words(found, "result")
    assert f"On {n} images that were kept apart, {right} answers were right" in result
    assert f"{test['accuracy']:.1%}".replace("%", " %") in result
    assert f"{low * 100:.1f} to {high * 100:.1f} %" in result
    told = words(found, "figures")
    for name in ("log_loss", "brier", "roc_auc"):
        assert f"{test[name]:.3f}" in told
    by_class = words(found, "classes")
    for own in test["classes"]:
        ends = own["recall_interval"]
        assert (
            f"{own['name']}{own['support']} {own['recall'] * 100:.1f} %"
            f" {ends[0] * 100:.1f} to {ends[1] * 100:.1f} %" in by_class
        )
        ends = own["f1_interval"]
        assert f"{own['f1'] * 100:.1f} % {ends[0] * 100:.1f} to {ends[1] * 100:.1f} %" in by_class
    matrix = words(found, "confusion")
    for name, row in zip(made.classes, test["confusion"], strict=True):
        assert name + "".join(f"{count:,}" if count else "" for count in row) in matrix
    assert "A temperature of 1.37, fitted on 120 validation images" in words(found, "reliability")
    assert "83.0 %" in words(found, "selective")
    assert (
        "estimated to take 9.5 s at most; it took 8.0 s. 1,100 MB of memory were expected; it held "
        "1,205 MB." in words(found, "preflight")
    )
    assert made.recipe.to_toml().strip() in found.text["reproduce"]
    assert "0123abcd" in words(found, "reproduce")
    assert "numpy2.4.0" in "".join(words(found, "reproduce").split())


def test_a_finding_is_told_with_its_answer_gravest_first() -> None:
    told = words(read(render(with_everything(facts()))), "preflight")
    assert told.index("2 images have two labels") < told.index("7 test images look")
    assert "The user allowed it by its code" in told
    assert "Training went on with it" in told
    assert "count: 7; distance: 0.125" in told
    assert "matrix" not in told
    assert "and 4 other files" in told


def test_names_are_shown_as_they_are_and_never_obeyed() -> None:
    answers = facts().gallery
    assert answers is not None
    strange = replace(answers.worst[0], name=f"{NASTY}\x07\udcff.jpg", true=NASTY)
    made = replace(
        facts((NASTY, "b")), gallery=replace(answers, worst=(strange,)), folder=f"runs/{NASTY}"
    )
    page = render(made)
    found = read(page)
    assert "<script" not in page
    assert not found.of("script")
    assert f"{NASTY}\\x07\\xff.jpg" in found.text["mistakes"]
    assert NASTY in found.text["classes"]
    assert any(NASTY in alt for alt in found.values("alt"))
    page.encode("utf-8")


@pytest.mark.parametrize(
    ("case", "absent"),
    [
        ("plain", {"selective", "preflight"}),
        ("nothing measured", {"figures", "confusion", "classes", "reliability", "mistakes"}),
        ("no pictures", {"mistakes", "unsure", "augmentation"}),
    ],
)
def test_a_section_without_facts_is_left_out(case: str, absent: set[str]) -> None:
    there = {own["id"] for _, own in read(render(CASES[case]())).of("section")}
    assert there.isdisjoint(absent)
    assert {"result", "learning", "samples", "layers", "reproduce", "use"} <= there


def test_what_cannot_be_shown_says_why() -> None:
    why = "the images are gone"
    made = replace(facts(pictures=False), missing={"gallery": why, "sheet": "no such image"})
    found = read(render(made))
    assert why in words(found, "mistakes")
    assert "no such image" in words(found, "augmentation")


def test_without_test_images_the_figures_are_said_to_flatter() -> None:
    result = words(read(render(CASES["validation alone"]())), "result")
    assert "it did not learn from" in result
    assert "expect somewhat less of new images" in result


def test_phases_are_told() -> None:
    told = words(read(render(with_everything(facts()))), "learning")
    assert "In 2 phases: the head in epochs 1 to 6 then last 3 in epochs 7 to 12." in told


def test_a_report_of_100_classes_and_10_000_images_stays_small() -> None:
    names = tuple(f"a class with a long name, number {k}" for k in range(100))
    made = with_everything(facts(names, n=10_000, side=224, skill=1.0))
    page = render(made)
    assert sum(map(sum, made.metrics["test"]["confusion"])) == 10_000
    assert len(page.encode()) < 3e6  # of noise, which no picture holds so much of
    assert read(page).faults == []


def test_more_classes_than_can_be_drawn_are_counted() -> None:
    names = tuple(f"class {k}" for k in range(130))
    made = replace(facts(), metrics=facts().metrics | {"test": figures(names, 500)})
    told = words(read(render(made)), "confusion")
    assert "the 100 classes with the most mistakes; 30 other classes are left out" in told


def test_the_same_facts_give_the_same_page() -> None:
    assert render(with_everything(facts())) == render(with_everything(facts()))


def test_of_many_classes_the_mistakes_are_listed() -> None:
    names = tuple(f"kind {k}" for k in range(40))
    made = replace(facts(), metrics=facts().metrics | {"test": figures(names, 400)})
    counts = made.metrics["test"]["confusion"]
    page = render(made)
    told = words(read(page), "confusion")
    for true, row in zip(names, counts, strict=True):
        wrong = [(n, names[k]) for k, n in enumerate(row) if n and names[k] != true]
        said = ", ".join(f"{name} {n}" for n, name in sorted(wrong, key=lambda own: -own[0]))
        assert not wrong or f"{true}{said}" in told
    assert "What each class was taken for is listed below." in page
    assert "What each class was taken for" in told
    assert "and others" not in told


def test_a_class_that_is_taken_for_very_many_says_how_many_more() -> None:
    names = tuple(f"kind {k}" for k in range(40))
    made = replace(facts(), metrics=facts().metrics | {"test": figures(names, 4000, skill=0.5)})
    row = np.array(made.metrics["test"]["confusion"][0])
    row[0] = 0
    assert np.count_nonzero(row) > LISTED
    told = words(read(render(made)), "confusion")
    assert f"and others {row.sum() - np.sort(row)[-LISTED:].sum():,}" in told


def test_many_classes_without_a_mistake_have_no_list() -> None:
    names = tuple(f"kind {k}" for k in range(40))
    made = replace(facts(), metrics=facts().metrics | {"test": figures(names, 400, skill=100)})
    page = render(made)
    assert 'aria-label="Confusion matrix of 40 classes with 0 mistakes."' in page
    assert "taken for is listed below" not in page
    assert "It made no mistake." in page
