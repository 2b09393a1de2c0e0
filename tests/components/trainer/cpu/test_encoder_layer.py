"""The encoder layer for training computes KerasHub's own outputs and gradients."""

from pathlib import Path
from typing import Any

import keras
import keras_hub
import numpy as np
import pytest
import tensorflow as tf

from components.checkpoints.find import find_checkpoint, load_backbone
from components.trainer.cpu.encoder_layer import TrainingEncoderLayer, quick_encoder_layers
from components.trainer.cpu.gelu import compiled_gelu, exact_gelu
from components.trainer.input_pipeline import encoder_inputs
from components.trainer.model import build_classifier, plain_copy
from components.trainer.numerics import use_precision
from tests.support.tiny_bert import write_tiny_bert

_TEXTS = tf.ragged.constant([[2, 5, 6, 3], [2, 7, 3], [2, 8, 9, 10, 11, 12, 3]])


@pytest.fixture(scope="module")
def bert(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_tiny_bert(tmp_path_factory.mktemp("bert"))


def _build(bert: Path, dropout: float = 0.1) -> Any:
    return build_classifier(load_backbone(find_checkpoint(str(bert))), 3, dropout)


def _outputs_and_gradients(model: Any) -> list[np.ndarray]:
    with tf.GradientTape() as tape:
        logits = model(encoder_inputs(_TEXTS), training=False)
        loss = tf.reduce_sum(tf.cos(logits))
    gradients = tape.gradient(loss, [variable.value for variable in model.trainable_variables])
    return [logits.numpy(), *(tf.convert_to_tensor(each).numpy() for each in gradients)]


@pytest.mark.parametrize(("precision", "tolerance"), [("float32", 1e-5), ("bfloat16", 0.05)])
def test_outputs_and_gradients_equal_kerashub(bert: Path, precision: str, tolerance: float) -> None:
    with use_precision(precision):
        model = _build(bert)
    reference = _build(bert)
    # The weights of a new head are random.
    reference.set_weights(model.get_weights())
    expected = _outputs_and_gradients(reference)
    with quick_encoder_layers(model):
        assert all(type(layer) is TrainingEncoderLayer for layer in model.backbone.transformer_layers)
        results = _outputs_and_gradients(model)
    for own, other in zip(results, expected, strict=True):
        np.testing.assert_allclose(own, other, atol=tolerance * max(1.0, float(np.abs(other).max())))


def test_dropout_drops_in_training_only(bert: Path) -> None:
    keras.utils.set_random_seed(1)
    model = _build(bert, dropout=0.0)
    inputs = encoder_inputs(_TEXTS)
    with quick_encoder_layers(model):
        first, second = (model(inputs, training=True).numpy() for _ in range(2))
        assert np.abs(first - second).max() > 1e-3
        np.testing.assert_array_equal(model(inputs, training=False).numpy(), model(inputs, training=False).numpy())


def test_an_exported_model_has_neither_the_layer_nor_xla(bert: Path) -> None:
    model = _build(bert)
    dense = model.backbone.transformer_layers[0]._feedforward_intermediate_dense
    with quick_encoder_layers(model):
        assert dense.activation is compiled_gelu
        expected = model(encoder_inputs(_TEXTS)).numpy()
    assert dense.activation is exact_gelu
    assert all(type(layer) is keras_hub.layers.TransformerEncoder for layer in model.backbone.transformer_layers)
    copy = plain_copy(model)
    layer = copy.backbone.transformer_layers[0]
    assert type(layer) is not TrainingEncoderLayer
    assert layer._feedforward_intermediate_dense.activation is exact_gelu
    np.testing.assert_allclose(copy(encoder_inputs(_TEXTS)).numpy(), expected, atol=1e-5)
