"""Reading a page as a browser would: what stands in it, and whether its elements are closed."""

from dataclasses import dataclass, field
from html.parser import HTMLParser

_VOID = {"meta", "img", "br", "hr", "input", "link"}


@dataclass
class Read:
    """What a page holds.

    Attributes:
        elements: each one's name and attributes, in order.
        text: what is to be read, by the id of the section it stands in.
        faults: what is not closed, or closed twice.
    """

    elements: list[tuple[str, dict[str, str | None]]] = field(default_factory=list)
    text: dict[str, str] = field(default_factory=dict)
    faults: list[str] = field(default_factory=list)

    def values(self, attribute: str) -> list[str]:
        return [own[attribute] or "" for _, own in self.elements if attribute in own]

    def of(self, *names: str) -> list[tuple[str, dict[str, str | None]]]:
        return [element for element in self.elements if element[0] in names]


class _Reader(HTMLParser):
    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.found = Read()
        self._open: list[tuple[str, str]] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        names = [name for name, _ in attrs]
        if len(names) != len(set(names)):
            self.found.faults.append(f"<{tag}> has an attribute twice")
        self.found.elements.append((tag, dict(attrs)))
        if tag not in _VOID:
            section = dict(attrs).get("id") if tag == "section" else None
            self._open.append((tag, section or (self._open[-1][1] if self._open else "")))

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.elements.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        if not self._open or self._open.pop()[0] != tag:
            self.found.faults.append(f"</{tag}> closes something else")

    def handle_data(self, data: str) -> None:
        if self._open and self._open[-1][0] not in {"style", "title"}:
            section = self._open[-1][1]
            self.found.text[section] = self.found.text.get(section, "") + data


def read(page: str) -> Read:
    reader = _Reader()
    reader.feed(page)
    reader.close()
    return reader.found
