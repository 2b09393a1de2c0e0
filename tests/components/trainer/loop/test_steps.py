"""Training steps: the gradient is that of the mean over all examples of an update, however they are divided."""

from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
import tensorflow as tf

from components.checkpoints.find import find_checkpoint, load_backbone
from components.trainer.cpu import optimize_training_for_cpu
from components.trainer.loop.fit import fit
from components.trainer.loop.losses import multi_hot_loss
from components.trainer.loop.plan import Plan
from components.trainer.loop.steps import _pad, share_batches
from components.trainer.loop.training_loop import explain_out_of_memory
from components.trainer.model import build_classifier, plain_copy
from components.trainer.numerics import is_bfloat16_faster, use_precision
from components.trainer.settings import TrainingSettings
from tests.components.trainer.training_process import EXAMPLES, disable_dropout, examples
from tests.support.tiny_bert import write_tiny_bert


@pytest.fixture(scope="module")
def bert(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_tiny_bert(tmp_path_factory.mktemp("bert"))


def _fit(bert: Path, folder: Path, batch_size: int, precision: str = "float32", **training: Any) -> Any:
    keras.utils.set_random_seed(0)
    with use_precision(precision):
        model = build_classifier(load_backbone(find_checkpoint(str(bert))), 2, 0.1)
    disable_dropout(model)
    settings = TrainingSettings.model_validate(
        {"epochs": 2, "batch_size": batch_size, "learning_rate": 1e-2} | training
    )
    train, evaluation = examples(EXAMPLES).batch(batch_size), examples(16, shuffle=False).batch(16)
    with optimize_training_for_cpu(model, lambda: np.ones(model.backbone.vocabulary_size, bool), xla=settings.xla):
        fit(model, train, evaluation, settings, EXAMPLES, str(folder), loss=multi_hot_loss())
    return model


def test_two_accumulated_batches_equal_one_of_twice_the_size(bert: Path, tmp_path: Path) -> None:
    # Of 50 examples, the last update has one batch of two, as has the last of the larger batches.
    small = _fit(bert, tmp_path, 8, accumulate=2)
    large = _fit(bert, tmp_path, 16)
    assert int(small.optimizer.iterations.numpy()) == int(large.optimizer.iterations.numpy()) == 8
    for one, other in zip(small.get_weights(), large.get_weights(), strict=True):
        np.testing.assert_allclose(one, other, atol=1e-5)


def test_the_schedule_counts_updates() -> None:
    plan = Plan.of(TrainingSettings(epochs=3, batch_size=8, accumulate=4), 50)
    assert (plan.steps, plan.updates) == (21, 6)
    assert [batch for batch in range(7) if plan.ends_update(batch)] == [3, 6]
    assert [plan.update_of(step) for step in range(9)] == [0, 0, 0, 0, 1, 1, 1, 2, 2]
    trial = Plan.of(TrainingSettings(epochs=3, batch_size=8, accumulate=4, max_steps=10), 50)
    assert (trial.epochs, trial.steps, trial.updates) == (1, 10, 3)


def test_xla_gives_the_same_weights(bert: Path, tmp_path: Path) -> None:
    plain, compiled = (_fit(bert, tmp_path, 16, xla=xla, max_steps=3) for xla in (False, True))
    for one, other in zip(plain.get_weights(), compiled.get_weights(), strict=True):
        np.testing.assert_allclose(one, other, atol=1e-4)


def test_pads_to_few_lengths_for_xla() -> None:
    for length, expected in ((1, 32), (32, 32), (33, 50), (50, 50)):
        ids = tf.ones([2, length], tf.int32)
        assert _pad({"token_ids": ids}, 50)["token_ids"].shape == (2, expected)


def test_bfloat16_keeps_weights_loss_and_export_in_float32(bert: Path, tmp_path: Path) -> None:
    mixed = _fit(bert, tmp_path, 16, precision="bfloat16")
    assert mixed.backbone.compute_dtype == "bfloat16"
    assert {variable.dtype for variable in mixed.trainable_variables} == {"float32"}
    assert {variable.dtype for variable in mixed.optimizer.variables} == {"float32", "int64"}
    inputs, _ = next(iter(examples(16).batch(16)))
    assert mixed(inputs).dtype == tf.float32
    exact = _fit(bert, tmp_path, 16)
    for one, other in zip(mixed.get_weights(), exact.get_weights(), strict=True):
        assert np.abs(one - other).mean() < 0.02  # they changed by about 0.1
    plain = plain_copy(mixed)
    assert plain.backbone.compute_dtype == plain.dtype_policy.name == "float32"
    np.testing.assert_allclose(plain(inputs), mixed(inputs), atol=0.05)


def test_precision_is_set_and_restored(monkeypatch: pytest.MonkeyPatch) -> None:
    auto = "mixed_bfloat16" if is_bfloat16_faster() else "float32"
    for precision, policy in (("auto", auto), ("float32", "float32"), ("bfloat16", "mixed_bfloat16")):
        with use_precision(precision):
            assert keras.config.dtype_policy().name == policy
        assert keras.config.dtype_policy().name == "float32"
    monkeypatch.setattr("components.trainer.numerics._processor_flags", lambda: {"avx2"})
    assert not is_bfloat16_faster() or tf.config.list_physical_devices("GPU")


def test_a_single_replica_gets_whole_batches() -> None:
    batches = examples(EXAMPLES).batch(8)
    counts = [int(count) for _, _, count in share_batches(batches, tf.distribute.get_strategy())]
    assert counts == [8] * 6 + [2]


@pytest.mark.parametrize(
    "error", [MemoryError(), tf.errors.ResourceExhaustedError(None, None, "OOM\nwhen\nallocating")]
)
def test_out_of_memory_names_the_setting_to_lower(error: Exception) -> None:
    with pytest.raises(MemoryError, match=r"32 examples .* lower training.batch_size .* or max_tokens") as raised:  # noqa: SIM117
        with explain_out_of_memory(32):
            raise error
    assert "\n" not in str(raised.value)
