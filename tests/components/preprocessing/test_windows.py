"""Cutting of token ids into windows, against slices in plain Python."""

from collections.abc import Sequence

import numpy as np
import pytest
import tensorflow as tf
from pydantic import ValidationError

from components.preprocessing.settings import WindowSettings
from components.preprocessing.windows import count_windows, cut_windows


def _expected(row: Sequence[int], settings: WindowSettings) -> list[list[int]]:
    """Return the windows of a text: begin one, until the text has ended."""
    first, *pieces, last = row
    windows, start = [], 0
    while True:
        windows.append([first, *pieces[start : start + settings.size - 2], last])
        if start + settings.size - 2 >= len(pieces):
            return windows
        start += settings.stride


@pytest.mark.parametrize(("size", "stride"), [(4, 1), (4, 2), (7, 5), (12, 3), (12, 10)])
def test_windows_overlap_and_hold_every_piece(size: int, stride: int) -> None:
    settings = WindowSettings(size=size, stride=stride, most=40)
    rows = [[101, *range(1, length + 1), 102] for length in [*range(30), 3, 0]]
    cut = tf.function(lambda ragged: vars(cut_windows(ragged, settings)))(tf.ragged.constant(rows, tf.int64))
    expected = [(window, text) for text, row in enumerate(rows) for window in _expected(row, settings)]
    assert cut["tokens"].to_list() == [window for window, _ in expected]
    assert cut["texts"].numpy().tolist() == [text for _, text in expected]
    counts = count_windows(tf.constant([len(row) for row in rows]), settings).numpy()
    np.testing.assert_array_equal(counts, np.bincount([text for _, text in expected]))


def test_an_empty_batch_has_no_windows() -> None:
    cut = cut_windows(tf.RaggedTensor.from_row_lengths(tf.zeros([0], tf.int64), []), WindowSettings())
    assert cut.tokens.to_list() == []
    assert cut.texts.numpy().tolist() == []


@pytest.mark.parametrize(("size", "stride", "most"), [(4, 1, 2), (128, 64, 32), (12, 10, 3)])
def test_the_longest_text_that_the_windows_hold_has_the_greatest_number_of_them(
    size: int, stride: int, most: int
) -> None:
    settings = WindowSettings(size=size, stride=stride, most=most)
    longest = settings.max_tokens
    assert count_windows(tf.constant([longest, longest + 1]), settings).numpy().tolist() == [most, most + 1]


def test_refuses_windows_between_which_words_would_not_be_read() -> None:
    with pytest.raises(ValidationError, match="stride is 127, but a window of 128 tokens has 126 word pieces"):
        WindowSettings(size=128, stride=127)
