"""A text cut into segments, for pages that show how much each word adds to a label."""

from collections.abc import Iterator

from components.common.record import Value
from components.explanation.explanation import Explanation

# Strengths are whole numbers up to this one, so that a page needs a style for each only.
MOST_STRENGTH = 5


class Segment(Value):
    """Part of a text: a word, or what is between two words.

    Attributes:
        text: The characters.
        adds: What they add to the label's log odds.
        strength: The same as a share of what the strongest word of the texts adds or takes, from -5 to 5.
    """

    text: str
    adds: float = 0.0
    strength: int = 0


def segments(explanation: Explanation, *, second: bool = False) -> list[Segment]:
    """Cut an explained text into segments, which joined are the text.

    Words that were not found in the text, as those which the vocabulary lacks, count for what is between their
    neighbours.

    Args:
        explanation: Explanation of a label.
        second: Whether to return the second text of a pair in place of the first.

    Example:
        >>> from components.explanation.explanation import Word
        >>> words = (Word("a", -0.2, span=(0, 1)), Word("refund", 0.4, span=(2, 8)))
        >>> explanation = Explanation("a refund!", None, "refund", 0.2, 0.0, words, 16)
        >>> [(segment.text, segment.strength) for segment in segments(explanation)]
        [('a', -2), (' ', 0), ('refund', 5), ('!', 0)]
    """
    greatest = max((abs(word.adds) for word in explanation.words), default=0.0)
    text = (explanation.text_pair or "") if second else explanation.text
    return [
        Segment(text=part, adds=round(adds, 3), strength=round(MOST_STRENGTH * adds / greatest) if greatest else 0)
        for part, adds in _parts(explanation, text, second)
        if part
    ]


def _parts(explanation: Explanation, text: str, second: bool) -> Iterator[tuple[str, float]]:
    end, between = 0, 0.0
    for word in explanation.words:
        if word.second != second:
            continue
        if word.span is None:
            between += word.adds
            continue
        yield text[end : word.span[0]], between
        yield word.text, word.adds
        end, between = word.span[1], 0.0
    yield text[end:], between
