"""Sharing batches over devices of a process and over processes gives the weights of training alone."""

import json
import socket
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf

from components.trainer.loop.distribution import choose_strategy
from components.trainer.loop.event_files import read_scalars
from components.trainer.loop.history import History
from components.trainer.settings import TrainingSettings
from schema.errors import Refused
from tests.components.trainer.training_process import start
from tests.support.tiny_bert import write_tiny_bert

# Seven batches per epoch, the last of two examples; accumulated in pairs, the last update has one batch.
_TRAINING = {"epochs": 2, "learning_rate": 1e-2, "accumulate": 2, "average_epochs": 0.5}


def _free_port() -> int:
    with socket.socket() as free:
        free.bind(("localhost", 0))
        return int(free.getsockname()[1])


def _labels_of_samples(folder: Path) -> list[list[str]]:
    """Return text and labels of each row of the last table of eval texts."""
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
    from tensorboard.util.tensor_util import make_ndarray

    *_, last = EventAccumulator(str(folder)).Reload().Tensors("eval_texts")
    table = make_ndarray(last.tensor_proto).item().decode()
    return [line.split(" | ")[:2] for line in table.splitlines()[2:]]


def _gradient_norms(folder: Path) -> list[float]:
    return [norm for _, norm in read_scalars(str(folder / "train"))["gradient_norm"]]


def test_weights_do_not_depend_on_how_batches_are_shared(tmp_path: Path) -> None:
    bert = write_tiny_bert(tmp_path / "bert")
    cluster = {"worker": [f"localhost:{_free_port()}" for _ in range(2)]}
    processes = {
        "alone": start(tmp_path, bert, "alone", training=_TRAINING, dropout=False),
        "mirrored": start(
            tmp_path, bert, "mirrored", training=_TRAINING | {"strategy": "mirrored"}, dropout=False, cpus=2
        ),
    } | {
        f"worker{index}": start(
            tmp_path, bert, f"worker{index}", training=_TRAINING, dropout=False,
            tf_config={"cluster": cluster, "task": {"type": "worker", "index": index}},
        )
        for index in range(2)
    }  # fmt: skip
    logs = {}
    try:
        for name, process in processes.items():
            status = process.wait(timeout=400)
            logs[name] = (tmp_path / f"{name}.log").read_text()
            assert status == 0, logs[name]
    finally:
        for process in processes.values():
            process.kill()
    assert "replicas 1 chief True" in logs["alone"]
    assert "replicas 2 chief True" in logs["mirrored"]
    assert "replicas 2 chief True" in logs["worker0"]
    assert "replicas 2 chief False" in logs["worker1"]
    assert (tmp_path / "worker0" / "history.json").exists()
    for name in ("mirrored", "worker0"):
        # The eval split has 16 and 4 examples a batch, of which each replica predicts a share.
        shared, alone = (History.read(str(tmp_path / each)) for each in (name, "alone"))
        np.testing.assert_allclose(shared.val_loss, alone.val_loss, rtol=1e-3)
        np.testing.assert_allclose(shared.val_macro_f1, alone.val_macro_f1, rtol=1e-6)
        assert _labels_of_samples(tmp_path / name) == _labels_of_samples(tmp_path / "alone"), "rows are in order"
        norms, norms_alone = (_gradient_norms(tmp_path / each) for each in (name, "alone"))
        assert norms == pytest.approx(norms_alone, rel=1e-3)
    assert not (tmp_path / "worker1").exists(), "only the chief writes files"
    assert "epoch 1 of 2" not in logs["worker1"]
    weights = {name: list(np.load(tmp_path / f"{name}.npz").values()) for name in processes}
    for name in ("mirrored", "worker0", "worker1"):
        for expected, shared in zip(weights["alone"], weights[name], strict=True):
            np.testing.assert_allclose(shared, expected, atol=1e-5, err_msg=name)  # they changed by about 0.1
    for first, second in zip(weights["worker0"], weights["worker1"], strict=True):
        np.testing.assert_array_equal(first, second)


@pytest.mark.parametrize("tf_config", ["", "{}", '{"cluster": {"worker": ["localhost:1"]}}'])
def test_a_single_worker_trains_alone(monkeypatch: pytest.MonkeyPatch, tf_config: str) -> None:
    monkeypatch.setenv("TF_CONFIG", tf_config)
    assert choose_strategy(TrainingSettings()).num_replicas_in_sync == 1


@pytest.mark.parametrize(
    ("tf_config", "message"), [("", "TF_CONFIG names no worker"), ("{", "TF_CONFIG is not"), ("[]", "TF_CONFIG is not")]
)
def test_refuses_multi_worker_without_workers(monkeypatch: pytest.MonkeyPatch, tf_config: str, message: str) -> None:
    monkeypatch.setenv("TF_CONFIG", tf_config)
    with pytest.raises(Refused, match=message):
        choose_strategy(TrainingSettings(strategy="multi_worker"))


def test_refuses_workers_after_tensorflow_was_used(monkeypatch: pytest.MonkeyPatch) -> None:
    tf.constant(0) + 1
    cluster = {"worker": [f"localhost:{_free_port()}" for _ in range(2)]}
    monkeypatch.setenv("TF_CONFIG", json.dumps({"cluster": cluster, "task": {"type": "worker", "index": 0}}))
    with pytest.raises(Refused, match="TensorFlow is in use in this process already"):
        choose_strategy(TrainingSettings())
