"""Editing a schema as text: protobuf's own writer drops comments and layout.

Fields are found by counting, not by decoding: the n-th `value` of the text is the n-th of the proto. The caller parses
the result and compares. Text that is too unusual to edit raises `UnusualLayout`.
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


class UnusualLayout(Exception):  # noqa: N818 - describes the text
    """The text is in a layout that this module cannot edit."""


@dataclass(frozen=True)
class _Item:
    """One value of one field.

    Attributes:
        name: Name of the field.
        field: Offsets of the whole field, from its name to its last character.
        value: Offsets of the value alone.
        listed: Whether the value is part of a list, `name: ["a", "b"]`.
        items: Fields of a message; empty for other values.
    """

    name: str
    field: tuple[int, int]
    value: tuple[int, int]
    listed: bool = False
    items: tuple["_Item", ...] = ()

    def all(self, name: str) -> list["_Item"]:
        return [item for item in self.items if item.name == name]


_Value = tuple[tuple[int, int], tuple[_Item, ...]]  # offsets, and the fields if it is a message
_Replacement = tuple[int, int, str]  # start, end, new text


def edit_text(
    text: str,
    *,
    feature: int,
    domain: int | None,
    index: int,
    value: str | None,
    tag_index: int | None,
    tag: str | None,
) -> str:
    """Put a value into a domain and a tag into a feature's annotation, and keep every other character.

    Args:
        text: A schema that protobuf can parse.
        feature: Index of the feature that has the annotation.
        domain: Index of the string domain that has the values; None if it is the feature's own.
        index: Index of the value to replace; the number of values to append one.
        value: New value; None for none.
        tag_index: Index of the tag to replace or, without `tag`, to remove; None for none.
        tag: New tag; None for none.

    Raises:
        UnusualLayout: The text must be edited by other means.
    """
    schema = _Parser(text).message()
    try:
        owner = schema.all("feature")[feature]
        values = (owner.all("string_domain")[0] if domain is None else schema.all("string_domain")[domain]).all("value")
        replacements = [] if value is None else [_put(text, values, index, "value", value)]
        if tag is not None or tag_index is not None:
            replacements.append(_put_tag(text, owner, tag_index, tag))
    except IndexError:
        raise UnusualLayout from None
    for start, end, new in sorted(replacements, reverse=True):
        text = text[:start] + new + text[end:]
    return text


def _put(text: str, items: list[_Item], index: int, name: str, content: str) -> _Replacement:
    """Replace the item at an index, or append one."""
    if index < len(items):
        return (*items[index].value, _quoted(content))
    if items[-1].listed:
        return (items[-1].value[1], items[-1].value[1], f", {_quoted(content)}")
    return _insert_after(text, items[-1], [f"{name}: {_quoted(content)}"])


def _put_tag(text: str, owner: _Item, index: int | None, tag: str | None) -> _Replacement:
    """Replace, append or remove a tag in a feature's annotation, which is created if it does not exist."""
    if not owner.all("annotation"):
        return _insert_after(text, owner.items[-1], ["annotation {", f"  tag: {_quoted(tag or '')}", "}"])
    annotation = owner.all("annotation")[0]
    tags = annotation.all("tag")
    if tag is None and index is not None:
        return _remove(text, annotation, tags[index])
    if tags:
        return _put(text, tags, len(tags) if index is None else index, "tag", tag or "")
    after_brace = annotation.value[0] + 1
    return (after_brace, after_brace, f" tag: {_quoted(tag or '')}")


def _insert_after(text: str, item: _Item, lines: list[str]) -> _Replacement:
    """Insert lines after a field, with its indent; on the same line if the field shares its line with others."""
    start, end = item.field
    indent = text[_line_start(text, start) : start]
    line_end = _line_end(text, end)
    if indent.strip() or not _is_blank(text[end:line_end]):
        return (end, end, " " + " ".join(line.strip() for line in lines))
    newline = "\r\n" if "\r\n" in text else "\n"
    at = line_end - text[end:line_end].endswith("\r")
    return (at, at, "".join(f"{newline}{indent}{line}" for line in lines))


def _remove(text: str, annotation: _Item, tag: _Item) -> _Replacement:
    """Remove a tag, an annotation that is empty without it, and lines that are empty without these."""
    if tag.listed:
        raise UnusualLayout
    beside = text[annotation.field[0] : tag.field[0]] + text[tag.field[1] : annotation.field[1]]
    start, end = annotation.field if len(annotation.items) == 1 and "#" not in beside else tag.field
    line_start, line_end = _line_start(text, start), _line_end(text, end)
    if not text[line_start:start].strip() and _is_blank(text[end:line_end]):
        return (line_start, min(line_end + 1, len(text)), "")
    return (line_start + len(text[line_start:start].rstrip()), end, "")


def _line_start(text: str, offset: int) -> int:
    return text.rfind("\n", 0, offset) + 1


def _line_end(text: str, offset: int) -> int:
    end = text.find("\n", offset)
    return len(text) if end < 0 else end


def _is_blank(rest_of_line: str) -> bool:
    """Return whether the rest of a line has nothing but white space or a comment."""
    return not rest_of_line.strip() or rest_of_line.lstrip().startswith("#")


def _quoted(content: str) -> str:
    quote = "'" if '"' in content and "'" not in content else '"'
    return quote + content.replace("\\", "\\\\").replace(quote, f"\\{quote}") + quote


class _Parser:
    """Parser of text format that finds where every field begins and ends."""

    def __init__(self, text: str) -> None:
        self._tokens = list(_tokens(text))
        self._position = 0

    def message(self) -> _Item:
        """Parse the whole text as one message."""
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
        end = self._tokens[self._position - 1][1]
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
        while token[0] in "\"'" and (self._peek() or " ")[0] in "\"'":  # adjacent strings are concatenated
            _, end, _ = self._next()
        return (start, end), items

    def _peek(self) -> str | None:
        return self._tokens[self._position][2] if self._position < len(self._tokens) else None

    def _next(self) -> tuple[int, int, str]:
        if self._position == len(self._tokens):
            raise UnusualLayout
        self._position += 1
        return self._tokens[self._position - 1]


def _tokens(text: str) -> Iterator[tuple[int, int, str]]:
    """Yield start, end and text of every token, without white space and comments.

    Raises:
        UnusualLayout: A character begins no token.
    """
    position = 0
    while position < len(text):
        match = _TOKEN.match(text, position)
        if match is None:
            raise UnusualLayout
        position = match.end()
        if match.lastgroup != "skip":
            yield match.start(), match.end(), match.group()
