from pathlib import Path

import pytest
from pydantic import BaseModel, ConfigDict, Field

from convlens.core.errors import ConvlensError
from convlens.core.settings import (
    apply_setting,
    merge,
    read_toml,
    require_tables,
    validated,
)


class Inner(BaseModel):
    model_config = ConfigDict(extra="forbid")
    learning_rate: float = Field(default=0.1, gt=0)


class Outer(BaseModel):
    model_config = ConfigDict(extra="forbid")
    inner: Inner = Inner()
    name: str


def test_an_unknown_key_names_the_nearest_at_its_own_depth() -> None:
    with pytest.raises(ConvlensError, match="unknown key 'inner.learnig_rate'") as caught:
        validated(Outer, {"name": "x", "inner": {"learnig_rate": 1}}, what="the recipe")
    assert "did you mean 'learning_rate'" in caught.value.message
    assert "Known here: learning_rate" in caught.value.message


def test_every_problem_is_told_at_once() -> None:
    with pytest.raises(ConvlensError) as caught:
        validated(Outer, {"inner": {"learning_rate": -1}}, what="the recipe")
    assert "'name' is missing" in caught.value.message
    assert "inner.learning_rate is -1" in caught.value.message


@pytest.mark.parametrize(
    ("setting", "value"),
    [
        ("a.b=5", 5),
        ("a.b=0.5", 0.5),
        ("a.b=true", True),
        ("a.b=text", "text"),
        ('a.b="5"', "5"),
        ("a.b=[1, 2]", [1, 2]),
        ("a.b=conv 8 3, dense", "conv 8 3, dense"),
    ],
)
def test_a_setting_is_read_as_toml_or_else_as_text(setting: str, value: object) -> None:
    assert apply_setting({"a": {"c": 1}}, setting) == {"a": {"c": 1, "b": value}}


@pytest.mark.parametrize("setting", ["a.b", "=5", "a..b=5", "a b=5"])
def test_a_setting_of_another_form_says_what_was_expected(setting: str) -> None:
    with pytest.raises(ConvlensError, match="expected part.key=value"):
        apply_setting({}, setting)


def test_merging_leaves_both_sides_as_they_were() -> None:
    below, above = {"a": {"x": 1}}, {"a": {"y": 2}, "b": 3}
    assert merge(below, above) == {"a": {"x": 1, "y": 2}, "b": 3}
    assert (below, above) == ({"a": {"x": 1}}, {"a": {"y": 2}, "b": 3})


def test_a_toml_file_that_is_missing_or_is_none(tmp_path: Path) -> None:
    with pytest.raises(ConvlensError, match="cannot read"):
        read_toml(tmp_path / "none.toml")
    (tmp_path / "bad.toml").write_text("= 5")
    with pytest.raises(ConvlensError, match="not valid TOML"):
        read_toml(tmp_path / "bad.toml")


class Whole(BaseModel):
    model_config = ConfigDict(extra="forbid")

    parts: tuple[Inner, ...] = ()
    optional: Inner | None = None


@pytest.mark.parametrize("place", ["optional", "parts"])
def test_a_slip_in_a_list_or_an_optional_part_names_the_nearest(place: str) -> None:
    slip = {"learnin_rate": 1}
    with pytest.raises(ConvlensError, match="did you mean 'learning_rate'"):
        validated(Whole, {place: [slip] if place == "parts" else slip}, what="the recipe")


def test_a_part_that_is_no_table_is_told() -> None:
    places = ["training", "training.loss"]
    require_tables({}, places)
    require_tables({"training": {"loss": {"name": "focal"}, "ema": None}}, places)
    with pytest.raises(ConvlensError, match="training.loss is 'focal'.*training.loss.name=focal"):
        require_tables({"training": {"loss": "focal"}}, places)
    with pytest.raises(ConvlensError, match="training is 5; it has keys of its own"):
        require_tables({"training": 5}, places)
