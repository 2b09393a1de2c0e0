"""Truncate texts: how many word pieces are kept, and which."""

from typing import get_args

import pytest
import tensorflow as tf
from hypothesis import given, settings
from hypothesis import strategies as st

from components.preprocessing.settings import Truncation
from components.preprocessing.tokenizer import BertTokenizer
from components.preprocessing.truncation import share_budget, truncate
from tests.components.preprocessing.conftest import uncased_vocabulary
from tests.components.preprocessing.reference import GoogleTokenizer, kept_pieces, truncated_lengths

_LENGTHS = st.integers(0, 40)


def int64(values: list[int]) -> tf.Tensor:
    return tf.constant(values, tf.int64)


# === Shares of a pair ===


@settings(deadline=None)
@given(pairs=st.lists(st.tuples(_LENGTHS, _LENGTHS, st.integers(2, 50)), min_size=1))
def test_pairs_share_the_budget_as_in_googles_loop(pairs: list[tuple[int, int, int]]) -> None:
    first, second, budget = (int64(list(column)) for column in zip(*pairs, strict=True))
    shares = [share.numpy().tolist() for share in share_budget(budget, first, second)]
    assert list(zip(*shares, strict=True)) == [truncated_lengths(*pair) for pair in pairs]


def test_all_small_pairs_share_the_budget_as_in_googles_loop() -> None:
    for budget in range(2, 12):
        pairs = [(a, b) for a in range(16) for b in range(16)]
        first, second = (int64(list(column)) for column in zip(*pairs, strict=True))
        shares = [share.numpy().tolist() for share in share_budget(budget, first, second)]
        assert list(zip(*shares, strict=True)) == [truncated_lengths(a, b, budget) for a, b in pairs]


# === Pieces of a text ===


@pytest.mark.parametrize("truncation", get_args(Truncation))
@settings(deadline=None)
@given(lengths=st.lists(_LENGTHS.flatmap(lambda n: st.tuples(st.just(n), st.integers(0, n))), max_size=8))
def test_keeps_the_same_pieces_as_the_reference(truncation: Truncation, lengths: list[tuple[int, int]]) -> None:
    rows = [list(range(100 * index, 100 * index + length)) for index, (length, _) in enumerate(lengths)]
    values = int64([value for row in rows for value in row])
    pieces = tf.RaggedTensor.from_row_lengths(values, int64([length for length, _ in lengths]))
    found = truncate(pieces, int64([kept for _, kept in lengths]), truncation)
    assert found.to_list() == [kept_pieces(row, kept, truncation) for row, (_, kept) in zip(rows, lengths, strict=True)]


def test_head_tail_of_512_tokens_keeps_128_from_the_head_and_382_from_the_tail() -> None:
    pieces = tf.RaggedTensor.from_row_lengths(tf.range(1000, dtype=tf.int64), int64([1000]))
    (found,) = truncate(pieces, int64([510]), "head_tail").to_list()
    assert found == [*range(128), *range(1000 - 382, 1000)]


@pytest.mark.parametrize("max_tokens", [3, 4, 7, 9, 64])
def test_truncates_single_texts_to_head_and_tail(max_tokens: int) -> None:
    texts = ["one two three four five six seven", "one", "", "a b c d e f g h i j k l m n o p"]
    tokenizer = BertTokenizer(uncased_vocabulary(), lower_case=True, max_tokens=max_tokens, truncation="head_tail")
    reference = GoogleTokenizer(uncased_vocabulary(), lower_case=True)
    whole = [reference.ids(text) for text in texts]
    assert tokenizer(tf.constant(texts)).to_list() == [
        [row[0], *kept_pieces(row[1:-1], min(max_tokens, len(row)) - 2, "head_tail"), row[-1]] for row in whole
    ]
    assert tokenizer(tf.constant([], tf.string)).to_list() == []
