"""The site builds without a warning, and needs nothing but its own files."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from docs.tour import DOCS, ROOT, pages


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("site")
    done = build(ROOT / "mkdocs.yml", folder)
    assert done.returncode == 0, done.stdout + done.stderr
    return folder


def build(config: Path, folder: Path) -> subprocess.CompletedProcess[str]:
    words = ["mkdocs", "build", "--strict", "--config-file", str(config), "--site-dir", str(folder)]
    environment = os.environ | {"NO_MKDOCS_2_WARNING": "1"}
    return subprocess.run(
        [sys.executable, "-m", *words],
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )


def test_nothing_is_loaded_from_elsewhere(site: Path) -> None:
    html = sorted(site.rglob("*.html"))
    assert len(html) > 50
    loading = re.compile(r"<(?:script|img|iframe)[^>]*src=\"?(?:https?:)?//|<link[^>]*https?://")
    assert not [path.name for path in html if loading.search(path.read_text("utf-8"))]
    styles = "".join(path.read_text("utf-8") for path in site.rglob("*.css"))
    assert not re.search(r"@import|url\([\"']?https?:", styles)


def test_every_page_of_the_guide_and_the_reference_is_there(site: Path) -> None:
    for page in pages():
        assert (site / page.relative_to(DOCS)).with_suffix(".html").is_file()
    for name in ("commands", "python", "recipe", "errors"):
        assert (site / "reference" / f"{name}.html").stat().st_size > 20_000
    python = (site / "reference" / "python.html").read_text("utf-8")
    assert 'id="convlens.api.training.train"' in python
    assert not list(site.rglob("*.py"))


@pytest.mark.parametrize("link", ["no-such-page.md", "guide/shapes.md#no-such-heading"])
def test_a_dead_link_fails_the_build(link: str, tmp_path: Path) -> None:
    (tmp_path / "docs" / "guide").mkdir(parents=True)
    (tmp_path / "docs" / "index.md").write_text(f"# Home\n\n[dead]({link})\n")
    (tmp_path / "docs" / "guide" / "shapes.md").write_text("# Shapes\n")
    ours = (ROOT / "mkdocs.yml").read_text("utf-8")
    validation = re.search(r"^validation:\n(?:  .*\n)+", ours, re.MULTILINE)
    assert validation
    config = tmp_path / "mkdocs.yml"
    config.write_text(f"site_name: x\nplugins: []\n{validation[0]}")
    done = build(config, tmp_path / "site")
    assert done.returncode != 0
    assert "dead" in done.stderr or link.partition("#")[2] in done.stderr
