"""Run Transform's executor on a few rows; check its output, and its graph in another process."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
import tensorflow as tf
import tensorflow_transform as tft

from components.preprocessing import features
from components.preprocessing.preprocessing import multi_hot
from schema import features as raw
from tests.components.preprocessing.conftest import uncased_vocabulary, uncased_vocabulary_path
from tests.components.preprocessing.reference import GoogleTokenizer, google_pair
from tests.components.preprocessing.texts import HARD
from tests.components.preprocessing.transform import Row, run_transform, transformed_examples

LABELS = ("anger", "joy", "sadness")
ROWS = [
    ("row-1", "Hello there, WORLD…", ["joy", "anger"]),
    ("row-2", "", []),
    ("row-3", "[MASK] İstanbul 你好", ["anger", "anger"]),
    ("row-4", "word " * 200, ["unheard of", "sadness"]),
]
# In the last pair but one, the second text leaves its share to the first; in the last, both are truncated.
PAIRS = ["A question? Maybe…", "Only the second", "", "word " * 3]
MAX_TOKENS = 16
TOKENIZER = {"vocabulary": str(uncased_vocabulary_path()), "lower_case": True, "max_tokens": MAX_TOKENS}


def truncated_ids(texts: list[str]) -> list[list[int]]:
    reference = GoogleTokenizer(uncased_vocabulary(), lower_case=True)
    whole = [reference.ids(text) for text in texts]
    return [[*row[:-1][: MAX_TOKENS - 1], row[-1]] for row in whole]


# === Transform ===


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with `graph` and `examples`, written by Transform's executor."""
    rows = [{raw.ID: [id_], raw.TEXT: [text], raw.LABELS: labels} for id_, text, labels in ROWS]
    return run_transform(tmp_path_factory.mktemp("transform"), rows, LABELS, TOKENIZER)


@pytest.fixture(scope="module")
def examples(root: Path) -> tf.Tensor:
    return transformed_examples(root)


def test_transformed_examples_have_unpadded_ids_and_multi_hot_labels(examples: tf.Tensor) -> None:
    spec = {
        features.TOKEN_IDS: tf.io.RaggedFeature(tf.int64),
        features.LABELS: tf.io.FixedLenFeature([len(LABELS)], tf.float32),
        features.ID: tf.io.FixedLenFeature([], tf.string),
    }
    parsed = tf.io.parse_example(examples, spec)
    assert parsed[features.TOKEN_IDS].to_list() == truncated_ids([text for _, text, _ in ROWS])
    assert parsed[features.LABELS].numpy().tolist() == [[1, 1, 0], [0, 0, 0], [1, 0, 0], [0, 0, 1]]
    assert parsed[features.ID].numpy().tolist() == [b"row-1", b"row-2", b"row-3", b"row-4"]


def test_transforms_feature_spec_reads_the_same(root: Path, examples: tf.Tensor) -> None:
    parsed = tf.io.parse_example(examples, tft.TFTransformOutput(str(root / "graph")).transformed_feature_spec())
    assert set(parsed) == {features.TOKEN_IDS, features.LABELS, features.ID}
    ragged = tf.RaggedTensor.from_sparse(parsed[features.TOKEN_IDS])
    assert ragged.to_list() == truncated_ids([text for _, text, _ in ROWS])


# === Pairs ===


@pytest.fixture(scope="module", params=["head", "head_tail"])
def pair_root(tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest) -> tuple[str, Path]:
    """Return the truncation, and a folder like `root` with the same rows and a second text each."""
    rows = [
        {raw.ID: [id_], raw.TEXT: [text], raw.TEXT_PAIR: [pair], raw.LABELS: labels}
        for (id_, text, labels), pair in zip(ROWS, PAIRS, strict=True)
    ]
    settings = {**TOKENIZER, "truncation": request.param}
    return request.param, run_transform(tmp_path_factory.mktemp("transform"), rows, LABELS, settings, pair=True)


def test_transformed_pairs_have_segment_ids(pair_root: tuple[str, Path]) -> None:
    truncation, root = pair_root
    spec = tft.TFTransformOutput(str(root / "graph")).transformed_feature_spec()
    assert spec[features.SEGMENT_IDS] == tf.io.VarLenFeature(tf.int64)
    parsed = tf.io.parse_example(transformed_examples(root), spec)
    token_ids, segment_ids = (
        tf.RaggedTensor.from_sparse(parsed[name]).to_list() for name in (features.TOKEN_IDS, features.SEGMENT_IDS)
    )
    reference = GoogleTokenizer(uncased_vocabulary(), lower_case=True)
    expected = [
        google_pair(reference.ids(text), reference.ids(pair), MAX_TOKENS, truncation)
        for (_, text, _), pair in zip(ROWS, PAIRS, strict=True)
    ]
    assert list(zip(token_ids, segment_ids, strict=True)) == expected
    assert parsed[features.LABELS].numpy().tolist() == [[1, 1, 0], [0, 0, 0], [1, 0, 0], [0, 0, 1]]


def test_the_graph_returns_the_same_ids_for_the_texts_of_pairs_alone(pair_root: tuple[str, Path]) -> None:
    _, root = pair_root
    output = tft.TFTransformOutput(str(root / "graph"))
    served = output.transform_features_layer()({
        raw.TEXT: tf.constant([[text] for _, text, _ in ROWS]), raw.TEXT_PAIR: tf.constant([[pair] for pair in PAIRS])
    })  # fmt: skip
    transformed = tf.io.parse_example(transformed_examples(root), output.transformed_feature_spec())
    assert set(served) == {features.TOKEN_IDS, features.SEGMENT_IDS}
    for name, values in served.items():
        assert tf.sparse.to_dense(values).numpy().tolist() == tf.sparse.to_dense(transformed[name]).numpy().tolist()


# === The graph in another process ===

_SERVE = """
import json, sys
import tensorflow as tf
import tensorflow_text
served = tf.saved_model.load(sys.argv[1]).signatures["serving_default"]
ids = [served(tf.constant([text]))["ids"].numpy()[0].tolist() for text in json.load(sys.stdin)]
assert not {"components", "keras", "tensorflow_transform", "tfx"} & set(sys.modules), "needs other packages"
print(json.dumps(ids))
"""


def test_a_fresh_process_serves_the_same_ids_for_texts_alone(root: Path, tmp_path: Path) -> None:
    module = tf.Module()
    module.layer = layer = tft.TFTransformOutput(str(root / "graph")).transform_features_layer()

    def serve(texts: tf.Tensor) -> dict[str, tf.Tensor]:
        transformed = layer({raw.TEXT: texts[:, tf.newaxis]})
        assert set(transformed) == {features.TOKEN_IDS}
        return {"ids": tf.sparse.to_dense(transformed[features.TOKEN_IDS])}

    signature = tf.function(serve, input_signature=[tf.TensorSpec([None], tf.string)])
    tf.saved_model.save(module, str(tmp_path / "served"), signatures=signature)
    texts = list(HARD.values())
    process = subprocess.run(
        [sys.executable, "-I", "-c", _SERVE, str(tmp_path / "served")],
        input=json.dumps(texts),
        capture_output=True,
        text=True,
        check=False,
    )
    assert process.returncode == 0, process.stderr
    assert json.loads(process.stdout) == truncated_ids(texts)


# === Labels ===


def sparse(rows: list[list[str]]) -> tf.SparseTensor:
    return tf.ragged.constant(rows, tf.string, ragged_rank=1).to_sparse()


def test_elements_follow_the_order_of_the_label_list() -> None:
    rows = sparse([["joy"], ["anger", "joy"], []])
    assert multi_hot(rows, ("joy", "anger")).numpy().tolist() == [[1, 0], [1, 1], [0, 0]]
    assert multi_hot(rows, ("anger", "joy")).numpy().tolist() == [[0, 1], [1, 1], [0, 0]]


def test_counts_repeated_labels_once_and_ignores_unknown_ones() -> None:
    assert multi_hot(sparse([["joy", "joy", "?"], ["?"]]), ("joy",)).numpy().tolist() == [[1], [0]]


def test_the_element_of_a_retired_label_is_0() -> None:
    rows = sparse([["joy", "anger"], ["joy"], []])
    assert multi_hot(rows, ("joy", "anger"), ("joy",)).numpy().tolist() == [[0, 1], [0, 0], [0, 0]]


def test_rows_without_labels_are_zeros() -> None:
    vectors = multi_hot(sparse([[], []]), LABELS)
    assert vectors.dtype == tf.float32
    assert vectors.numpy().tolist() == [[0, 0, 0], [0, 0, 0]]


# === Unknown and soft labels ===


@pytest.mark.parametrize("occur", [True, False])
def test_unknown_labels_are_minus_one_and_soft_ones_their_scores(tmp_path: Path, occur: bool) -> None:
    silent: Row = {raw.UNKNOWN_LABELS: ["anger", "joy"]} if occur else {}
    soft: Row = {raw.SOFT_LABELS: ["sadness", "joy"], raw.SOFT_SCORES: [0.25, 0.75]} if occur else {}
    rows: list[Row] = [
        {raw.ID: ["1"], raw.TEXT: ["a text"], raw.LABELS: ["joy"], raw.TEXT_LENGTH: [6], **silent, **soft},
        {raw.ID: ["2"], raw.TEXT: ["another"], raw.LABELS: [], raw.TEXT_LENGTH: [7]},
    ]
    root = run_transform(tmp_path, rows, LABELS, TOKENIZER, partial=True)
    parsed = tf.io.parse_example(
        transformed_examples(root),
        {features.LABELS: tf.io.FixedLenFeature([3], tf.float32), features.ID: tf.io.FixedLenFeature([], tf.string)},
    )
    labels = dict(zip(parsed[features.ID].numpy().tolist(), parsed[features.LABELS].numpy().tolist(), strict=True))
    assert labels == {b"1": [-1.0, 0.75, 0.25] if occur else [0.0, 1.0, 0.0], b"2": [0.0, 0.0, 0.0]}
