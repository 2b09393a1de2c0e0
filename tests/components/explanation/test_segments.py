"""Segments of explained texts."""

from hypothesis import given
from hypothesis import strategies as st

from components.explanation.explanation import Explanation, Word, words
from components.explanation.segments import MOST_STRENGTH, segments


def test_segments_of_both_texts_have_one_scale() -> None:
    found = (Word("a", 0.5, False, (0, 1)), Word("refund", -2.0, True, (0, 6)))
    explanation = Explanation("a b", "Refund?", "refund", -1.5, 0.0, found, 16)
    assert [(each.text, each.strength) for each in segments(explanation)] == [("a", 1), (" b", 0)]
    second = segments(explanation, second=True)
    assert [(each.text, each.adds, each.strength) for each in second] == [("refund", -2.0, -5), ("?", 0.0, 0)]


def test_what_the_vocabulary_lacks_counts_for_the_text_between_its_neighbours() -> None:
    found = tuple(words(["[CLS]", "a", "[UNK]", "b", "[SEP]"], [0, 1, 4, 1, 0], "a Ⅷ b"))
    shown = segments(Explanation("a Ⅷ b", None, "refund", 6.0, 0.0, found, 16))
    assert [(each.text, each.adds) for each in shown] == [("a", 1.0), (" Ⅷ ", 4.0), ("b", 1.0)]


@given(
    st.lists(st.tuples(st.text("ab é#", max_size=4), st.sampled_from(["", " ", "?"])), max_size=8),
    st.lists(st.floats(-1e6, 1e6), min_size=8, max_size=8),
)
def test_segments_joined_are_the_text(parts: list[tuple[str, str]], adds: list[float]) -> None:
    text = "".join(word + separator for word, separator in parts)
    pieces = ["[CLS]", *(word for word, _ in parts if word.strip()), "[SEP]"]
    found = tuple(words(pieces, [0.0, *adds[: len(pieces) - 2], 0.0], text))
    shown = segments(Explanation(text, None, "refund", 0.0, 0.0, found, 16))
    assert "".join(each.text for each in shown).lower() == text.lower()
    assert all(abs(each.strength) <= MOST_STRENGTH for each in shown)
