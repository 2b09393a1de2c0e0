"""Length-grouped batches have every example once, padded to the longest of its batch."""

from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf

from components.preprocessing.features import ID, LABELS, SEGMENT_IDS, TOKEN_IDS
from components.trainer.input_pipeline import count_labels, encoder_inputs, ids_of_batch, length_grouped_batches

_N = 4_000  # two and a half windows
_LENGTHS = np.random.default_rng(0).geometric(0.05, _N) + 1


@pytest.fixture(scope="module")
def pattern(tmp_path_factory: pytest.TempPathFactory) -> str:
    folder: Path = tmp_path_factory.mktemp("examples")
    for shard in range(2):
        path = str(folder / f"transformed_examples-0000{shard}-of-00002.gz")
        with tf.io.TFRecordWriter(path, tf.io.TFRecordOptions(compression_type="GZIP")) as writer:
            for number in range(shard, _N, 2):
                writer.write(_example(number).SerializeToString())
    return f"{folder}/*"


def _example(number: int) -> tf.train.Example:
    """Return an example whose first token id is its number and whose first label is the number's parity."""
    length = int(_LENGTHS[number])
    ids = [number, *[7] * (length - 1)]
    # Ten tokens are the first text's, the others the second's.
    segments = [int(index >= 10) for index in range(length)]
    return tf.train.Example(
        features=tf.train.Features(
            feature={
                ID: tf.train.Feature(bytes_list=tf.train.BytesList(value=[b"r%d" % number])),
                TOKEN_IDS: tf.train.Feature(int64_list=tf.train.Int64List(value=ids)),
                SEGMENT_IDS: tf.train.Feature(int64_list=tf.train.Int64List(value=segments)),
                LABELS: tf.train.Feature(float_list=tf.train.FloatList(value=[number % 2, 1])),
            }
        )
    )


def _epoch(dataset: tf.data.Dataset) -> list[tuple[dict[str, np.ndarray], np.ndarray]]:
    return [({name: value.numpy() for name, value in inputs.items()}, labels.numpy()) for inputs, labels in dataset]


def test_counts_labels_over_all_files(pattern: str) -> None:
    counts = count_labels([pattern], 2)
    assert counts.examples == _N
    assert counts.positives.tolist() == [_N / 2, _N]
    even, always = counts.log_odds()
    assert even == pytest.approx(0.0)
    assert always == pytest.approx(np.log((_N + 0.5) / 0.5)), "finite although every example has the label"


def test_yields_each_example_once_with_its_labels(pattern: str) -> None:
    batches = _epoch(length_grouped_batches([pattern], 2, 32, shuffle_seed=0))
    numbers = np.concatenate([inputs["token_ids"][:, 0] for inputs, _ in batches])
    assert sorted(numbers) == list(range(_N))
    labels = np.concatenate([labels for _, labels in batches])
    np.testing.assert_array_equal(labels[:, 0], numbers % 2)
    for inputs, _ in batches:
        np.testing.assert_array_equal(inputs["padding_mask"].sum(axis=1), _LENGTHS[inputs["token_ids"][:, 0]])
        assert inputs["padding_mask"].sum(axis=1).max() == inputs["token_ids"].shape[1], "padded to its own longest"
        assert not inputs["token_ids"][inputs["padding_mask"] == 0].any()


def test_little_is_padding(pattern: str) -> None:
    def size(dataset: tf.data.Dataset) -> int:
        return sum(inputs["token_ids"].size for inputs, _ in _epoch(dataset))

    grouped = size(length_grouped_batches([pattern], 2, 32, shuffle_seed=0))
    assert grouped < 1.15 * _LENGTHS.sum()
    shuffled = np.random.default_rng(0).permutation(_LENGTHS)
    ungrouped = sum(32 * shuffled[start : start + 32].max() for start in range(0, _N, 32))
    assert ungrouped > 2.5 * grouped


def test_the_order_is_random_differs_by_epoch_and_depends_on_the_seed(pattern: str) -> None:
    def order(dataset: tf.data.Dataset) -> list[int]:
        return [int(number) for inputs, _ in _epoch(dataset) for number in inputs["token_ids"][:, 0]]

    dataset = length_grouped_batches([pattern], 2, 32, shuffle_seed=0)
    first, second = order(dataset), order(dataset)
    assert first != second
    assert order(length_grouped_batches([pattern], 2, 32, shuffle_seed=0)) == first
    assert order(length_grouped_batches([pattern], 2, 32, shuffle_seed=1)) != first
    lengths = [inputs["token_ids"].shape[1] for inputs, _ in _epoch(dataset)]
    assert np.abs(np.corrcoef(lengths, np.arange(len(lengths)))[0, 1]) < 0.3, "not from short to long"


def test_the_order_without_a_seed_is_always_the_same(pattern: str) -> None:
    dataset = length_grouped_batches([pattern], 2, 64)
    first, second = ([inputs["token_ids"][:, 0].tolist() for inputs, _ in _epoch(dataset)] for _ in range(2))
    assert first == second


def test_finds_the_ids_of_a_batch_by_its_number(pattern: str) -> None:
    dataset = length_grouped_batches([pattern], 2, 32, shuffle_seed=0).repeat()
    ids = [[f"r{number}" for number in inputs["token_ids"][:, 0].numpy()] for inputs, _ in dataset.take(130)]
    for batch in (0, 3, 124, 125, 129):  # an epoch has 125 batches
        id_batches = length_grouped_batches([pattern], 2, 32, shuffle_seed=0, yield_ids=True)
        assert ids_of_batch(id_batches, batch) == ids[batch]
    resumed = length_grouped_batches([pattern], 2, 32, shuffle_seed=0).repeat().skip(127).take(3)
    assert [[f"r{number}" for number in inputs["token_ids"][:, 0].numpy()] for inputs, _ in resumed] == ids[127:]


def test_segment_ids_stay_with_their_token_ids(pattern: str) -> None:
    batches = _epoch(length_grouped_batches([pattern], 2, 32, pair=True, shuffle_seed=0))
    assert sorted(np.concatenate([inputs["token_ids"][:, 0] for inputs, _ in batches])) == list(range(_N))
    for inputs, _ in batches:
        positions = np.arange(inputs["token_ids"].shape[1])
        np.testing.assert_array_equal(inputs["segment_ids"], (positions >= 10) & (inputs["padding_mask"] == 1))
        assert inputs["segment_ids"].dtype == np.int32


def test_pairs_have_the_order_of_single_texts(pattern: str) -> None:
    single_texts, pairs = (
        _epoch(length_grouped_batches([pattern], 2, 32, pair=pair, shuffle_seed=0)) for pair in (False, True)
    )
    for (single, _), (pair, _) in zip(single_texts, pairs, strict=True):
        np.testing.assert_array_equal(single["token_ids"], pair["token_ids"])
        assert not single["segment_ids"].any()


def test_single_texts_have_segment_ids_of_zero() -> None:
    token_ids = tf.ragged.constant([[2, 5, 3, 6, 3], [2, 3]], tf.int64)
    segment_ids = tf.ragged.constant([[0, 0, 0, 1, 1], [0, 0]], tf.int64)
    assert encoder_inputs(token_ids)["segment_ids"].numpy().tolist() == [[0] * 5] * 2
    assert encoder_inputs(token_ids, segment_ids)["segment_ids"].numpy().tolist() == [[0, 0, 0, 1, 1], [0] * 5]
