import io

from rich.console import Console

from convlens.core.reporter import Quiet, Reporter
from convlens.core.terminal import Terminal


def terminal(width: int = 80, *, live: bool = False) -> tuple[Terminal, io.StringIO]:
    out = io.StringIO()
    return Terminal(Console(file=out, width=width, force_terminal=live)), out


def test_text_is_never_taken_for_markup() -> None:
    reporter, out = terminal()
    reporter.say("found [bold]/photos[/bold]")
    reporter.warn("left out [x].jpg")
    assert out.getvalue() == "found [bold]/photos[/bold]\nwarning left out [x].jpg\n"


def test_no_bar_is_drawn_into_a_file() -> None:
    reporter, out = terminal()
    with reporter.task("reading", 10) as task:
        task.update(5, "half")
    assert out.getvalue() == ""


def test_a_bar_shows_its_name_share_and_detail() -> None:
    reporter, out = terminal(live=True)
    with reporter.task("reading", 10) as task:
        task.update(5, "half [way]")
    assert "reading" in out.getvalue()


def test_both_reporters_keep_the_protocol() -> None:
    reporters: list[Reporter] = [Quiet(), terminal()[0]]
    for reporter in reporters:
        reporter.say("x")
        reporter.warn("x")
        with reporter.task("x", 1) as task:
            task.update(1)
