"""From the tests' file to single cases: slots filled, edits made, all of it drawn by seed.

The same function answers for the check before a run, which has the file's own texts only, and for the component, which
has those of the test split too. Needs no TensorFlow.
"""

import math
import random
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from components.behaviour.edits import Edit, edit_of
from components.behaviour.settings import BehaviourTests, EditsGroup, Group, Text, TextsGroup

_BRACES = re.compile(r"\{\{|\}\}|\{(\w+)\}")


@dataclass(frozen=True)
class Question:
    """What the model is asked.

    Attributes:
        text: The text.
        text_pair: The second one, None where the model takes single texts.
        row: The id of the row of the test split that it is from; None for a text of the file.
    """

    text: str
    text_pair: str | None = None
    row: str | None = None

    def edited(self, edit: Edit) -> "Question":
        """Both texts, edited."""
        pair = None if self.text_pair is None else edit(self.text_pair)
        return replace(self, text=edit(self.text), text_pair=pair)


@dataclass(frozen=True)
class TextCase:
    """A text and the labels that must and must not be given; `*` among the latter means all but the former."""

    question: Question
    given: tuple[str, ...]
    not_given: tuple[str, ...]


@dataclass(frozen=True)
class EditCase:
    """A text, and the same one edited."""

    original: Question
    edited: Question


def text_cases(group: TextsGroup, tests: BehaviourTests) -> list[TextCase]:
    """The cases of a group of texts, in its order."""
    return [
        TextCase(question, (*group.given, *case.given), (*group.not_given, *case.not_given))
        for case in group.cases
        for question in _filled(case, group, tests)
    ]


def edit_cases(group: EditsGroup, tests: BehaviourTests, test_texts: Sequence[Question] = ()) -> list[EditCase]:
    """The cases of a group of edits; a text that the edit leaves as it is is none.

    Args:
        group: The group.
        tests: Which it is of.
        test_texts: At least as many of the test split as the group asks for, if there are so many; it takes the first.
    """
    names = tests.slots[group.names] if group.names is not None else ()
    own = [question for text in group.texts for question in _filled(text, group, tests)]
    cases = []
    for question in (*own, *test_texts[: group.test_texts]):
        rng = _drawn_for(tests, group, question.text, question.text_pair or "")
        case = EditCase(question, question.edited(edit_of(group, names, rng)))
        if case.edited != case.original:
            cases.append(case)
    return cases


def slots_in(text: Text) -> list[str]:
    """The names of the slots that a text has, in the order they first occur."""
    found = (match[1] for part in (text.text, text.text_pair or "") for match in _BRACES.finditer(part))
    return list(dict.fromkeys(name for name in found if name is not None))


def _filled(text: Text, group: Group, tests: BehaviourTests) -> Iterator[Question]:
    """The text with its slots filled, in every way or, where those are too many, in `group.samples` of them."""
    names = slots_in(text)
    counts = [len(tests.slots[name]) for name in names]
    for number in _some_of(math.prod(counts), group.samples, _drawn_for(tests, group, text.text)):
        values: dict[str, str] = {}
        for name, count in zip(names, counts, strict=True):
            number, position = divmod(number, count)
            values[name] = tests.slots[name][position]
        pair = None if text.text_pair is None else _fill(text.text_pair, values)
        yield Question(_fill(text.text, values), pair)


def _some_of(total: int, most: int, rng: random.Random) -> Sequence[int]:
    """All numbers below `total`, or `most` of them; without listing them, as there may be billions."""
    if total <= most:
        return range(total)
    chosen: set[int] = set()
    while len(chosen) < most:
        chosen.add(rng.randrange(total))
    return sorted(chosen)


def _fill(text: str, values: Mapping[str, str]) -> str:
    return _BRACES.sub(lambda found: values[found[1]] if found[1] else found[0][0], text)


def _drawn_for(tests: BehaviourTests, group: Group, *texts: str) -> random.Random:
    """Draws of its own for every text of every group: what is drawn for one depends on no other."""
    return random.Random("\0".join((str(tests.seed), group.name, *texts)))  # by SHA-512, the same on every machine
