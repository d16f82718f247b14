"""The command line answers at once: what only reads words loads no torch."""

import subprocess
import sys

import pytest

import convlens


def modules_after(code: str) -> set[str]:
    ask = f"import sys\n{code}\nprint(*sys.modules, file=sys.__stdout__)"
    done = subprocess.run(
        [sys.executable, "-c", ask], capture_output=True, text=True, check=True, timeout=120
    )
    return {name.partition(".")[0] for name in done.stdout.splitlines()[-1].split()}


HEAVY = {"torch", "sklearn", "scipy", "matplotlib", "cv2"}


def command(*words: str) -> str:
    return (
        "from convlens.cli.main import main\n"
        f"try:\n    main({list(words)!r})\nexcept SystemExit:\n    pass"
    )


def test_importing_convlens_loads_next_to_nothing() -> None:
    loaded = modules_after("import convlens")
    assert not loaded & (HEAVY | {"numpy", "pydantic", "typer", "rich"})


@pytest.mark.parametrize(
    "words",
    [("--help",), ("train", "--help"), ("train", "--no-such-option"), ("no-such-verb",), ()],
)
def test_help_and_usage_errors_load_no_torch(words: tuple[str, ...]) -> None:
    assert not modules_after(command(*words)) & HEAVY


@pytest.mark.parametrize(
    "words",
    [("no/such/folder",), ("digits", "--recipe", "chaptr-transfer")],
    ids=["SOURCE", "NAME"],
)
def test_a_slip_in_a_name_is_told_without_torch(words: tuple[str, ...]) -> None:
    assert "torch" not in modules_after(command("train", *words))


def test_what_convlens_offers_is_there() -> None:
    assert all(callable(getattr(convlens, name)) for name in convlens.__all__ if name[0] != "_")
    with pytest.raises(AttributeError, match="no attribute 'fly'"):
        convlens.fly  # noqa: B018
