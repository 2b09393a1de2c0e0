"""Frozen layers do not change, and trained layers learn at their own rates."""

import json
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
import tensorflow as tf
from pydantic import ValidationError

from components.checkpoints.find import find_checkpoint, load_backbone
from components.trainer.loop.fit import fit
from components.trainer.loop.losses import multi_hot_loss
from components.trainer.loop.optimizer import FusedAdamW, build_optimizer
from components.trainer.loop.plan import Plan
from components.trainer.loop.settings import Trainable
from components.trainer.loop.trainable import freeze, rate_factors
from components.trainer.model import build_classifier
from components.trainer.settings import TrainingSettings
from schema.errors import Refused
from tests.support.tiny_bert import VOCABULARY, write_tiny_bert

_LAYERS = 2


@pytest.fixture(scope="module")
def bert(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_tiny_bert(tmp_path_factory.mktemp("bert"))


def _build(bert: Path, dropout: float = 0.1) -> Any:
    keras.utils.set_random_seed(0)
    return build_classifier(load_backbone(find_checkpoint(str(bert))), 3, dropout)


def _batches() -> tf.data.Dataset:
    rng = np.random.default_rng(0)
    ids = rng.integers(5, len(VOCABULARY), (48, 6)).astype(np.int32)
    inputs = {"token_ids": ids, "padding_mask": np.ones_like(ids), "segment_ids": ids % 2}
    labels = (rng.random((48, 3)) < 0.5).astype(np.float32)
    return tf.data.Dataset.from_tensor_slices((inputs, labels)).batch(16)


def _part(path: str) -> str:
    first = path.split("/")[0]
    return "embeddings" if "embedding" in first else first


@pytest.mark.parametrize(
    ("trainable", "changed"),
    [
        ("all", {"embeddings", "transformer_layer_0", "transformer_layer_1", "pooled_dense", "logits"}),
        (2, {"transformer_layer_0", "transformer_layer_1", "pooled_dense", "logits"}),
        (1, {"transformer_layer_1", "pooled_dense", "logits"}),
        ("head", {"logits"}),
    ],
)
def test_only_trained_layers_change(bert: Path, tmp_path: Path, trainable: Trainable, changed: set[str]) -> None:
    model = _build(bert)
    freeze(model, trainable)
    before = {v.path: v.numpy() for v in model.variables if "seed" not in v.path}
    settings = TrainingSettings(epochs=1, batch_size=16, learning_rate=1e-2, trainable=trainable)
    fit(model, _batches(), _batches(), settings, 48, str(tmp_path), loss=multi_hot_loss())
    for variable in model.variables:
        if variable.path in before:
            is_unchanged = np.array_equal(variable.numpy(), before[variable.path])
            assert is_unchanged == (_part(variable.path) not in changed), variable.path


def test_frozen_layers_have_no_dropout(bert: Path) -> None:
    model = _build(bert, dropout=0.0)
    inputs, _ = next(iter(_batches()))
    freeze(model, "head")
    np.testing.assert_array_equal(model(inputs, training=True), model(inputs, training=False))
    top_trained = _build(bert, dropout=0.0)
    freeze(top_trained, 1)
    difference = top_trained(inputs, training=True) - top_trained(inputs, training=False)
    assert np.abs(difference).max() > 1e-3, "the top layer has dropout"


def test_computes_no_gradient_of_a_frozen_layer(bert: Path) -> None:
    """Counts the operations of backpropagation through attention that survive TensorFlow's pruning."""

    def count_attention_gradients(trainable: Trainable) -> int:
        model = _build(bert)
        freeze(model, trainable)
        inputs, labels = next(iter(_batches()))

        def gradients(inputs: Any, labels: Any) -> Any:
            with tf.GradientTape() as tape:
                loss = multi_hot_loss()(labels, model(inputs, training=True))
            return tape.gradient(loss, [v.value for v in model.trainable_variables])

        graph = tf.function(gradients).get_concrete_function(inputs, labels).graph
        outputs = [output.op.name for output in graph.outputs]
        pruned = tf.compat.v1.graph_util.extract_sub_graph(graph.as_graph_def(), outputs)
        return sum(node.name.startswith("gradient") and "attention" in node.name for node in pruned.node)

    head, top, everything = (count_attention_gradients(trainable) for trainable in ("head", 1, "all"))
    assert head == 0
    assert 0 < top <= everything / 2


def test_refuses_more_layers_than_the_encoder_has_in_one_line(bert: Path) -> None:
    with pytest.raises(Refused, match=r"training.trainable': 3, but the checkpoint has 2 encoder layers") as refused:
        freeze(_build(bert), 3)
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize("value", ["top", 0, -1, 1.5, True, None])
def test_refuses_an_unknown_value_of_trainable(value: Any) -> None:
    with pytest.raises(ValidationError, match="write all, head, or a number of encoder layers") as refused:
        TrainingSettings.model_validate({"trainable": value})
    assert refused.value.error_count() == 1


def test_refuses_a_decay_over_layers_that_are_not_trained() -> None:
    with pytest.raises(ValidationError, match="leave one of them out"):
        TrainingSettings(trainable="head", layer_decay=0.9)


def test_the_default_learning_rate_depends_on_what_is_trained() -> None:
    assert TrainingSettings().peak_learning_rate == TrainingSettings(trainable=2).peak_learning_rate == 1e-4
    assert TrainingSettings(trainable="head").peak_learning_rate == 1e-2
    assert TrainingSettings(trainable="head", learning_rate=0.5).peak_learning_rate == 0.5


def test_each_layer_has_its_own_rate(bert: Path) -> None:
    model = _build(bert)
    factors = rate_factors(model, 0.5)
    expected = {"embeddings": 1 / 8, "transformer_layer_0": 1 / 4, "transformer_layer_1": 1 / 2}
    for variable in model.trainable_variables:
        part = _part(variable.path)
        assert factors.get(variable.path) == expected.get(part), variable.path
    assert rate_factors(model, 1.0) == {}
    freeze(model, 1)
    assert {_part(path) for path in rate_factors(model, 0.5)} == {"transformer_layer_1"}


def test_the_optimizer_moves_each_variable_at_its_rate(bert: Path) -> None:
    """With a constant gradient, each step of Adam is the learning rate in its direction, plus the weight decay."""
    model = _build(bert)
    settings = TrainingSettings(learning_rate=1e-3, warmup=0.0, layer_decay=0.5, weight_decay=0.1)
    optimizer = build_optimizer(settings, Plan(1, 100_000, 1), rate_factors(model, settings.layer_decay))
    variables = model.trainable_variables
    before = [variable.numpy() for variable in variables]
    optimizer.build(variables)
    apply = tf.function(lambda gradients: optimizer.apply(gradients, variables))
    for _ in range(8):
        apply([tf.ones_like(value) for value in before])
    factors = rate_factors(model, 0.5)
    for variable, old in zip(variables, before, strict=True):
        rate = 1e-3 * factors.get(variable.path, 1.0)
        decay = 0.0 if variable.path.rsplit("/", 1)[-1] in ("bias", "gamma", "beta") else 0.1
        # The gradient of ones is clipped, so epsilon affects the fourth digit of a step.
        np.testing.assert_allclose(variable.numpy() - old, -8 * rate * (1 + decay * old), rtol=5e-3, atol=2e-6)


def test_factors_of_one_change_nothing() -> None:
    rng = np.random.default_rng(0)
    initial, gradients = rng.normal(size=(4, 3)).astype(np.float32), rng.normal(size=(10, 4, 3)).astype(np.float32)
    results = []
    for factors in (None, {"another": 0.1}):
        variable = keras.Variable(initial, name="kernel")
        optimizer = FusedAdamW(1e-2, weight_decay=0.1, epsilon=1e-6, rate_factors=factors)
        for gradient in gradients:
            optimizer.apply_gradients([(tf.constant(gradient), variable)])
        results.append(variable.numpy())
    np.testing.assert_allclose(results[0], results[1], atol=1e-7)


def test_factors_are_part_of_the_optimizers_configuration() -> None:
    optimizer = FusedAdamW(1e-2, rate_factors={"a/kernel": 0.5})
    config = json.loads(json.dumps(optimizer.get_config()))
    assert FusedAdamW.from_config(config).get_config()["rate_factors"] == {"a/kernel": 0.5}
