"""The encoder layer for training gives KerasHub's own outputs and gradients."""

from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
import tensorflow as tf

from components.checkpoints.find import find_checkpoint, load_backbone
from components.trainer.cpu.encoder_layer import TrainingEncoderLayer, make_quick
from components.trainer.cpu.operations import compiled_gelu, exact_gelu
from components.trainer.hardware import arithmetic
from components.trainer.input_pipeline import encoder_inputs
from components.trainer.model import build_classifier, plain_copy
from tests.support.tiny_bert import write_tiny_bert

_TEXTS = tf.ragged.constant([[2, 5, 6, 3], [2, 7, 3], [2, 8, 9, 10, 11, 12, 3]])


@pytest.fixture(scope="module")
def bert(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_tiny_bert(tmp_path_factory.mktemp("bert"))


def _outputs_and_gradients(model: Any) -> list[np.ndarray]:
    with tf.GradientTape() as tape:
        logits = model(encoder_inputs(_TEXTS), training=False)
        loss = tf.reduce_sum(tf.cos(logits))
    gradients = tape.gradient(loss, [variable.value for variable in model.trainable_variables])
    return [logits.numpy(), *(tf.convert_to_tensor(each).numpy() for each in gradients)]


@pytest.mark.parametrize(("precision", "tolerance"), [("float32", 1e-5), ("bfloat16", 0.05)])
def test_outputs_and_gradients_are_those_of_kerashub(bert: Path, precision: str, tolerance: float) -> None:
    with arithmetic("float32"):
        expected = _outputs_and_gradients(build_classifier(load_backbone(find_checkpoint(str(bert))), 3, 0.1))
    with arithmetic(precision):
        model = build_classifier(load_backbone(find_checkpoint(str(bert))), 3, 0.1)
    # The new head is drawn at random.
    reference = build_classifier(load_backbone(find_checkpoint(str(bert))), 3, 0.1)
    reference.set_weights(model.get_weights())
    expected = _outputs_and_gradients(reference)
    make_quick(model)
    assert all(type(layer) is TrainingEncoderLayer for layer in model.backbone.transformer_layers)
    for own, other in zip(_outputs_and_gradients(model), expected, strict=True):
        np.testing.assert_allclose(own, other, atol=tolerance * max(1.0, float(np.abs(other).max())))


def test_dropout_drops_while_training_only(bert: Path) -> None:
    keras.utils.set_random_seed(1)
    model = build_classifier(load_backbone(find_checkpoint(str(bert))), 3, 0.0)
    make_quick(model)
    inputs = encoder_inputs(_TEXTS)
    first, second = (model(inputs, training=True).numpy() for _ in range(2))
    assert np.abs(first - second).max() > 1e-3
    np.testing.assert_array_equal(model(inputs, training=False).numpy(), model(inputs, training=False).numpy())


def test_what_is_exported_has_neither_layer_nor_xla(bert: Path) -> None:
    model = build_classifier(load_backbone(find_checkpoint(str(bert))), 3, 0.1)
    make_quick(model)
    dense = model.backbone.transformer_layers[0]._feedforward_intermediate_dense
    assert dense.activation is compiled_gelu
    copy = plain_copy(model)
    layer = copy.backbone.transformer_layers[0]
    assert type(layer) is not TrainingEncoderLayer
    assert layer._feedforward_intermediate_dense.activation is exact_gelu
    np.testing.assert_allclose(copy(encoder_inputs(_TEXTS)).numpy(), model(encoder_inputs(_TEXTS)).numpy(), atol=1e-5)


@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
@pytest.mark.parametrize("shape", [[1, 8], [3, 50, 8], [2, 64, 8]])
def test_the_compiled_gelu_is_the_exact_one(dtype: str, shape: list[int]) -> None:
    values = tf.cast(tf.constant(np.random.default_rng(0).normal(0, 2, shape), tf.float32), dtype)
    found = []
    for function in (exact_gelu, compiled_gelu):
        with tf.GradientTape() as tape:
            tape.watch(values)
            outputs = function(values)
            loss = tf.reduce_sum(tf.cast(outputs, tf.float32) ** 2)
        found.append([tf.cast(each, tf.float32).numpy() for each in (outputs, tape.gradient(loss, values))])
    for one, other in zip(*found, strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-5 if dtype == "float32" else 1e-2, atol=1e-5)
