"""The exported model: prediction by length, decision scores, and the order of predicted labels."""

from pathlib import Path
from typing import Any

import keras
import keras_hub
import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given, settings
from hypothesis import strategies as st

from components.checkpoints.find import find_checkpoint, load_backbone
from components.checkpoints.pooling import Pooling
from components.preprocessing import features as transformed
from components.trainer.decision_scores import decision_scores, obey_implications
from components.trainer.export import _labels_above, export_classifier
from components.trainer.input_pipeline import encoder_inputs
from components.trainer.model import build_classifier, plain_copy
from components.trainer.serving_classifier import ServingClassifier, keras_weights
from tests.support.tiny_bert import write_tiny_bert


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Any:
    folder: Path = write_tiny_bert(tmp_path_factory.mktemp("bert"))
    keras.utils.set_random_seed(0)
    return build_classifier(load_backbone(find_checkpoint(str(folder))), n_labels=3, dropout=0.1)


def test_requests_of_any_size_have_the_models_probabilities_in_their_own_order(model: Any) -> None:
    model = plain_copy(model)
    model.layers[-1].kernel.assign(np.random.default_rng(1).normal(0, 1, (16, 3)))
    serve = tf.function(ServingClassifier(model), input_signature=[tf.RaggedTensorSpec([None, None], tf.int64, 1)])
    rng = np.random.default_rng(0)
    # One text, one chunk, several chunks of texts of different lengths.
    for n_rows, longest in ((0, 0), (1, 30), (1, 0), (33, 28), (300, 60)):
        rows = [[2, *rng.integers(5, 20, rng.integers(0, longest + 1)), 3] for _ in range(n_rows)]
        ragged = tf.RaggedTensor.from_row_lengths(
            tf.constant([token for row in rows for token in row], tf.int64),
            tf.constant([len(row) for row in rows], tf.int64),
        )
        probabilities = serve(ragged)
        assert probabilities.shape == (n_rows, 3)
        if rows:
            expected = tf.sigmoid(model(encoder_inputs(ragged), training=False))
            np.testing.assert_allclose(probabilities, expected, atol=1e-5)


@pytest.mark.parametrize("n_heads", [2, 1])
def test_an_export_keeps_every_weight_of_its_model(model: Any, n_heads: int) -> None:
    if n_heads == 1:  # which cannot be halved
        backbone = keras_hub.models.BertBackbone(**model.backbone.get_config() | {"num_heads": 1})
        model = build_classifier(backbone, n_labels=3, dropout=0.1)
    rng = np.random.default_rng(0)
    weights = [rng.normal(0, 1, weight.shape).astype(np.float32) for weight in model.get_weights()]
    model = plain_copy(model)
    model.set_weights(weights)
    classifier = ServingClassifier(model)
    found = keras_weights(classifier.variables, n_heads)
    assert found is not None
    for weight, expected in zip(found, weights, strict=True):
        np.testing.assert_array_equal(weight, expected)
    ids = tf.RaggedTensor.from_row_lengths(tf.constant([2, 7, 8, 3, 2, 3], tf.int64), tf.constant([4, 2], tf.int64))
    expected = tf.sigmoid(model(encoder_inputs(ids), training=False))
    np.testing.assert_allclose(tf.function(classifier)(ids), expected, atol=1e-5)


@pytest.mark.parametrize("pooling", ["mean", "max", "attention"])
def test_an_export_pools_as_its_model(model: Any, pooling: Pooling) -> None:
    model = build_classifier(type(model.backbone).from_config(model.backbone.get_config()), 3, 0.1, pooling)
    rng = np.random.default_rng(0)
    weights = [rng.normal(0, 0.5, weight.shape).astype(np.float32) for weight in model.get_weights()]
    model.set_weights(weights)
    model = plain_copy(model)
    classifier = ServingClassifier(model)
    found = keras_weights(classifier.variables, 2)
    assert found is not None
    n_unused = 0
    for weight, expected in zip(found, weights, strict=True):
        assert weight.shape == expected.shape
        n_unused += not np.array_equal(weight, expected)
    assert n_unused == 2, "the pooler is not exported"
    rows = [[2, *rng.integers(5, 20, length), 3] for length in (3, 0, 9)]
    ids = tf.ragged.constant(rows, tf.int64)
    expected = tf.sigmoid(model(encoder_inputs(ids), training=False))
    np.testing.assert_allclose(tf.function(classifier)(ids), expected, atol=1e-5)


@settings(deadline=None, max_examples=50)
@given(
    st.lists(st.floats(0, 1, width=32), min_size=2, max_size=20),
    st.floats(2**-13, 1 - 2**-13, width=32),
)
def test_decision_scores_keep_the_order_and_map_the_threshold_to_one_half(
    values: list[float], threshold: float
) -> None:
    just_above = np.nextafter(np.float32(threshold), np.float32(1))
    probabilities = np.sort(np.array([*values, threshold, just_above], np.float32))[:, np.newaxis]
    scores = decision_scores(tf.constant(probabilities), tf.constant([threshold], tf.float32)).numpy()
    assert ((scores >= 0) & (scores <= 1)).all()
    assert (np.diff(scores[:, 0]) >= 0).all()
    np.testing.assert_array_equal(scores > 0.5, probabilities > np.float32(threshold))


@settings(deadline=None, max_examples=100)
@given(
    st.lists(st.tuples(*[st.floats(0, 1, width=32)] * 4), min_size=1, max_size=30),
    st.tuples(*[st.floats(2**-13, 1, width=32)] * 4),
)
def test_no_label_is_above_its_threshold_without_those_that_it_implies(
    rows: list[tuple[float, ...]], limits: tuple[float, ...]
) -> None:
    ancestors = {1: (0,), 2: (0, 1)}
    probabilities, thresholds = np.array(rows, np.float32), np.array(limits, np.float32)
    obeying = obey_implications(tf.constant(probabilities), thresholds, ancestors).numpy()
    before, after = probabilities > thresholds, obeying > thresholds
    expected = before.copy()
    expected[:, 1] &= before[:, 0]
    expected[:, 2] &= before[:, 0] & before[:, 1]
    np.testing.assert_array_equal(after, expected)
    np.testing.assert_array_equal(obeying[:, [0, 3]], probabilities[:, [0, 3]])
    assert (obeying <= probabilities).all()
    assert (obeying >= 0).all()
    scores = decision_scores(tf.constant(obeying), tf.constant(thresholds)).numpy()
    np.testing.assert_array_equal(scores > 0.5, after)
    assert obey_implications(probabilities, thresholds, {}) is probabilities


def test_predicted_labels_come_first_in_descending_order() -> None:
    probabilities = tf.constant([[0.3, 0.9, 0.2], [0.1, 0.1, 0.1]])
    thresholds = tf.constant([0.25, 0.5, 0.4])
    labels = _labels_above(probabilities, thresholds, tf.constant(["a", "b", "c"])).numpy()
    assert labels.tolist() == [[b"b", b"a", b""], [b"", b"", b""]]


class WordsAreIds(tf.Module):  # type: ignore[misc]
    """Stub of the transform graph, for texts that are lists of token ids."""

    def __call__(self, features: dict[str, tf.Tensor]) -> dict[str, tf.Tensor]:
        words = tf.strings.split(tf.squeeze(features["text"], axis=1))
        ids = tf.strings.to_number(words, tf.int64).to_sparse()
        return {transformed.TOKEN_IDS: ids, transformed.LABELS: tf.zeros([ids.dense_shape[0], 3])}

    def transform_features_layer(self) -> "WordsAreIds":
        return self

    def transformed_feature_spec(self) -> dict[str, Any]:
        return {transformed.TOKEN_IDS: tf.io.VarLenFeature(tf.int64)}

    def raw_feature_spec(self) -> dict[str, Any]:
        return {"text": tf.io.FixedLenFeature([1], tf.string), "labels": tf.io.VarLenFeature(tf.string)}


def test_a_retired_label_is_never_predicted_and_does_not_affect_the_others(model: Any, tmp_path: Path) -> None:
    model.layers[-1].bias.assign([3.0, 9.0, 2.0])
    exports: list[tuple[str, list[float], list[int]]] = [
        ("all", [0.5, 0.5, 0.5], []),
        ("retired", [0.5, 1.0, 0.5], [1]),
    ]
    for name, thresholds, retired in exports:
        export_classifier(
            model,
            WordsAreIds(),
            ["a", "b", "c"],
            np.array(thresholds, np.float32),
            str(tmp_path / name),
            retired=retired,
        )
    texts = tf.constant(["2 7 3", "2 8 9 3"])
    examples = tf.constant([
        tf.train.Example(features=tf.train.Features(feature={
            "text": tf.train.Feature(bytes_list=tf.train.BytesList(value=[text.encode()]))
        })).SerializeToString()
        for text in ("2 7 3", "2 8 9 3")
    ])  # fmt: skip
    weights = 4 * sum(np.prod(weight.shape) for weight in model.weights)
    assert (tmp_path / "all/variables/variables.data-00000-of-00001").stat().st_size < 1.2 * weights  # stored once
    all_labels, one_retired = (tf.saved_model.load(str(tmp_path / name)).signatures for name in ("all", "retired"))
    served = one_retired["serve_text"](texts=texts)
    probabilities = served["probabilities"].numpy()
    assert (probabilities[:, 1] == 0).all()
    np.testing.assert_array_equal(
        probabilities[:, [0, 2]], all_labels["serve_text"](texts=texts)["probabilities"].numpy()[:, [0, 2]]
    )
    assert served["labels"].numpy().tolist() == [[b"a", b"c", b""]] * 2
    np.testing.assert_array_equal(one_retired["serving_default"](examples=examples)["probabilities"], probabilities)
    scores, expected = (
        model["evaluation"](examples=examples)["decision_scores"].numpy() for model in (one_retired, all_labels)
    )
    assert (scores[:, 1] == 0).all()
    np.testing.assert_array_equal(scores[:, [0, 2]], expected[:, [0, 2]])
