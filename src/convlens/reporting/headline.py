"""The figure that a reader takes home, and what it does not tell."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from convlens.core.formatting import pluralize
from convlens.reporting.facts import Facts
from convlens.reporting.leaks import has_twins, leaks
from convlens.reporting.words import listed, percent, percents

_FEW = 10

_LIKE_THESE = (
    "How it does on images unlike these: from another camera, place, season or light. It holds "
    "for images that come about as these did."
)
_VALIDATION = (
    "How it does on images that decided nothing: there were no test images, and these validation "
    "images also chose the weights that were kept: expect somewhat less of new images."
)
_HUNDRED = (
    "What the next hundred images bring: the interval is that of the long run, and a single "
    "hundred differs from it by chance alone, often by more."
)


@dataclass(frozen=True, kw_only=True)
class Headline:
    """Accuracy in words.

    Attributes:
        accuracy: share of the images that were classified correctly.
        interval: its 95 % interval.
        right: images that were.
        n: images.
        low: of a hundred images in the long run, how many are right at least.
        high: at most; both are the interval in whole images.
        new: how the images are to it.
        guessing: the accuracy of always naming the commonest class.
        commonest: which that is.
        weak: that the network is no better than guessing, the likely reason and what to do, a
            sentence each; empty where it is better.
        caveats: what the figure does not tell, a sentence each; one may hold a link.
    """

    accuracy: float
    interval: tuple[float, float]
    right: int
    n: int
    low: int
    high: int
    new: str
    guessing: float
    commonest: str
    weak: tuple[str, ...]
    caveats: tuple[str, ...]

    @property
    def expectation(self) -> str:
        """The sentence that the report begins with."""
        return (
            f"In the long run, {expected(self.low, self.high)} of every 100 images like these are "
            "answered right."
        )


def headline(facts: Facts) -> Headline | None:
    """The headline of a run's figures; None where nothing was measured."""
    figures = facts.figures
    if figures is None:
        return None
    low, high = figures["interval"]
    commonest = max(figures["classes"], key=lambda own: int(own["support"]))
    n = int(figures["n"])
    return Headline(
        accuracy=figures["accuracy"],
        interval=(low, high),
        right=round(figures["accuracy"] * n),
        n=n,
        low=round(100 * low),
        high=round(100 * high),
        new=_new(facts),
        guessing=commonest["support"] / n,
        commonest=commonest["name"],
        weak=_weak(facts.metrics.get("weak_result")),
        caveats=tuple(_caveats(facts, figures)),
    )


def expected(low: int, high: int) -> str:
    """How many of a hundred.

    Example:
        >>> expected(98, 99), expected(95, 99), expected(97, 97), expected(100, 100)
        ('98 or 99', '95 to 99', 'about 97', 'all, or nearly all,')
    """
    if low == high:
        return "all, or nearly all," if low == 100 else "about " + str(low)
    return f"{low} or {high}" if high == low + 1 else f"{low} to {high}"


def _weak(found: Mapping[str, str] | None) -> tuple[str, ...]:
    if not found:
        return ()
    reason, remedy = f"Likely reason: {found['reason']}.", f"What to do: {found['remedy']}."
    return found["warning"], reason, remedy


def _new(facts: Facts) -> str:
    if has_twins(facts):
        return "were kept apart"
    return "it never saw before" if facts.split == "test" else "it did not learn from"


def _caveats(facts: Facts, figures: Mapping[str, Any]) -> list[str]:
    any_class = (
        "Whether an image shows any of the classes at all: of an image of something else it "
        f"names one of its {pluralize(len(facts.classes), 'class')} just the same."
    )
    number = (
        f"More than {pluralize(figures['n'])} can tell: the interval, "
        f"{percents(figures['interval'])}, is that wide because of their number; four times as "
        "many would halve it."
    )
    said = [_VALIDATION] if facts.split == "val" else []
    said += [*leaks(facts), _LIKE_THESE, any_class, number, _HUNDRED]
    few = [own["name"] for own in figures["classes"] if 0 < own["support"] < _FEW]
    none = [own["name"] for own in figures["classes"] if not own["support"]]
    if none:
        said.append(f"Anything of {_some(none)}: no image of that kind was measured.")
    if few:
        said.append(f"Much of {_some(few)}: fewer than {_FEW} images each were measured.")
    balanced = figures.get("balanced_accuracy")
    if balanced is not None and abs(balanced - figures["accuracy"]) > 0.02:
        said.append(
            "How each class does: common classes count for more in it. With every class counted "
            f"alike, it is {percent(balanced)}."
        )
    return said


def _some(names: list[str], limit: int = 4) -> str:
    more = len(names) - limit
    return listed([*names[:limit], pluralize(more, "other class")] if more > 0 else names)
