"""What MkDocs calls while it builds: adds the pages that are made from the program itself."""

from pathlib import Path
from typing import Any

from docs.generated import codes, commands, python_api, recipe_keys
from mkdocs.structure.files import File, Files

ROOT = Path(__file__).parents[1]
PAGES = {
    "reference/commands.md": commands.page,
    "reference/python.md": python_api.page,
    "reference/recipe.md": recipe_keys.page,
    "reference/errors.md": codes.errors_page,
}
TAKEN_IN = {"benchmarks.md": "benchmarks/README.md", "changelog.md": "CHANGELOG.md"}


def on_config(config: Any) -> Any:
    """List the decisions, which are as many files, and the findings once there are some."""
    # The plugin that lets search work from the disk would load a script from elsewhere for it.
    config.extra["polyfills"] = [own for own in config.extra["polyfills"] if "://" not in own]
    sections = {
        name: own for each in config.nav if isinstance(each, dict) for name, own in each.items()
    }
    decisions = sorted(Path(config.docs_dir, "decisions").glob("*.md"))
    sections["Project"][-1]["Decisions"] = [f"decisions/{path.name}" for path in decisions]
    if codes.findings():
        sections["Reference"].append({"Finding codes": "reference/findings.md"})
    return config


def on_page_markdown(markdown: str, **_: Any) -> str:
    """Links to what lies outside this folder, as they are right in the repository."""
    for place, own in TAKEN_IN.items():
        markdown = markdown.replace(f"](../../{own}", f"](../{place}")
    return markdown


def on_files(files: Files, config: Any) -> Files:
    """Add what is generated."""
    pages = {place: make() for place, make in PAGES.items()}
    pages |= {place: (ROOT / own).read_text("utf-8") for place, own in TAKEN_IN.items()}
    if codes.findings():
        pages["reference/findings.md"] = codes.findings_page(codes.findings())
    for place, text in pages.items():
        files.append(File.generated(config, place, content=text))
    return files
