"""Elements of SVG; what stands in them is escaped."""

from collections.abc import Iterable

from markupsafe import Markup, escape

Value = str | float | None


def element(name: str, *inside: str, **attributes: Value) -> Markup:
    """An element; text that is not markup yet is escaped.

    Args:
        name: of the element.
        inside: its children, markup or text.
        attributes: ``class_`` stands for ``class``, ``stroke_width`` for ``stroke-width``; those
            that are None are left out, and numbers have one decimal.

    Example:
        >>> element("text", "a < b", x=3.14159, class_="tick")
        Markup('<text x="3.1" class="tick">a &lt; b</text>')
    """
    words = [
        Markup(' {}="{}"').format(key.rstrip("_").replace("_", "-"), _written(value))
        for key, value in attributes.items()
        if value is not None
    ]
    content = join(inside)
    opened = Markup("<") + name + join(words)
    if not content:
        return opened + Markup("/>")
    return opened + Markup(">") + content + Markup("</") + name + Markup(">")


def join(parts: Iterable[str]) -> Markup:
    """Markup and text, one after another."""
    return Markup("").join(map(escape, parts))


def picture(width: float, height: float, *inside: str, says: str, class_: str = "chart") -> Markup:
    """A whole drawing, with the text that stands for it where it cannot be seen.

    Args:
        width: units across; as many pixels where there is room.
        height: units down.
        inside: what is drawn.
        says: the same in words.
        class_: how the page is to show it.
    """
    attributes: dict[str, Value] = {"aria-label": says}
    return element(
        "svg",
        *inside,
        class_=class_,
        viewBox=f"0 0 {_written(width)} {_written(height)}",
        width=width,
        height=height,
        role="img",
        **attributes,
    )


def line(x1: float, y1: float, x2: float, y2: float, class_: str) -> Markup:
    """A straight line."""
    return element("line", x1=x1, y1=y1, x2=x2, y2=y2, class_=class_)


def text(x: float, y: float, words: str, class_: str = "tick", *, anchor: str = "start") -> Markup:
    """A line of text that starts, ends or is centerd at a place."""
    return element(
        "text", words, x=x, y=y, class_=class_, text_anchor=None if anchor == "start" else anchor
    )


def _written(value: str | float) -> str:
    if isinstance(value, str):
        return value
    return f"{value:.1f}".removesuffix(".0")
