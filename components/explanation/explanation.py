"""Explanations of predictions, in words: what the signature `explain` of a model returns, read by a person."""

import unicodedata
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from numpy.typing import NDArray

# Of the difference between the two logits, or of a logit: what the signature refines its result to, if it can.
_RELATIVE_BOUND, _ABSOLUTE_BOUND = 0.01, 0.01
_CONTINUED = "##"

# The signature of exported models that explains.
SIGNATURE = "explain"


@dataclass(frozen=True)
class Word:
    """A word of a text, and how much it adds to a label's logit.

    Attributes:
        text: The word as the text has it; as the vocabulary has it where the two cannot be matched.
        adds: Sum of the attributions of its pieces.
        second: Whether it is of the second text of a pair.
        span: Its first character and the one after its last in its text; None if it was not found there.
    """

    text: str
    adds: float
    second: bool = False
    span: tuple[int, int] | None = None


@dataclass(frozen=True)
class Explanation:
    """Why a label was given to a text, or not.

    Attributes:
        text: The text.
        text_pair: The second text; None if the model takes single texts.
        label: The label.
        logit: Log odds of its probability, before a retired label is set to 0.
        baseline_logit: The same for a text of the same length in which each word piece is [PAD].
        words: Words in the order of the texts, as far as they were not truncated.
        steps: Number of gradients computed.
    """

    text: str
    text_pair: str | None
    label: str
    logit: float
    baseline_logit: float
    words: tuple[Word, ...]
    steps: int

    @property
    def gap(self) -> float:
        """Difference between the logits that the words do not add up to; 0 if the integral was exact."""
        return self.logit - self.baseline_logit - sum(word.adds for word in self.words)

    @property
    def is_complete(self) -> bool:
        """Return whether the gap is at most a hundredth of the difference, or of a logit."""
        bound = max(_RELATIVE_BOUND * abs(self.logit - self.baseline_logit), _ABSOLUTE_BOUND)
        return abs(self.gap) <= bound * 1.01  # the signature rounds otherwise

    def decisive(self, share: float = 0.5, most: int = 5) -> tuple[Word, ...]:
        """Return the words that add most, in the order of the texts: as few as have a share of all that is added.

        Args:
            share: Share of the sum of the words that add something.
            most: Greatest number of words.
        """
        adding = sorted((word for word in self.words if word.adds > 0), key=lambda word: -word.adds)
        needed = share * sum(word.adds for word in adding)
        chosen: list[Word] = []
        while adding and len(chosen) < most and sum(word.adds for word in chosen) < needed:
            chosen.append(adding.pop(0))
        return tuple(word for word in self.words if any(word is each for each in chosen))

    def as_json(self) -> dict[str, Any]:
        """Return the explanation as plain JSON."""
        return {
            "text": self.text,
            **({} if self.text_pair is None else {"text_pair": self.text_pair}),
            "label": self.label,
            "logit": round(self.logit, 6),
            "baseline_logit": round(self.baseline_logit, 6),
            "words": [{"word": word.text, "adds": round(word.adds, 6)} for word in self.words],
            "gap": round(self.gap, 6),
            "complete": self.is_complete,
            "steps": self.steps,
        }


def explain(signature: Any, texts: Sequence[str], pairs: Sequence[str], labels: Sequence[str]) -> list[Explanation]:
    """Explain one label of each text.

    Args:
        signature: Signature `explain` of a loaded model.
        texts: Texts.
        pairs: The second text of each; empty if the model takes single texts.
        labels: A label of the model for each text.
    """
    import tensorflow as tf

    columns = {"texts": texts, **({"text_pairs": pairs} if pairs else {}), "labels": labels}
    outputs = signature(**{name: tf.constant(list(column), tf.string) for name, column in columns.items()})
    return read_explanations({name: values.numpy() for name, values in outputs.items()}, texts, pairs, labels)


def read_explanations(
    outputs: Mapping[str, NDArray[Any]], texts: Sequence[str], pairs: Sequence[str], labels: Sequence[str]
) -> list[Explanation]:
    """Return the explanations that are the outputs of the signature `explain`.

    Args:
        outputs: Its outputs, each with a row for every text.
        texts: Texts.
        pairs: The second text of each; empty if the model takes single texts.
        labels: The label of each text.
    """
    pieces, adds, logits, baselines, steps = (
        outputs[name].tolist() for name in ("pieces", "attributions", "logits", "baseline_logits", "steps")
    )
    return [
        Explanation(
            text=text,
            text_pair=pairs[number] if pairs else None,
            label=labels[number],
            logit=logits[number],
            baseline_logit=baselines[number],
            words=tuple(words([piece.decode() for piece in pieces[number]], adds[number], text, *pairs[number:][:1])),
            steps=steps[number],
        )
        for number, text in enumerate(texts)
    ]


def words(pieces: Sequence[str], adds: Sequence[float], *texts: str) -> Iterator[Word]:
    """Yield the words that word pieces make up.

    Args:
        pieces: Word pieces with special tokens, padded with empty strings.
        adds: Attribution of each.
        *texts: Text, or the two of a pair.

    Example:
        >>> found = words(["[CLS]", "re", "##fund", "!", "[SEP]", ""], [0, 1, 2, 3, 0, 0], "Refund!")
        >>> [(word.text, word.adds) for word in found]
        [('Refund', 3), ('!', 3)]
    """
    last = next((piece for piece in reversed(pieces) if piece), "")
    grouped: list[tuple[str, float, int]] = []
    number = 0
    for piece, added in zip(pieces[1:], adds[1:], strict=True):
        if piece == last:
            number += 1
        elif piece.startswith(_CONTINUED) and grouped and grouped[-1][2] == number:
            whole, sum_, _ = grouped.pop()
            grouped.append((whole + piece.removeprefix(_CONTINUED), sum_ + added, number))
        elif piece:
            grouped.append((piece, added, number))
    finders = [_Finder(text) for text in texts]
    for whole, added, number in grouped:
        # The texts end where a pair's second is empty or truncated.
        finder = finders[min(number, len(finders) - 1)]
        span = finder.find(whole)
        yield Word(finder.text[slice(*span)] if span else whole, added, number > 0, span)


class _Finder:
    """Finder of a vocabulary's words in a text, one after the other."""

    def __init__(self, text: str) -> None:
        self.text = text
        plain = [(character, index) for index, each in enumerate(text) for character in _plain(each)]
        self._plain = "".join(character for character, _ in plain)
        self._origins = [index for _, index in plain]
        self._next = 0

    def find(self, word: str) -> tuple[int, int] | None:
        """Return the span of the next occurrence of a word, regardless of case and accents; None if there is none."""
        plain = "".join(map(_plain, word))
        start = self._plain.find(plain, self._next) if plain else -1
        if start < 0:
            return None
        self._next = start + len(plain)
        end = self._origins[self._next] if self._next < len(self._origins) else len(self.text)
        first, stop = self._origins[start], self._origins[self._next - 1] + 1
        # Accents that follow a letter as characters of their own belong to it.
        while stop < end and unicodedata.category(self.text[stop]) == "Mn":
            stop += 1
        return first, stop


def _plain(character: str) -> str:
    return "".join(
        each for each in unicodedata.normalize("NFD", character.lower()) if unicodedata.category(each) != "Mn"
    )
