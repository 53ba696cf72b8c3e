"""A page that was written, read back."""

from html.parser import HTMLParser
from pathlib import Path


class Page(HTMLParser):
    """Tags with attributes, checked for being closed in order; visible text."""

    VOID = frozenset({"meta", "img", "source", "link", "br", "hr", "input"})

    def __init__(self, path: Path):
        super().__init__()
        self.folder = path.parent
        self.source = path.read_text(encoding="utf-8")
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""
        self.sections: dict[str, str] = {}
        self._open: list[str] = []
        self.feed(self.source)
        assert not self._open
        self.text = " ".join(self.text.split())

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag not in self.VOID:
            self._open.append(tag)
        if tag == "section":
            self.section = str(dict(attrs)["id"])
            self.sections[self.section] = ""

    def handle_endtag(self, tag: str) -> None:
        assert self._open.pop() == tag

    def handle_data(self, data: str) -> None:
        if "style" in self._open:
            return
        self.text += data
        if "section" in self._open:
            self.sections[self.section] += data

    def attributes(self, tag: str) -> list[dict[str, str | None]]:
        return [attrs for name, attrs in self.tags if name == tag]
