"""import-linter rejects contracts on packages that do not exist yet; check that none is missing."""

import tomllib
from pathlib import Path

ROOT = Path(__file__).parents[1]

NEVER_REACHES = {
    "evaluation": {"augment"},
    "prediction": {"augment"},
    "export": {"augment"},
    "serving": {"augment", "training", "recipe", "runs", "preflight"},
    "training": {"data", "augment", "models"},
}


def test_every_package_has_its_contracts() -> None:
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))
    held: dict[str, set[str]] = {}
    for contract in settings["tool"]["importlinter"]["contracts"]:
        for source in contract.get("source_modules", []):
            forbidden = {name.removeprefix("convlens.") for name in contract["forbidden_modules"]}
            held.setdefault(source.removeprefix("convlens."), set()).update(forbidden)
    built = {folder.name for folder in (ROOT / "src" / "convlens").iterdir() if folder.is_dir()}
    for package, forbidden in NEVER_REACHES.items():
        if package in built:
            assert forbidden & built <= held.get(package, set()), package
