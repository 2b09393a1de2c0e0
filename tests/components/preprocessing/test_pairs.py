"""Compare ids of pairs with Google's run_classifier.py, and with Hugging Face where it agrees with Google."""

import pytest
import tensorflow as tf
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from tokenizers import Tokenizer

from components.preprocessing.settings import Truncation
from components.preprocessing.tokenizer import BertTokenizer
from tests.components.preprocessing.conftest import uncased_vocabulary
from tests.components.preprocessing.reference import GoogleTokenizer, google_pair, hugging_face
from tests.components.preprocessing.texts import GOOGLE_ONLY, HARD

Pair = tuple[str, str]
Ids = tuple[list[int], list[int]]

_UNLIMITED = 100_000
_LIMITS = (5, 6, 11, 12, 32)
_TRUNCATIONS: tuple[Truncation, ...] = ("head", "head_tail")
_VOCABULARY = uncased_vocabulary()
_GOOGLE = GoogleTokenizer(_VOCABULARY, lower_case=True)
_IN_GRAPH = {
    (limit, truncation): BertTokenizer(_VOCABULARY, lower_case=True, max_tokens=limit, truncation=truncation)
    for limit in (*_LIMITS, _UNLIMITED)
    for truncation in _TRUNCATIONS
}


def in_graph(pairs: list[Pair], limit: int, truncation: Truncation = "head") -> list[Ids]:
    first, second = (tf.constant(list(column), tf.string) for column in zip(*pairs, strict=True))
    token_ids, segment_ids = _IN_GRAPH[limit, truncation].pair(first, second)
    assert token_ids.dtype == segment_ids.dtype == tf.int64
    return list(zip(token_ids.to_list(), segment_ids.to_list(), strict=True))


def google(pairs: list[Pair], limit: int, truncation: Truncation = "head") -> list[Ids]:
    return [google_pair(_GOOGLE.ids(a), _GOOGLE.ids(b), limit, truncation) for a, b in pairs]


def rust(limit: int) -> Tokenizer:
    tokenizer = hugging_face(_VOCABULARY, lower_case=True)
    tokenizer.enable_truncation(limit, strategy="longest_first")
    return tokenizer


_HUGGING_FACE = {limit: rust(limit) for limit in (*_LIMITS, _UNLIMITED)}


def hugging_face_ids(pairs: list[Pair], limit: int) -> list[Ids]:
    return [(encoding.ids, encoding.type_ids) for encoding in _HUGGING_FACE[limit].encode_batch(pairs)]


def pieces(text: str) -> int:
    return len(_GOOGLE.ids(text)) - 2


def hugging_face_agrees(pair: Pair, limit: int) -> bool:
    """Return whether Hugging Face agrees: not on a blank second text, nor on the odd piece of two long texts."""
    a, b = pieces(pair[0]), pieces(pair[1])
    budget = limit - 3
    return b > 0 and not (budget % 2 and min(a, b) > budget // 2 and a <= b)


# === Hard texts ===


@pytest.mark.parametrize("truncation", _TRUNCATIONS)
@pytest.mark.parametrize("limit", [12, 32, _UNLIMITED])
def test_pairs_of_hard_texts_have_googles_ids(limit: int, truncation: Truncation) -> None:
    texts = list({**HARD, **GOOGLE_ONLY}.values())
    pairs = list(zip(texts, texts[1:] + texts[:1], strict=True))
    assert in_graph(pairs, limit, truncation) == google(pairs, limit, truncation)


# === Any texts ===

_WORDS = st.sampled_from(["playing", "Zürich", "unaffable", "x", "é…", "[SEP]", ",", "你好", "##ing"])
_TEXTS = st.lists(_WORDS, max_size=16).map(" ".join) | st.text(st.characters(codec="ascii"))
_PAIRS = st.lists(st.tuples(_TEXTS, _TEXTS), min_size=1, max_size=8)


@settings(max_examples=200, deadline=None)
@given(pairs=_PAIRS, limit=st.sampled_from(_LIMITS), truncation=st.sampled_from(_TRUNCATIONS))
def test_any_pairs_have_googles_ids(pairs: list[Pair], limit: int, truncation: Truncation) -> None:
    found = in_graph(pairs, limit, truncation)
    assert found == google(pairs, limit, truncation)
    assert max(len(token_ids) for token_ids, _ in found) <= limit


@settings(max_examples=200, deadline=None)
@given(pairs=_PAIRS, limit=st.sampled_from((*_LIMITS, _UNLIMITED)))
def test_any_pairs_have_hugging_faces_ids(pairs: list[Pair], limit: int) -> None:
    pairs = [pair for pair in pairs if hugging_face_agrees(pair, limit)]
    assume(pairs)
    assert in_graph(pairs, limit) == hugging_face_ids(pairs, limit)


# === Where Hugging Face differs ===


def words(token_ids: list[int]) -> str:
    return " ".join(_VOCABULARY[token] for token in token_ids)


@pytest.mark.parametrize("blank", ["", " \t\n", "\0\u200b"])
def test_a_pair_with_a_blank_second_text_becomes_a_single_text(blank: str) -> None:
    ((token_ids, segment_ids),) = in_graph([("one two", blank)], 12)
    assert words(token_ids) == "[CLS] one two [SEP]"
    assert segment_ids == [0, 0, 0, 0]
    assert words(hugging_face_ids([("one two", blank)], 12)[0][0]) == "[CLS] one two [SEP] [SEP]"


def test_a_single_text_in_a_batch_of_pairs_keeps_as_much_as_a_single_text() -> None:
    (single, _), (pair, _) = in_graph([("one two three four five", ""), ("one two three four five", "six")], 6)
    assert words(single) == "[CLS] one two three four [SEP]"
    assert words(pair) == "[CLS] one two [SEP] six [SEP]"


def test_the_odd_piece_of_two_long_texts_goes_to_the_first() -> None:
    pair = ("a b c d", "e f g h")
    assert words(in_graph([pair], 6)[0][0]) == "[CLS] a b [SEP] e [SEP]"
    assert words(hugging_face_ids([pair], 6)[0][0]) == "[CLS] a [SEP] e f [SEP]"


# === Shapes and limits ===


def test_an_empty_first_text_keeps_its_segment() -> None:
    ((token_ids, segment_ids),) = in_graph([("", "one two")], 12)
    assert words(token_ids) == "[CLS] [SEP] one two [SEP]"
    assert segment_ids == [0, 0, 1, 1, 1]


def test_returns_no_rows_for_an_empty_batch() -> None:
    empty = tf.constant([], tf.string)
    token_ids, segment_ids = _IN_GRAPH[12, "head_tail"].pair(empty, empty)
    assert token_ids.to_list() == segment_ids.to_list() == []


def test_refuses_second_texts_for_only_some_rows() -> None:
    tokenizer = _IN_GRAPH[12, "head"]
    traced = tf.function(tokenizer.pair, input_signature=[tf.TensorSpec([None], tf.string)] * 2)
    with pytest.raises(tf.errors.InvalidArgumentError, match="Shapes of all inputs must match"):
        traced(tf.constant(["a", "b", "c"]), tf.constant(["d"]))


def test_refuses_fewer_than_five_tokens_for_pairs() -> None:
    tokenizer = BertTokenizer(_VOCABULARY, lower_case=True, max_tokens=4)
    with pytest.raises(ValueError, match="at least 5 for pairs, got 4"):
        tokenizer.pair(tf.constant(["a"]), tf.constant(["b"]))
