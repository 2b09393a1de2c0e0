"""The ONNX graph gives the probabilities of the classifier that it is built of, to 1e-5."""

from typing import Any

import numpy as np
import onnx
import onnxruntime
import pytest
import tensorflow as tf

from components.checkpoints.architecture import Architecture
from components.checkpoints.backbone import build_backbone
from components.trainer.bfloat16_classifier import BFloat16Classifier
from components.trainer.decision_scores import obey_implications
from components.trainer.input_pipeline import encoder_inputs
from components.trainer.model import build_classifier
from components.trainer.serving_classifier import ServingClassifier
from components.variants.onnx_graph import OPSET, build_graph, finish_graph
from components.variants.onnx_maker import _quantize, _weights

_SIZE: dict[str, Any] = {
    "vocabulary_size": 50, "layers": 2, "heads": 2, "hidden": 16, "intermediate": 32, "positions": 32
}  # fmt: skip
_ARCHITECTURES = {
    "bert": Architecture(**_SIZE, segments=2),
    "bert of Google's later code": Architecture(**_SIZE, segments=2, activation="gelu_tanh", epsilon=1e-6),
    "distilbert": Architecture(**_SIZE, segments=0, family="distilbert"),
    "electra": Architecture(**_SIZE, segments=2, family="electra", embedding=8),
    "one layer": Architecture(**_SIZE | {"layers": 1}, segments=2, activation="relu"),
}
_ROWS = tf.ragged.constant([[2, 5, 7, 9, 3], [2, 3], [2, *range(10, 39), 3]], tf.int64)


def classifier(architecture: Architecture) -> Any:
    model = build_classifier(build_backbone(architecture), 4, 0.1)
    rng = np.random.default_rng(0)
    model.set_weights([rng.normal(0, 0.3, np.shape(each)).astype(np.float32) for each in model.get_weights()])
    return model


def run(graph: onnx.ModelProto, rows: tf.RaggedTensor = _ROWS) -> Any:
    onnx.checker.check_model(graph, full_check=True)
    session = onnxruntime.InferenceSession(graph.SerializeToString(), providers=["CPUExecutionProvider"])
    mask = tf.ones_like(rows).to_tensor().numpy()
    (probabilities,) = session.run(None, {"input_ids": rows.to_tensor().numpy(), "attention_mask": mask})
    return probabilities


@pytest.mark.parametrize("name", list(_ARCHITECTURES))
def test_gives_the_probabilities_of_the_classifier(name: str) -> None:
    architecture = _ARCHITECTURES[name]
    model = classifier(architecture)
    graph = build_graph(architecture, _weights(model), retired=[2])
    assert [(each.domain, each.version) for each in graph.opset_import] == [("", OPSET)]
    expected = ServingClassifier(model)(_ROWS).numpy() * [1, 1, 0, 1]
    np.testing.assert_allclose(run(graph), expected, atol=1e-5)


@pytest.mark.parametrize("pooling", ["mean", "max", "attention"])
def test_pools_the_outputs_of_all_tokens_and_of_no_padding(pooling: str) -> None:
    architecture = _ARCHITECTURES["bert"]
    model = classifier(architecture)
    query = np.random.default_rng(2).normal(0, 0.5, architecture.hidden).astype(np.float32)
    weights = _weights(model) | {"pool/query": query}
    outputs = [
        model.backbone(encoder_inputs(_ROWS[row : row + 1]), training=False)["sequence_output"][0].numpy()
        for row in range(_ROWS.nrows())
    ]
    attention = [np.exp(each @ query) / np.exp(each @ query).sum() for each in outputs]
    pooled = {
        "mean": [each.mean(axis=0) for each in outputs],
        "max": [each.max(axis=0) for each in outputs],
        "attention": [shares @ each for shares, each in zip(attention, outputs, strict=True)],
    }[pooling]
    expected = 1 / (1 + np.exp(-(np.stack(pooled) @ weights["head/kernel"] + weights["head/bias"])))
    np.testing.assert_allclose(run(build_graph(architecture, weights, pooling=pooling)), expected, atol=1e-5)


def test_int8_is_a_quarter_as_large_and_close() -> None:
    architecture = Architecture(**_SIZE | {"vocabulary_size": 2000, "hidden": 128, "intermediate": 512}, segments=2)
    model = classifier(architecture)
    # Weights as small as trained ones, so that probabilities are not all 0 and 1.
    model.set_weights([0.1 * each for each in model.get_weights()])
    graph = build_graph(architecture, _weights(model))
    quantized = _quantize(graph)
    assert quantized.ByteSize() < 0.3 * graph.ByteSize()
    np.testing.assert_allclose(run(quantized), run(graph), atol=0.05)


def test_bfloat16_is_half_as_large_and_close() -> None:
    model = classifier(_ARCHITECTURES["electra"])
    full, half = ServingClassifier(model), BFloat16Classifier(model)
    np.testing.assert_allclose(half(_ROWS), full(_ROWS), atol=0.05)
    names = {variable.name for variable in half.variables if variable.dtype == tf.bfloat16}
    assert {"words:0", "head/kernel:0", "projection/kernel:0", "layers/0/heads/1/output:0"} <= names
    assert [variable.name for variable in half.variables] == [variable.name for variable in full.variables]


def test_implications_are_obeyed_as_in_the_saved_model() -> None:
    architecture = _ARCHITECTURES["bert"]
    graph = build_graph(architecture, _weights(classifier(architecture)))
    rng = np.random.default_rng(1)
    rows = tf.RaggedTensor.from_tensor(tf.constant(rng.integers(5, 50, [500, 8])))
    own = run(graph, rows)
    thresholds, ancestors = np.median(own, axis=0), {0: [1, 2], 1: [2]}
    obeying = run(finish_graph(graph, thresholds, ancestors), rows)
    np.testing.assert_allclose(obeying, obey_implications(tf.constant(own), thresholds, ancestors), atol=1e-6)
    given = obeying > thresholds
    assert ((own > thresholds)[:, 0] & ~given[:, 0]).any()
    assert not (given[:, 0] & ~(given[:, 1] & given[:, 2])).any()
    assert not (given[:, 1] & ~given[:, 2]).any()
    assert finish_graph(graph, thresholds, {}) == graph
