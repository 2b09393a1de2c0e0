"""Lists and objects that were printed into a text, as Python, NumPy, JSON, PostgreSQL, Spark and R write them."""

import ast
import json
import re
from contextlib import suppress
from typing import Any

_PAIRS = {"[": "]", "(": ")", "{": "}"}
# Calls and types that stand around a printed list: of Python, NumPy, pandas, TensorFlow and PyTorch; Scala; R.
_CALL = re.compile(
    r"(?:(?:np|numpy|pd|tf|torch|collections)\.)?"
    r"(?:array|set|frozenset|tensor|Tensor|Index|Series|list|tuple|dict|deque|dict_keys|dict_values|OrderedDict|Counter"
    r"|WrappedArray|ArraySeq|ArraySeries|ArrayBuffer|Array|List|Seq|Set|Vector|c)\((.*)\)",
    re.DOTALL,
)
_ARGUMENTS = re.compile(r"(?:,\s*(?:dtype|shape|device|name|maxlen)=(?:\([^)]*\)|[^,()\[\]]*))+$")  # of such a call
_QUOTED = re.compile(r"""[ub]?(?:'(?:[^'\\]|\\.)*'|"(?:[^"\\]|\\.)*")""", re.DOTALL)
_QUOTED_LIST = re.compile(rf"{_QUOTED.pattern}(?:\s*,\s*{_QUOTED.pattern})*", re.DOTALL)
# A scalar of NumPy as version 2 prints it, such as np.str_('joy'), np.int64(1) and np.True_.
_SCALAR = re.compile(rf"\b(?:np|numpy)\.(?:(True|False)_|\w+\(({_QUOTED.pattern}|[^()]*)\))", re.DOTALL)
# An element of a list with some elements in quotes, as PostgreSQL writes {login,"account access"}.
_ELEMENT = re.compile(rf"\s*(?:({_QUOTED.pattern})|([^\s,'\"][^,\"]*))\s*(?:,|$)", re.DOTALL)
_OPENED = re.compile(r"[\[({]\s*[\"'{\[(]")
# Quotes that office software has made of straight ones: at the beginning, before an element and after one.
_CURLY = re.compile(r"[\[({]?\s*[\u201c\u201e\u2018\u201a\u00ab]")
_CURLY_BEFORE = re.compile(r"(^|[\[({,])\s*[\u201c\u201e\u2018\u201a\u00ab]")
_CURLY_AFTER = re.compile(r"[\u201d\u201c\u2019\u2018\u00bb](?=\s*(?:[,\])}]|$))")
_BULLET = re.compile(r"\s*[-*\u2022\u2023]\s+(\S.*?)\s*")
_BULLET_CHARACTERS = 60  # of a label; longer ones are lines of a text
_RARE_MARKS = (";", "|")  # between the elements of a list without commas
_NOTHING = ("None", "nan", "NaN", "null", "")


def is_printed(text: str) -> bool:
    """Return whether a text is in brackets, as printed lists are, or is a list of quoted strings or of bullets.

    Example:
        >>> is_printed("['joy']"), is_printed("array(['joy'], dtype=object)"), is_printed("joy"), is_printed("- joy")
        (True, True, False, True)
    """
    text = unwrap(text)
    if text[:1] in ("'", '"'):
        return _QUOTED_LIST.fullmatch(text) is not None
    return len(text) > 1 and (text[-1] == _PAIRS.get(text[0]) or bool(_bullets(text)))


def parse_printed(text: str) -> Any:
    r"""Return the value that was printed: lists, objects and scalars.

    Raises:
        ValueError: Nothing that is known prints like this.

    Example:
        >>> parse_printed("['a' 'b c']"), parse_printed("[a, b c]"), parse_printed('{"a": 1}')
        (['a', 'b c'], ['a', 'b c'], {'a': 1})
        >>> parse_printed("[np.str_('a')]"), parse_printed("WrappedArray(a, b)"), parse_printed("- a\n- b")
        (['a'], ['a', 'b'], ['a', 'b'])
    """
    text = unwrap(text)
    if bullets := _bullets(text):
        return bullets
    value = _parse_json(text)
    if isinstance(value, str):
        return parse_printed(value) if is_printed(value) else [value]  # JSON within JSON
    if value is not None:
        return value
    body = text if text[:1] in ("'", '"') else text[1:-1].strip()
    if not _is_nested(body):
        return _flat(body)
    try:
        return ast.literal_eval(text)
    except (ValueError, SyntaxError, MemoryError, RecursionError):
        raise ValueError("the list or object cannot be read") from None


def is_cut(text: str) -> bool:
    """Return whether a text begins as a printed list or object does, but does not end like one.

    Example:
        >>> is_cut("['joy', 'ang"), is_cut("['joy']"), is_cut("[joy] and more")
        (True, False, False)
    """
    text = unwrap(text)
    return _OPENED.match(text) is not None and not is_printed(text)


def unwrap(text: str) -> str:
    """Return a printed list without what some tools add: a call around it, types of its elements, curly quotes.

    Example:
        >>> unwrap("array([1, 0], dtype=int8)"), unwrap("[np.int64(1)]"), unwrap("[\u2018joy\u2019]"), unwrap('c("a")')
        ('[1, 0]', '[1]', '["joy"]', '"a"')
    """
    text = text.strip()
    if text == "character(0)":
        return "[]"  # no string, in R
    if text[-1:] == ")" and (match := _CALL.fullmatch(text)):
        text = _ARGUMENTS.sub("", match[1].strip()).strip()
        if text[:1] not in ("[", "(", "{", "'", '"'):
            text = f"[{text}]"
    if "np." in text or "numpy." in text:
        text = _SCALAR.sub(lambda scalar: scalar[1] or scalar[2], text)
    if _CURLY.match(text):
        text = _CURLY_AFTER.sub('"', _CURLY_BEFORE.sub(r'\1"', text))
    return text


def _bullets(text: str) -> list[str]:
    """Return the elements of a list with a bullet on each line, as YAML has them; [] if a text is none."""
    if text[:1] not in ("-", "*", "\u2022", "\u2023"):
        return []
    elements = [_BULLET.fullmatch(line) for line in text.split("\n") if line.strip()]
    found = [element[1] for element in elements if element and len(element[1]) <= _BULLET_CHARACTERS]
    return found if len(found) == len(elements) else []


def _parse_json(text: str) -> Any:
    """Return the value of a text in JSON, also with quotes that were doubled for CSV or escaped twice; else None."""
    try:
        return json.loads(text)
    except (json.JSONDecodeError, RecursionError):
        pass
    for doubled in ('""', '\\"'):
        if doubled in text:
            with suppress(json.JSONDecodeError, RecursionError):
                return json.loads(text.replace(doubled, '"'))
    return None


def _is_nested(body: str) -> bool:
    bare = _QUOTED.sub("", body)
    return any(mark in bare for mark in "[{(:")


def _flat(body: str) -> list[Any]:
    if "..." in body and not _QUOTED_LIST.fullmatch(body):
        raise ValueError("the list is abbreviated (...); write all of it, such as by json.dumps")
    quoted = _QUOTED.match(body)
    if body[:1] in ("'", '"') and not quoted:
        raise ValueError("a quote in the list is not closed")
    rest = _QUOTED.sub(" ", body).replace(",", " ").split()
    if quoted and all(word in _NOTHING for word in rest):
        return [_unquote(match[0]) for match in _QUOTED.finditer(body)]
    if quoted or "," in body:
        return _elements(body)
    return [part.strip() for part in _blank_separated(body) if part.strip() not in _NOTHING]


def _elements(body: str) -> list[Any]:
    """Return elements between commas, of which some are in quotes."""
    elements, end = [], 0
    while end < len(body):
        match = _ELEMENT.match(body, end)
        if match is None:
            parts = [part.strip() for part in body.split(",")]
            if any(part[:1] in ("'", '"') for part in parts):
                raise ValueError("a quote in the list is not closed")
            return [part for part in parts if part not in _NOTHING]
        elements.append(_unquote(match[1]) if match[1] else match[2].strip())
        end = match.end()
    return [element for element in elements if element not in _NOTHING]


def _unquote(text: str) -> str:
    try:
        value = ast.literal_eval(text.replace("\n", "\\n").replace("\r", "\\r"))
    except (ValueError, SyntaxError):
        raise ValueError("an element of the list cannot be read") from None
    return value.decode("utf-8", "replace") if isinstance(value, bytes) else str(value)


def _blank_separated(body: str) -> list[str]:
    """Split at blanks if all parts are numbers, as NumPy prints them, and else at ; or |; a label may have blanks."""
    parts = body.split()
    if all(is_number(part) for part in parts):
        return parts
    mark = next((mark for mark in _RARE_MARKS if mark in body), None)
    return [body] if mark is None else body.split(mark)


def is_number(text: str) -> bool:
    """Return whether a text is a number as Python reads it."""
    try:
        float(text)
    except ValueError:
        return False
    return True
