"""What lists and objects say about labels: names, scores, and the exports of Label Studio, spaCy and others."""

import math
import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from components.example_gen.parsing.flags import parse_share
from components.example_gen.parsing.printed import is_number

# Keys of an object that name a label, in lower case and without marks between words.
_NAMES = ("choices", "label", "labels", "name", "category", "tag", "title")
# Further ones, which name a label if they hold a text.
_RARE_NAMES = ("displayname", "labelname", "categoryname", "topic", "class", "term", "concept")
_SCORES = ("score", "value", "probability", "prob", "confidence", "weight")  # keys beside them: how sure that is
_LISTS_OF_SCORES = ("scores", "probabilities", "probs", "confidences", "score", "probability", "confidence")
_CONTAINERS = ("annotations", "completions", "result", "value")  # keys under which Label Studio has its choices
_ENDS_OF_SPANS = ("end", "endoffset", "stop")
# Keys of a text that is a label beside numbers, or alone; alone, it may have any key.
_TEXTS = ("slug", "code", "text", "id", "key", "uri")
_IDENTIFIER = re.compile(r"\d+|/\w+/\w+|Q\d+")  # keys beside names: numbers, Freebase's and Wikidata's ids
_MARKS = re.compile(r"[\W_]+")
_PAIR, _SPAN = 2, 3
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


def judgements(value: Any, is_unknown: Callable[[str], bool] = lambda _: False) -> list[Judgement]:
    """Return what a parsed list or object says about labels, in order.

    An object of scores has a score per label; another one has the labels under a key such as "choices", "label" or
    "name", with a score beside or without. Several annotations of Label Studio are votes: the score is the share of
    those that gave the label.

    Args:
        value: What was parsed.
        is_unknown: Returns whether a value in place of a score, as text, means that nobody knows.

    Raises:
        ValueError: An object names no label, labels are those of spans, or lists are nested too deeply.
        UnlabelledError: Nobody has labelled the row yet.

    Example:
        >>> judgements({"toxic": 1, "insult": None}, lambda text: text == "")
        [Judgement(label='toxic', score=1.0), Judgement(label='insult', score=None)]
        >>> judgements([{"id": 28, "name": "Drama"}])
        [Judgement(label='Drama', score=1.0)]
        >>> judgements([("toxic", 0.9)]) == judgements({"labels": ["toxic"], "scores": [0.9]})
        True
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
        yield from _judge_list(value, is_unknown)
    else:
        yield Judgement(str(value), 1.0)


def _judge_list(values: Iterable[Any], is_unknown: Callable[[str], bool]) -> Iterator[Judgement]:
    elements = sorted(values, key=str) if isinstance(values, set | frozenset) else list(values)
    if _are_annotations(elements):
        yield from _count_votes(elements)
    elif _are_pairs(elements):
        yield from (Judgement(label, _score(score)) for label, score in elements)
    else:
        for element in elements:
            _refuse_span(element)
            name = _only_name(element) if isinstance(element, dict) else None
            if name is None:
                yield from _judge(element, is_unknown)
            else:
                yield Judgement(name, 1.0)


def _judge_object(value: dict[str, Any], is_unknown: Callable[[str], bool]) -> Iterator[Judgement]:
    keys = _plain_keys(value)
    key = next((keys[name] for name in (*_NAMES, *_CONTAINERS) if name in keys), None)
    rare = next((keys[name] for name in _RARE_NAMES if isinstance(value.get(keys.get(name, "")), str)), None)
    key = key or (rare if len(value) == 1 or not _are_scores(value) else None)
    if key is None:
        yield from _judge_scores(value, is_unknown)
        return
    content = value[key]
    if isinstance(content, list) and (scores := _scores_of_list(content, value, keys)):
        yield from map(Judgement, map(str, content), scores)
    elif isinstance(content, str) and key not in _CONTAINERS and (given := _score_beside(value, key, is_unknown)):
        yield Judgement(content, given[0])
    else:
        yield from _judge(content, is_unknown)


def _plain_keys(value: Mapping[str, Any]) -> dict[str, str]:
    """Return keys by their plain form, such as "displayname" for "display_name" and "DisplayName"."""
    return {_MARKS.sub("", str(key)).lower(): key for key in reversed(list(value))}


def _are_scores(value: Mapping[str, Any]) -> bool:
    return all(_score(content) is not None for content in value.values())


def _scores_of_list(labels: Sequence[Any], value: Mapping[str, Any], keys: Mapping[str, str]) -> list[float]:
    """Return the scores of labels in a list beside theirs, as a zero-shot classifier returns them; [] if none is."""
    for name in _LISTS_OF_SCORES:
        content = value.get(keys.get(name, ""))
        if isinstance(content, list) and len(content) == len(labels):
            scores = [score for each in content if (score := _score(each)) is not None]
            if len(scores) == len(labels):
                return scores
    return []


def _score_beside(value: dict[str, Any], name: str, is_unknown: Callable[[str], bool]) -> tuple[float | None] | None:
    """Return the score beside a label in its object, as a tuple of one; None if there is none."""
    keys = _plain_keys(value)
    key = next((keys[score] for score in _SCORES if score in keys and keys[score] != name), None)
    if key is None or value[key] is None or isinstance(value[key], dict | list):
        return None  # a label without a score is given
    score = _score(value[key])
    if score is None and is_unknown(_text(value[key])):
        return (None,)
    # Other numbers are no shares, such as a rank or a count.
    return None if score is None else (score,)


def _judge_scores(value: dict[str, Any], is_unknown: Callable[[str], bool]) -> Iterator[Judgement]:
    if value and all(_IDENTIFIER.fullmatch(str(key)) for key in value) and all(map(_is_name, value.values())):
        yield from (Judgement(name, 1.0) for name in value.values())
        return
    for name, content in value.items():
        score = _score(content)
        if score is None and not is_unknown(_text(content)):
            known = ", ".join(map(str, list(value)[:5]))
            raise ValueError(
                f"the object has neither scores nor a key that names labels (its keys: {known}; '{name}' has"
                f" {_text(content)[:20] or 'null'})"
            )
        yield Judgement(str(name), score)


def _are_pairs(elements: Sequence[Any]) -> bool:
    """Return whether elements are pairs of a label and a number from 0 to 1."""
    return bool(elements) and all(
        isinstance(element, list | tuple)
        and len(element) == _PAIR
        and _is_name(element[0])
        and (isinstance(element[1], bool) or is_number(str(element[1])))
        and _score(element[1]) is not None
        for element in elements
    )


def _refuse_span(element: Any) -> None:
    """Refuse labels of parts of a text: (start, end, label), or an object with start, end and label."""
    if isinstance(element, dict):
        keys = _plain_keys(element)
        is_span = any(name in keys for name in _ENDS_OF_SPANS) and not keys.keys().isdisjoint(_NAMES)
    else:
        is_span = isinstance(element, list | tuple) and len(element) >= _SPAN and _is_name(element[2])
        is_span = is_span and all(str(number).isdigit() for number in element[:2])
    if is_span:
        raise ValueError("its labels are those of spans of the text, with start and end, not of all of it")


def _only_name(element: Mapping[str, Any]) -> str | None:
    """Return the only text in an object, such as that of {"id": 28, "slug": "drama"}; None if it names a label else."""
    names = {key: content for key, content in element.items() if _is_name(content)}
    others = [content for content in element.values() if not _is_name(content)]
    if len(names) != 1 or any(isinstance(content, dict | list) for content in others):
        return None
    ((key, name),) = names.items()
    return name if not others or key.lower() in _TEXTS else None


def _is_name(content: Any) -> bool:
    return isinstance(content, str) and bool(content.strip()) and not is_number(content) and _score(content) is None


def _are_annotations(value: list[Any]) -> bool:
    """Return whether a list is that of the annotations of a task, as Label Studio exports them."""
    return bool(value) and all(isinstance(each, dict) and "result" in each for each in value)


def _count_votes(annotations: list[dict[str, Any]]) -> Iterator[Judgement]:
    counted = [each["result"] for each in annotations if str(each.get("was_cancelled", False)).lower() != "true"]
    if not counted:
        raise UnlabelledError("no annotation")
    votes: Counter[str] = Counter()
    for answers in counted:
        given = judgements([answer for answer in answers if _is_choice(answer)])
        votes.update({label: 1 for label, score in given if score is not None and score >= _LEAST_SCORE})
    for label, count in votes.items():
        yield Judgement(label, count / len(counted))


def _is_choice(answer: Any) -> bool:
    """Return whether an answer in an annotation is about the whole text, and not a rating, a note or a span of it."""
    value = answer.get("value") if isinstance(answer, dict) else None
    return not isinstance(value, dict) or ("start" not in value and any(key in value for key in _NAMES))


def _score(value: Any) -> float | None:
    """Return a number from 0 to 1, or what a word such as yes or false says; None for a letter, such as a grade."""
    if (
        value is None
        or isinstance(value, dict | list)
        or (isinstance(value, str) and len(value) == 1 and value.isalpha())
    ):
        return None
    return parse_share(str(value))


def _text(value: Any) -> str:
    return "" if value is None else str(value)
