"""The page: a function of the facts alone."""

import re
from collections.abc import Callable, Mapping
from functools import cache
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined

from convlens.core.formatting import pluralize
from convlens.core.printable import printable
from convlens.reporting import words
from convlens.reporting.charts import draw_hundred
from convlens.reporting.classes import class_rows, sample_rows
from convlens.reporting.commands import (
    comes_from_arrays,
    measure_it,
    train_again,
    use_it,
    use_it_in_python,
)
from convlens.reporting.confusion import confusion
from convlens.reporting.facts import Facts
from convlens.reporting.headline import headline
from convlens.reporting.layers import layer_rows
from convlens.reporting.learning import learning
from convlens.reporting.preflight import estimate, findings
from convlens.reporting.reliability import reliability
from convlens.reporting.scores import scores
from convlens.reporting.selective import not_sure
from convlens.reporting.subject import subject

_LAYOUT = re.compile("([\t\n]+)")

SECTIONS: Mapping[str, str] = {
    "result": "What to expect",
    "figures": "All figures",
    "learning": "How it learned",
    "confusion": "What it mistakes for what",
    "classes": "Class by class",
    "reliability": "Whether its probabilities can be believed",
    "selective": "When it says “not sure”",
    "mistakes": "Its worst mistakes",
    "unsure": "Where it was least sure",
    "samples": "The images",
    "augmentation": "What training made of an image",
    "layers": "The network, layer by layer",
    "preflight": "What was found before training",
    "reproduce": "How to do it again",
    "use": "How to use it",
}
"""The sections in order of reading: what stands in the address, and the heading."""


def render(facts: Facts) -> str:
    """The report as one HTML page that needs nothing besides.

    Args:
        facts: all that it shows. The same facts give the same page.
    """
    found = headline(facts)
    shown = {
        "result": found,
        "figures": scores(facts.figures),
        "learning": learning(facts),
        "confusion": confusion(facts.figures),
        "classes": class_rows(facts.figures),
        "reliability": reliability(facts),
        "selective": not_sure(facts.metrics.get("selective")),
        "mistakes": facts.gallery,
        "unsure": facts.gallery and facts.gallery.unsure,
        "samples": sample_rows(facts.environment),
        "augmentation": facts.sheet,
        "layers": facts.network and layer_rows(facts.network),
        "preflight": facts.preflight is not None,
        "reproduce": True,
        "use": True,
    }
    page = (
        _templates()
        .get_template("report.html.jinja")
        .render(
            facts=facts,
            subject=subject(facts),
            hundred=found and draw_hundred(found.low, found.high, says=found.expectation),
            findings=findings(facts),
            estimate=estimate(facts),
            arrays=comes_from_arrays(facts),
            commands={
                "train": train_again(facts),
                "measure": measure_it(facts),
                "use": use_it(facts),
                "python": use_it_in_python(facts),
            },
            sections={name: SECTIONS[name] for name, there in shown.items() if there},
            shown=shown,
        )
    )
    return readable(page)


def readable(text: str) -> str:
    r"""Escape what no page may hold; tabs and line breaks stay.

    A file's name may have control characters, marks that reverse the direction of writing, and
    bytes that are no character.

    Example:
        >>> print(readable("a\x00b\udcff\u202e"))
        a\x00b\xff\u202e
    """
    return "".join(part if _LAYOUT.match(part) else printable(part) for part in _LAYOUT.split(text))


@cache
def _templates() -> Environment:
    environment = Environment(
        loader=PackageLoader("convlens.reporting"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    filters: dict[str, Callable[..., Any]] = {
        "pluralize": pluralize,
        "listed": words.listed,
        "number": words.number,
        "percent": words.percent,
        "percents": words.percents,
        "short": words.short,
        "sureness": words.sureness,
    }
    environment.filters.update(filters)
    return environment
