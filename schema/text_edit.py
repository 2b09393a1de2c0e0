"""Edits a schema in protobuf's text format as text: protobuf's own writer drops comments and layout.

Fields are found by counting, never by decoding: the n-th `value` in the text is the n-th of the proto. Whoever calls
parses the result and compares; what is too unusual to edit raises `Unusual`.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass

_TOKEN = re.compile(
    r"""(?P<skip>\s+|\#[^\n]*)
      | (?P<string>"(?:[^"\\\n]|\\.)*"|'(?:[^'\\\n]|\\.)*')
      | (?P<mark>[{}<>\[\]:;,])
      | (?P<word>[^\s"'{}<>\[\]:;,\#]+)""",
    re.VERBOSE,
)
_CLOSING = {"{": "}", "<": ">"}


class Unusual(Exception):  # noqa: N818 - it says what the text is
    """The text is not laid out as this module knows it."""


@dataclass(frozen=True)
class _Item:
    """One value of one field.

    Attributes:
        field: The offsets of the whole field, its name to its last character.
        value: The offsets of the value alone.
        listed: Whether it is one of a list, `name: ["a", "b"]`.
        items: What a message holds; empty for other values.
    """

    name: str
    field: tuple[int, int]
    value: tuple[int, int]
    listed: bool = False
    items: tuple["_Item", ...] = ()

    def all(self, name: str) -> list["_Item"]:
        return [item for item in self.items if item.name == name]


_Value = tuple[tuple[int, int], tuple[_Item, ...]]  # its offsets, and what it holds if it is a message
_Change = tuple[int, int, str]  # what stands from here to there becomes this


def edit_text(
    text: str,
    *,
    feature: int,
    domain: int | None,
    place: int,
    value: str | None,
    tag_place: int | None,
    tag: str | None,
) -> str:
    """Puts a value into a domain and a tag into a feature's annotation; all else stays as it is, to the character.

    Args:
        text: A schema that protobuf can parse.
        feature: Which of its features has the annotation.
        domain: Which of its string domains has the values; None if it is the feature's own.
        place: Where the value goes, over what is there; behind the last one to append it.
        value: The value, None for none.
        tag_place: The tag that is replaced, or without `tag` removed; None if none is.
        tag: The tag, None for none.

    Raises:
        Unusual: The text must be edited by other means.
    """
    schema = _Parser(text).message()
    try:
        owner = schema.all("feature")[feature]
        values = (owner.all("string_domain")[0] if domain is None else schema.all("string_domain")[domain]).all("value")
        changes = [] if value is None else [_put(text, values, place, "value", value)]
        if tag is not None or tag_place is not None:
            changes.append(_tag_change(text, owner, tag_place, tag))
    except IndexError:
        raise Unusual from None
    for start, end, replacement in sorted(changes, reverse=True):
        text = text[:start] + replacement + text[end:]
    return text


def _put(text: str, items: list[_Item], at: int, name: str, content: str) -> _Change:
    """Replaces the item at a position, or adds one behind the last."""
    if at < len(items):
        return (*items[at].value, _quoted(content))
    if items[-1].listed:
        return (items[-1].value[1], items[-1].value[1], f", {_quoted(content)}")
    return _behind(text, items[-1], [f"{name}: {_quoted(content)}"])


def _tag_change(text: str, owner: _Item, at: int | None, tag: str | None) -> _Change:
    if not owner.all("annotation"):
        return _behind(text, owner.items[-1], ["annotation {", f"  tag: {_quoted(tag or '')}", "}"])
    annotation = owner.all("annotation")[0]
    tags = annotation.all("tag")
    if tag is None and at is not None:
        return _removed(text, annotation, tags[at])
    if tags:
        return _put(text, tags, len(tags) if at is None else at, "tag", tag or "")
    behind_brace = annotation.value[0] + 1
    return (behind_brace, behind_brace, f" tag: {_quoted(tag or '')}")


def _behind(text: str, item: _Item, lines: list[str]) -> _Change:
    """Adds lines behind a field, indented as it is; on the same line if it shares its own with others."""
    start, end = item.field
    indent = text[_line_start(text, start) : start]
    line_end = _line_end(text, end)
    if indent.strip() or not _is_blank(text[end:line_end]):
        return (end, end, " " + " ".join(line.strip() for line in lines))
    newline = "\r\n" if "\r\n" in text else "\n"
    at = line_end - text[end:line_end].endswith("\r")
    return (at, at, "".join(f"{newline}{indent}{line}" for line in lines))


def _removed(text: str, annotation: _Item, tag: _Item) -> _Change:
    """Takes a tag out; with it the annotation, if that holds nothing else, and its lines, if they hold nothing else."""
    if tag.listed:
        raise Unusual
    beside = text[annotation.field[0] : tag.field[0]] + text[tag.field[1] : annotation.field[1]]
    start, end = annotation.field if len(annotation.items) == 1 and "#" not in beside else tag.field
    line_start, line_end = _line_start(text, start), _line_end(text, end)
    if not text[line_start:start].strip() and _is_blank(text[end:line_end]):
        return (line_start, min(line_end + 1, len(text)), "")
    return (line_start + len(text[line_start:start].rstrip()), end, "")


def _line_start(text: str, at: int) -> int:
    return text.rfind("\n", 0, at) + 1


def _line_end(text: str, at: int) -> int:
    end = text.find("\n", at)
    return len(text) if end < 0 else end


def _is_blank(rest_of_line: str) -> bool:
    return not rest_of_line.strip() or rest_of_line.lstrip().startswith("#")


def _quoted(content: str) -> str:
    quote = "'" if '"' in content and "'" not in content else '"'
    return quote + content.replace("\\", "\\\\").replace(quote, f"\\{quote}") + quote


class _Parser:
    """Reads text format far enough to know where every field begins and ends."""

    def __init__(self, text: str) -> None:
        self._tokens = list(_tokens(text))
        self._at = 0

    def message(self) -> _Item:
        """The whole text as a message."""
        return _Item("", (0, 0), (0, 0), items=self._fields(None))

    def _fields(self, closing: str | None) -> tuple[_Item, ...]:
        items: list[_Item] = []
        while self._peek() != closing:
            items += self._field()
        return tuple(items)

    def _field(self) -> list[_Item]:
        start, _, name = self._next()
        if name == "[":  # an extension
            while self._next()[2] != "]":
                pass
        if self._peek() == ":":
            self._next()
        listed = self._peek() == "["
        values = self._list() if listed else [self._value()]
        end = self._tokens[self._at - 1][1]
        if self._peek() in (",", ";"):
            _, end, _ = self._next()
        return [_Item(name, (start, end), value, listed, items) for value, items in values]

    def _list(self) -> list[_Value]:
        self._next()
        values: list[_Value] = []
        while self._peek() != "]":
            values.append(self._value())
            if self._peek() == ",":
                self._next()
        self._next()
        return values

    def _value(self) -> _Value:
        start, end, token = self._next()
        items: tuple[_Item, ...] = ()
        if token in _CLOSING:
            items = self._fields(_CLOSING[token])
            _, end, _ = self._next()
        while token[0] in "\"'" and (self._peek() or " ")[0] in "\"'":  # neighbouring strings are one
            _, end, _ = self._next()
        return (start, end), items

    def _peek(self) -> str | None:
        return self._tokens[self._at][2] if self._at < len(self._tokens) else None

    def _next(self) -> tuple[int, int, str]:
        if self._at == len(self._tokens):
            raise Unusual
        self._at += 1
        return self._tokens[self._at - 1]


def _tokens(text: str) -> Iterator[tuple[int, int, str]]:
    at = 0
    while at < len(text):
        found = _TOKEN.match(text, at)
        if found is None:
            raise Unusual
        at = found.end()
        if found.lastgroup != "skip":
            yield found.start(), found.end(), found.group()
