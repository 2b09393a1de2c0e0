"""Parser of a page, which tells tags from text as a browser does, without running scripts."""

from html.parser import HTMLParser


class Page(HTMLParser):
    """Tags of a page with their attributes, and its text without that of style and script."""

    def __init__(self, source: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self._texts: list[str] = []
        self._inside = ""
        self.feed(source)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        self._inside = tag

    def handle_endtag(self, tag: str) -> None:  # noqa: ARG002
        self._inside = ""

    def handle_data(self, data: str) -> None:
        if self._inside not in ("style", "script"):
            self._texts.append(data)

    @property
    def text(self) -> str:
        return "".join(self._texts)

    def count(self, tag: str) -> int:
        return sum(name == tag for name, _ in self.tags)
