"""What the report tells to type is what would work: allowed findings, own code, "not sure"."""

from dataclasses import replace
from typing import Any

from convlens.recipe import ARRAYS
from convlens.reporting import Facts, render
from convlens.reporting.commands import measure_it, train_again, use_it, use_it_in_python
from tests.reporting.reading import read
from tests.reporting.simulated import facts, with_everything

MADE = with_everything(facts())


def finding(code: str, severity: str, *, allowed: bool) -> dict[str, Any]:
    return {"code": code, "severity": severity, "message": "", "remedy": "", "allowed": allowed}


def found(*findings: dict[str, Any]) -> Facts:
    return replace(MADE, preflight={"findings": findings, "estimate": None})


def test_what_was_allowed_is_allowed_again() -> None:
    made = found(
        finding("two-labels", "error", allowed=True),
        finding("near-duplicates", "error", allowed=True),
        finding("dark", "warning", allowed=True),
        finding("copies", "error", allowed=False),
    )
    recipe = "convlens train --recipe 'runs/a run/recipe.toml'"
    assert train_again(made) == f"{recipe} --allow two-labels --allow near-duplicates"
    assert train_again(found()) == train_again(facts()) == recipe
    arrays = replace(made, recipe=made.recipe.model_copy(update={"source": ARRAYS}))
    assert train_again(arrays).endswith(
        'convlens.train((X, y), recipe="recipe.toml", allow=["two-labels", "near-duplicates"])'
    )
    assert train_again(made) in read(render(made)).text["reproduce"]
    assert train_again(arrays) in read(render(arrays)).text["reproduce"]


def test_a_network_of_the_users_own_is_used_by_trusting_its_code() -> None:
    model = MADE.recipe.model.model_copy(update={"name": "mine.py:build"})
    own = replace(MADE, recipe=MADE.recipe.model_copy(update={"model": model}))
    told = read(render(own)).text["use"]
    assert [line.endswith(" --trust-code") for line in use_it(own).splitlines()] == [True] * 3
    assert use_it(own) in told
    assert "convlens.load('runs/a run', trust_code=True)" in told
    assert "trust" not in train_again(own), "its file is trained, not a bundle's text"
    unmeasured = replace(own, metrics=own.metrics | {"val": None, "test": None})
    assert measure_it(own) == "convlens evaluate 'runs/a run' SOURCE --trust-code"
    assert measure_it(own) in read(render(unmeasured)).text["result"]
    assert "trust" not in read(render(MADE)).text["use"]


def test_python_says_not_sure_where_there_is_a_rule_for_it() -> None:
    with_rule, without = use_it_in_python(MADE), use_it_in_python(facts())
    assert "if prediction.sure:" in with_rule
    assert "prediction.candidates" in with_rule
    assert "sure" not in without
    for text in (with_rule, without):
        compile(text, "", "exec")
        assert "prediction.unknown" in text
    assert with_rule in read(render(MADE)).text["use"]
    assert "it is weak" in read(render(MADE)).text["use"]
