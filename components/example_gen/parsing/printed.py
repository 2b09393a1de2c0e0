"""Labels in a printed list or an object, as Python, NumPy, JSON, spaCy, Label Studio and others write them."""

import ast
import json
import math
import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from typing import Any, NamedTuple

_PAIRS = {"[": "]", "(": ")", "{": "}"}
_CALL = re.compile(r"(?:array|set|frozenset|tensor|Index|list|tuple)\((.*)\)", re.DOTALL)
_DTYPE = re.compile(r",\s*dtype=[^)\]]*$")
_QUOTED = re.compile(r"""[ub]?(?:'(?:[^'\\]|\\.)*'|"(?:[^"\\]|\\.)*")""", re.DOTALL)
_QUOTED_LIST = re.compile(rf"{_QUOTED.pattern}(?:\s*,\s*{_QUOTED.pattern})*", re.DOTALL)
# An element of a list with some elements in quotes, as PostgreSQL writes {login,"account access"}.
_ELEMENT = re.compile(rf"\s*(?:({_QUOTED.pattern})|([^\s,'\"][^,\"]*))\s*(?:,|$)", re.DOTALL)
_OPENED = re.compile(r"[\[({]\s*[\"'{\[(]")
_NAMES = ("choices", "label", "labels", "name", "category", "tag", "title")  # keys of an object that name a label
_SCORES = ("score", "value", "probability", "prob", "confidence", "weight")  # keys beside them: how sure that is
_CONTAINERS = ("annotations", "completions", "result", "value")  # keys under which Label Studio has its choices
_RARE_MARKS = (";", "|")  # between the elements of a list without commas
_NOTHING = ("None", "nan", "NaN", "null", "")
_LEAST_SCORE = 0.5  # of a label in an object of scores


class UnlabelledError(ValueError):
    """Nobody has labelled the row yet."""


class Judgement(NamedTuple):
    """A label in a list or object.

    Attributes:
        label: The label.
        score: 1 if it is given, 0 if not, a fraction in between, or None if nobody knows.
    """

    label: str
    score: float | None


def is_printed(text: str) -> bool:
    """Return whether a text is in brackets, as printed lists and objects are, or is a list of quoted strings.

    Example:
        >>> is_printed("['joy']"), is_printed("array(['joy'], dtype=object)"), is_printed("joy")
        (True, True, False)
    """
    text = unwrap(text)
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
    text = unwrap(text)
    try:
        value = json.loads(text)
        return [value] if isinstance(value, str) else value
    except (json.JSONDecodeError, RecursionError):
        pass
    if '""' in text:
        with suppress(json.JSONDecodeError):
            return json.loads(text.replace('""', '"'))  # quotes that were doubled for CSV twice
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


def labels_of(value: Any, least: float = _LEAST_SCORE) -> list[str]:
    """Return the labels that a parsed list or object holds, in order.

    An object of scores has the labels of at least 0.5, or another least score; another one has the labels under a key
    such as "choices", "label" or "name".

    Raises:
        ValueError: An object names no label, or lists are nested too deeply.
        UnlabelledError: Nobody has labelled the row yet.

    Example:
        >>> labels_of({"toxic": 1, "insult": 0}), labels_of([{"id": 28, "name": "Drama"}])
        (['toxic'], ['Drama'])
        >>> labels_of([{"label": "toxic", "score": 0.9}, {"label": "insult", "score": 0.2}])
        ['toxic']
    """
    return [label for label, score in judgements(value) if score is not None and score >= least]


def scores_of(value: Any) -> dict[str, float]:
    """Return the scores between 0 and 1 of the labels in an object of scores; empty for anything else.

    Example:
        >>> scores_of({"toxic": 0.8, "insult": 0, "threat": 1})
        {'toxic': 0.8}
    """
    scores = {label.strip(): score for label, score in judgements(value)}
    return {label: score for label, score in scores.items() if label and score is not None and 0 < score < 1}


def judgements(value: Any, is_unknown: Callable[[str], bool] = lambda _: False) -> list[Judgement]:
    """Return what a parsed list or object says about labels, in order.

    Several annotations of Label Studio are votes: the score is the share of those that gave the label.

    Args:
        value: What was parsed.
        is_unknown: Returns whether a value in place of a score, as text, means that nobody knows.

    Raises:
        ValueError: An object names no label, or lists are nested too deeply.
        UnlabelledError: Nobody has labelled the row yet.

    Example:
        >>> judgements({"toxic": 1, "insult": None}, lambda text: text == "")
        [Judgement(label='toxic', score=1.0), Judgement(label='insult', score=None)]
    """
    try:
        return list(_judge(value, is_unknown))
    except RecursionError:
        raise ValueError("it is nested too deeply") from None


def _judge(value: Any, is_unknown: Callable[[str], bool]) -> Iterator[Judgement]:
    if value is None or (isinstance(value, float) and math.isnan(value)):
        return
    if isinstance(value, dict):
        yield from _judge_object(value, is_unknown)
    elif isinstance(value, list | tuple | set | frozenset):
        if isinstance(value, list) and _are_annotations(value):
            yield from _count_votes(value)
            return
        elements: Iterable[Any] = sorted(value, key=str) if isinstance(value, set | frozenset) else value
        for element in elements:
            yield from _judge(element, is_unknown)
    else:
        yield Judgement(str(value), 1.0)


def _judge_object(value: dict[str, Any], is_unknown: Callable[[str], bool]) -> Iterator[Judgement]:
    key = next((key for key in (*_NAMES, *_CONTAINERS) if key in value), None)
    if key is None:
        yield from _judge_scores(value, is_unknown)
    elif key in _NAMES and isinstance(value[key], str) and (given := _score_beside(value, key, is_unknown)):
        yield Judgement(value[key], given[0])
    else:
        yield from _judge(value[key], is_unknown)


def _score_beside(value: dict[str, Any], name: str, is_unknown: Callable[[str], bool]) -> tuple[float | None] | None:
    """Return the score beside a label in its object, as a tuple of one; None if there is none."""
    key = next((key for key in _SCORES if key in value and key != name), None)
    if key is None or isinstance(value[key], dict | list):
        return None
    score = _score(value[key])
    if score is None and is_unknown(_text(value[key])):
        return (None,)
    # Other numbers are no shares, such as a rank or a count.
    return None if score is None else (score,)


def _judge_scores(value: dict[str, Any], is_unknown: Callable[[str], bool]) -> Iterator[Judgement]:
    for name, content in value.items():
        score = _score(content)
        if score is None and not is_unknown(_text(content)):
            known = ", ".join(map(str, list(value)[:5]))
            raise ValueError(
                f"the object has neither scores nor a key that names labels (its keys: {known}; '{name}' has"
                f" {_text(content)[:20] or 'null'})"
            )
        yield Judgement(str(name), score)


def _are_annotations(value: list[Any]) -> bool:
    """Return whether a list is that of the annotations of a task, as Label Studio exports them."""
    return bool(value) and all(isinstance(each, dict) and "result" in each for each in value)


def _count_votes(annotations: list[dict[str, Any]]) -> Iterator[Judgement]:
    counted = [each["result"] for each in annotations if str(each.get("was_cancelled", False)).lower() != "true"]
    if not counted:
        raise UnlabelledError("no annotation")
    chosen = [[answer for answer in each if _is_choice(answer)] for each in counted]
    votes = Counter(label for each in chosen for label in dict.fromkeys(labels_of(each)))
    for label, count in votes.items():
        yield Judgement(label, count / len(counted))


def _is_choice(answer: Any) -> bool:
    """Return whether an answer in an annotation is about the whole text, and not a rating, a note or a span of it."""
    value = answer.get("value") if isinstance(answer, dict) else None
    return not isinstance(value, dict) or ("start" not in value and any(key in value for key in _NAMES))


def _score(value: Any) -> float | None:
    try:
        score = float(value)
    except (TypeError, ValueError):
        return None
    return score if 0 <= score <= 1 else None


def _text(value: Any) -> str:
    return "" if value is None else str(value)


def unwrap(text: str) -> str:
    """Return a printed list without the call around it, as in `array([1, 0], dtype=int8)`."""
    text = text.strip()
    match = _CALL.fullmatch(text)
    return (_DTYPE.sub("", match[1].strip()).strip() or "[]") if match else text


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
