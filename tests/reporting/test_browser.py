"""Real Chromium: accessible by axe in both themes, no wider than a phone, nothing fetched.

It needs Chromium (Debian: ``apt install chromium``) and axe-core (``npm ci`` in this folder).
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from convlens.reporting import render
from tests.reporting.browser import Page, browser, find_chromium
from tests.reporting.simulated import NASTY, facts, with_everything

AXE = Path(__file__).parent / "node_modules" / "axe-core" / "axe.min.js"

pytestmark = pytest.mark.skipif(find_chromium() is None, reason="there is no Chromium here")

LONG = "a-name-without-a-break-" * 6
CASES = {
    "few": ("cat", "dog", NASTY, LONG),
    "many": tuple(f"class {k} {'long ' * (k % 5)}" for k in range(20)),
}


@pytest.fixture(scope="module")
def page() -> Iterator[Page]:
    with browser() as opened:
        yield opened


@pytest.fixture(scope="module", params=CASES)
def report(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("report") / "report.html"
    made = with_everything(facts(CASES[request.param], n=600))
    path.write_text(render(made), "utf-8")
    return path


@pytest.mark.skipif(not AXE.is_file(), reason="no axe-core: npm ci in tests/reporting")
@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
@pytest.mark.parametrize("width", [1280, 360])
def test_axe_finds_nothing(page: Page, report: Path, width: int, dark: bool) -> None:
    page.open(report, width=width, dark=dark)
    page.run("document.querySelectorAll('details').forEach(d => d.open = true)")
    page.run(AXE.read_text("utf-8"))
    found = page.run("axe.run(document)")
    assert [(rule["id"], _where(rule)) for rule in found["violations"]] == []
    # The contrast of text in drawings, and beyond a box's edge, it cannot tell: see test_colors.
    assert {rule["id"] for rule in found["incomplete"]} <= {"color-contrast"}
    assert len(found["passes"]) > 20


def _where(rule: dict[str, Any]) -> list[str]:
    return [f"{node['html'][:200]}: {node['failureSummary']}" for node in rule["nodes"]]


@pytest.mark.parametrize("width", [360, 390, 1280])
def test_the_page_is_no_wider_than_the_window(page: Page, report: Path, width: int) -> None:
    page.open(report, width=width)
    assert page.run("document.documentElement.scrollWidth") <= width
    beyond = page.run(
        "[...document.querySelectorAll('main *')].filter(e => !e.closest('.scroll, pre') && "
        f"e.getBoundingClientRect().right > {width} + 0.5).map(e => e.outerHTML.slice(0, 99))"
    )
    assert beyond == []


def test_nothing_is_fetched_and_nothing_is_complained_of(page: Page, report: Path) -> None:
    page.requests.clear()
    page.complaints.clear()
    page.open(report, width=1280)
    asked = [url for url in page.requests if not url.startswith("data:")]
    assert asked == [report.resolve().as_uri()]
    assert page.complaints == []


def test_it_can_be_printed(page: Page, report: Path, tmp_path: Path) -> None:
    page.open(report, width=1280, dark=True)
    page.call("Emulation.setEmulatedMedia", media="print", features=[])
    assert page.run("getComputedStyle(document.body).backgroundColor") == "rgb(255, 255, 255)"
    page.print(tmp_path / "report.pdf")
    assert (tmp_path / "report.pdf").read_bytes().startswith(b"%PDF")


def test_what_is_folded_away_is_printed(page: Page, report: Path) -> None:
    page.open(report, width=1280)
    shown = "[...document.querySelectorAll('details table')].map(t => t.checkVisibility())"
    assert not any(page.run(shown))
    page.call("Emulation.setEmulatedMedia", media="print", features=[])
    found = page.run(shown)
    assert len(found) >= 2
    assert all(found)


@pytest.mark.parametrize("width", [360, 390, 800, 1280])
def test_text_in_charts_is_never_small(page: Page, report: Path, width: int) -> None:
    page.open(report, width=width)
    sizes = page.run(
        "[...document.querySelectorAll('.drawing svg text')]"
        ".map(t => parseFloat(getComputedStyle(t).fontSize) * t.getScreenCTM().a)"
    )
    assert len(sizes) > 20
    assert min(sizes) >= 11
