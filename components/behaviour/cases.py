"""Cases of behavioural tests: texts with slots filled and edits made, drawn by seed.

The check before a run and the component use the same functions. The check has the file's texts only; the component has
those of the test split as well. Needs no TensorFlow.
"""

import math
import random
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from components.behaviour.edits import Edit, make_edit
from components.behaviour.settings import BehaviourTests, EditsGroup, Group, Text, TextsGroup

_BRACES = re.compile(r"\{\{|\}\}|\{(\w+)\}")


@dataclass(frozen=True)
class Question:
    """Input for the model.

    Attributes:
        text: The text.
        text_pair: The second text; None where the model takes single texts.
        row: Id of the text's row in the test split; None for a text of the tests' file.
    """

    text: str
    text_pair: str | None = None
    row: str | None = None

    def edited(self, edit: Edit) -> "Question":
        """Return the question with both texts edited."""
        pair = None if self.text_pair is None else edit(self.text_pair)
        return replace(self, text=edit(self.text), text_pair=pair)


@dataclass(frozen=True)
class TextCase:
    """Text, and the labels that must and must not be given.

    Attributes:
        question: The text.
        given: Labels that must be given.
        not_given: Labels that must not be given; `*` stands for all but those of `given`.
    """

    question: Question
    given: tuple[str, ...]
    not_given: tuple[str, ...]


@dataclass(frozen=True)
class EditCase:
    """Text before and after an edit."""

    original: Question
    edited: Question


def text_cases(group: TextsGroup, tests: BehaviourTests) -> list[TextCase]:
    """Return the cases of a group of texts, in its order.

    Args:
        group: The group.
        tests: The file that the group is in.
    """
    return [
        TextCase(question, (*group.given, *case.given), (*group.not_given, *case.not_given))
        for case in group.cases
        for question in _filled(case, group, tests)
    ]


def edit_cases(group: EditsGroup, tests: BehaviourTests, test_texts: Sequence[Question] = ()) -> list[EditCase]:
    """Return the cases of a group of edits, without texts that the edit does not change.

    Args:
        group: The group.
        tests: The file that the group is in.
        test_texts: Texts of the test split. The group takes the first ones, as many as it asks for.
    """
    names = tests.slots[group.names] if group.names is not None else ()
    own = [question for text in group.texts for question in _filled(text, group, tests)]
    cases = []
    for question in (*own, *test_texts[: group.test_texts]):
        rng = _generator(tests, group, question.text, question.text_pair or "")
        case = EditCase(question, question.edited(make_edit(group, names, rng)))
        if case.edited != case.original:
            cases.append(case)
    return cases


def slots_in(text: Text) -> list[str]:
    """Return the names of a text's slots, in the order of their first occurrence.

    Example:
        >>> slots_in(Text(text="{name}, where is my {thing}? {{thing}}"))
        ['name', 'thing']
    """
    found = (match[1] for part in (text.text, text.text_pair or "") for match in _BRACES.finditer(part))
    return list(dict.fromkeys(name for name in found if name is not None))


def _filled(text: Text, group: Group, tests: BehaviourTests) -> Iterator[Question]:
    """Yield a text with its slots filled: all combinations, or `group.samples` of them if there are more."""
    names = slots_in(text)
    counts = [len(tests.slots[name]) for name in names]
    for number in _sample(math.prod(counts), group.samples, _generator(tests, group, text.text)):
        values: dict[str, str] = {}
        for name, count in zip(names, counts, strict=True):
            number, index = divmod(number, count)
            values[name] = tests.slots[name][index]
        pair = None if text.text_pair is None else _fill(text.text_pair, values)
        yield Question(_fill(text.text, values), pair)


def _sample(total: int, size: int, rng: random.Random) -> Sequence[int]:
    """Return the numbers below `total`, or `size` of them, without listing all: there may be billions."""
    if total <= size:
        return range(total)
    chosen: set[int] = set()
    while len(chosen) < size:
        chosen.add(rng.randrange(total))
    return sorted(chosen)


def _fill(text: str, values: Mapping[str, str]) -> str:
    return _BRACES.sub(lambda match: values[match[1]] if match[1] else match[0][0], text)


def _generator(tests: BehaviourTests, group: Group, *texts: str) -> random.Random:
    """Return a generator for one text of one group, so that draws for one text do not depend on the others."""
    return random.Random("\0".join((str(tests.seed), group.name, *texts)))  # by SHA-512, the same on every machine
