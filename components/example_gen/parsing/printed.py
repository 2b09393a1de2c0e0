"""Labels in a printed list or an object, as Python, NumPy, JSON, spaCy, Label Studio and others write them."""

import ast
import json
import math
import re
from collections.abc import Iterable
from typing import Any

_PAIRS = {"[": "]", "(": ")", "{": "}"}
_CALL = re.compile(r"(?:array|set|frozenset|tensor|Index|list|tuple)\((.*)\)", re.DOTALL)
_DTYPE = re.compile(r",\s*dtype=[^)\]]*$")
_QUOTED = re.compile(r"""[ub]?(?:'(?:[^'\\]|\\.)*'|"(?:[^"\\]|\\.)*")""", re.DOTALL)
_QUOTED_LIST = re.compile(rf"{_QUOTED.pattern}(?:\s*,\s*{_QUOTED.pattern})*", re.DOTALL)
_NAMES = ("choices", "label", "labels", "name", "category", "tag", "title")  # keys of an object that name a label
_CONTAINERS = ("annotations", "result", "value")  # keys under which Label Studio has its choices
_NOTHING = ("None", "nan", "NaN", "null", "")
_LEAST_SCORE = 0.5  # of a label in an object of scores


def is_printed(text: str) -> bool:
    """Return whether a text is in brackets, as printed lists and objects are, or is a list of quoted strings.

    Example:
        >>> is_printed("['joy']"), is_printed("array(['joy'], dtype=object)"), is_printed("joy")
        (True, True, False)
    """
    text = _unwrap(text)
    if text[:1] in ("'", '"'):
        return _QUOTED_LIST.fullmatch(text) is not None
    return len(text) > 1 and text[-1] == _PAIRS.get(text[0])


def parse_printed(text: str) -> Any:
    """Return the value that was printed: lists, objects and scalars.

    Raises:
        ValueError: Nothing that is known prints like this.

    Example:
        >>> parse_printed("['a' 'b c']"), parse_printed("[a, b c]"), parse_printed('{"a": 1}')
        (['a', 'b c'], ['a', 'b c'], {'a': 1})
    """
    text = _unwrap(text)
    try:
        value = json.loads(text)
        return [value] if isinstance(value, str) else value
    except (json.JSONDecodeError, RecursionError):
        pass
    body = text if text[:1] in ("'", '"') else text[1:-1].strip()
    if not _is_nested(body):
        return _flat(body)
    try:
        return ast.literal_eval(text)
    except (ValueError, SyntaxError, MemoryError, RecursionError):
        raise ValueError("the list or object cannot be read") from None


def labels_of(value: Any, least: float = _LEAST_SCORE) -> list[str]:
    """Return the labels that a parsed list or object holds, in order.

    An object of scores has the labels of at least 0.5, or another least score; another one has the labels under a key
    such as "choices", "label" or "name".

    Raises:
        ValueError: An object names no label, or lists are nested too deeply.

    Example:
        >>> labels_of({"toxic": 1, "insult": 0}), labels_of([{"id": 28, "name": "Drama"}])
        (['toxic'], ['Drama'])
    """
    try:
        return _labels_of(value, least)
    except RecursionError:
        raise ValueError("it is nested too deeply") from None


def scores_of(value: Any) -> dict[str, float]:
    """Return the scores between 0 and 1 of the labels in an object of scores; empty for anything else.

    Example:
        >>> scores_of({"toxic": 0.8, "insult": 0, "threat": 1})
        {'toxic': 0.8}
    """
    if not isinstance(value, dict) or any(key in value for key in (*_NAMES, *_CONTAINERS)):
        return {}
    scores = {str(name).strip(): _score(score) for name, score in value.items()}
    return {name: score for name, score in scores.items() if name and score is not None and 0 < score < 1}


def _labels_of(value: Any, least: float) -> list[str]:
    if value is None or (isinstance(value, float) and math.isnan(value)):
        return []
    if isinstance(value, dict):
        return _labels_of_object(value, least)
    if isinstance(value, list | tuple | set | frozenset):
        elements: Iterable[Any] = sorted(value, key=str) if isinstance(value, set | frozenset) else value
        return [label for element in elements for label in _labels_of(element, least)]
    return [str(value)]


def _labels_of_object(value: dict[str, Any], least: float) -> list[str]:
    key = next((key for key in (*_NAMES, *_CONTAINERS) if key in value), None)
    if key is not None:
        return _labels_of(value[key], least)
    scores = {name: _score(score) for name, score in value.items()}
    if any(score is None for score in scores.values()):
        known = ", ".join(map(str, list(value)[:5]))
        raise ValueError(f"the object has neither scores nor a key that names labels (its keys: {known})")
    return [str(name) for name, score in scores.items() if score is not None and score >= least]


def _score(value: Any) -> float | None:
    try:
        score = float(value)
    except (TypeError, ValueError):
        return None
    return score if 0 <= score <= 1 else None


def _unwrap(text: str) -> str:
    text = text.strip()
    match = _CALL.fullmatch(text)
    return (_DTYPE.sub("", match[1].strip()).strip() or "[]") if match else text


def _is_nested(body: str) -> bool:
    bare = _QUOTED.sub("", body)
    return any(mark in bare for mark in "[{(:")


def _flat(body: str) -> list[Any]:
    if body[:1] in ("'", '"') and not _QUOTED.match(body):
        raise ValueError("a quote in the list is not closed")
    if not _QUOTED.match(body):
        parts = body.split(",") if "," in body else _blank_separated(body)
        return [part.strip() for part in parts if part.strip() not in _NOTHING]
    rest = _QUOTED.sub(" ", body).replace(",", " ").split()
    if any(word not in _NOTHING for word in rest):
        raise ValueError("a quote in the list is not closed")
    return [_unquote(match[0]) for match in _QUOTED.finditer(body)]


def _unquote(text: str) -> str:
    try:
        value = ast.literal_eval(text.replace("\n", "\\n").replace("\r", "\\r"))
    except (ValueError, SyntaxError):
        raise ValueError("an element of the list cannot be read") from None
    return value.decode("utf-8", "replace") if isinstance(value, bytes) else str(value)


def _blank_separated(body: str) -> list[str]:
    """Split at blanks if all parts are numbers, as NumPy prints them; a label may have blanks."""
    parts = body.split()
    return parts if all(is_number(part) for part in parts) else [body]


def is_number(text: str) -> bool:
    """Return whether a text is a number as Python reads it."""
    try:
        float(text)
    except ValueError:
        return False
    return True
