"""The generated pages have everything that the program has."""

import re
from pathlib import Path
from types import SimpleNamespace

import pytest
from docs.generated import codes, commands, python_api, recipe_keys
from pydantic import BaseModel
from typer.main import get_command

import convlens
from convlens.cli.main import app, main
from convlens.core.settings import apply_setting, validated
from convlens.recipe.recipe import Recipe


def test_every_verb_has_its_options_as_its_help_has_them(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "200")
    page = commands.page()
    verbs = dict(commands.verbs(get_command(app)))
    assert len(verbs) >= 17
    for words in verbs:
        section = page.split(f"## {words}\n", 1)[1].split("\n## ", 1)[0]
        with pytest.raises(SystemExit):
            main([*words.split()[1:], "--help"])
        shown = set(re.findall(r"(?<![\w-])--[a-z][\w-]*", capsys.readouterr().out)) - {"--help"}
        assert {f"`{flag}`" for flag in shown} <= set(re.findall(r"`--[\w-]+`", section)), words


def test_every_function_of_the_api_is_there() -> None:
    page = python_api.page()
    for name in convlens.__all__:
        if name[0].islower():
            assert re.search(rf"^::: convlens\.api\.\w+\.{name}$", page, re.MULTILINE), name
    assert "::: convlens.runs.Run\n" in page


def test_every_key_of_a_recipe_is_described() -> None:
    page = recipe_keys.page()
    for path, model in recipe_keys.parts(Recipe):
        means = recipe_keys.described(model)
        assert set(model.model_fields) <= set(means), path
        for name, field in model.model_fields.items():
            if path or not issubclass(field.annotation or object, BaseModel):
                assert f"| `{name}` |" in page


def test_defaults_are_written_as_a_recipe_takes_them() -> None:
    section = recipe_keys.page().split("## `[training]`\n", 1)[1].split("\n## ", 1)[0]
    rows = re.findall(r"^\| `(\w+)` \| `(.+?)` \|", section, re.MULTILINE)
    assert len(rows) >= 6
    for key, default in rows:
        asked = apply_setting({}, f"{key}={default}")
        owner = Recipe.model_fields["training"].annotation
        assert getattr(validated(owner, asked, what="it"), key) is not None


def test_every_code_in_the_source_is_on_its_page() -> None:
    page = codes.errors_page()
    written = set()
    for path in Path(convlens.__file__).parent.rglob("*.py"):
        source = re.sub(r"^ *(>>>|\.\.\.) .*$", "", path.read_text("utf-8"), flags=re.MULTILINE)
        written |= set(re.findall(r'\bcode="([a-z0-9-]+)"', source))
    assert len(written) > 80
    assert not [code for code in written if f"| `{code}` |" not in page]


def test_a_message_keeps_its_words_and_shows_what_differs_as_a_gap(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "thing.py").write_text(
        'raise WorkFailedError(f"the disk {name} is full; free {n} MB", code="disk-full")\n'
        'found = Finding(code="leak", severity="error", message="twice", remedy="move them")\n'
        'raise ConvlensError(f"{n} is 0", remedy=f"give {most}", between=": ", code="zero")\n'
        'raise ConvlensError("no name", remedy="give one", code="unnamed")\n'
    )
    monkeypatch.setattr(codes, "SOURCE", tmp_path)
    error, unnamed, zero = codes.errors()
    assert (error.status, error.message) == (1, "the disk … is full; free … MB")
    assert (zero.message, unnamed.message) == ("… is 0: give …", "no name; give one")
    assert "| `disk-full` | 1 | the disk … is full; free … MB | `thing.py` |" in codes.errors_page()


def test_findings_are_listed_by_what_they_are_about() -> None:
    known = {
        name: SimpleNamespace(about=about, severity="error", meaning="It is.", remedy="Mend it.")
        for name, about in (("leak", "data"), ("rate", "recipe"))
    }
    data, recipe = codes.findings_page(known).split("## About the recipe")
    assert "| `leak` | error | It is. | Mend it. |" in data
    assert "| `rate` | error | It is. | Mend it. |" in recipe
    assert all(
        f"| `{name}` |" in codes.findings_page(codes.findings()) for name in codes.findings()
    )
