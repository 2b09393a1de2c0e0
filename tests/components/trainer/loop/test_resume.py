"""Resuming a killed training, and repeating a deterministic one."""

import subprocess
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from components.trainer.loop.history import History
from components.trainer.loop.resume import Progress, TrainingState, fingerprint
from tests.components.trainer.training_process import start
from tests.support.tiny_bert import write_tiny_bert

_TRAINING = {"epochs": 3, "learning_rate": 1e-2, "deterministic": True}


def _weights(folder: Path, name: str) -> list[Any]:
    return list(np.load(folder / f"{name}.npz").values())


def _wait(folder: Path, name: str, process: "subprocess.Popen[str]") -> str:
    """Wait for a training to end and return its log."""
    status = process.wait(timeout=400)
    log = (folder / f"{name}.log").read_text()
    assert status == 0, log
    return log


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with two equal trainings and one that was killed."""
    folder: Path = tmp_path_factory.mktemp("trained")
    bert = write_tiny_bert(folder / "bert")
    task: dict[str, Any] = {"training": _TRAINING | {"checkpoint_every": 4}, "resume": str(folder / "resume")}
    killed = start(folder, bert, "killed", **task, slow=1.0)
    uninterrupted = {name: start(folder, bert, name, training=_TRAINING) for name in ("first", "second")}
    # A window holds the longest text.
    windows = {"size": 12, "stride": 5, "pool": "attention"}
    uninterrupted["windows"] = start(folder, bert, "windows", training=_TRAINING, windows=windows)
    state = folder / "resume" / "state.npz"
    try:
        # Until the second of three epochs of seven batches.
        while not state.exists() or _saved_step(state) < 8:
            assert killed.poll() is None, (folder / "killed.log").read_text()
            time.sleep(0.1)
    finally:
        killed.kill()
    killed.wait()
    for name, process in uninterrupted.items():
        _wait(folder, name, process)
    return folder


def _saved_step(state: Path) -> int:
    return TrainingState(str(state.parent), 1).restore([]).step


def test_two_deterministic_trainings_are_equal(trained: Path) -> None:
    first, second = (_weights(trained, name) for name in ("first", "second"))
    for one, other in zip(first, second, strict=True):
        np.testing.assert_array_equal(one, other)


def test_texts_that_fit_one_window_train_to_the_same_weights_as_without_windows(trained: Path) -> None:
    *weights, scores = _weights(trained, "windows")
    for one, other in zip(_weights(trained, "first"), weights, strict=True):
        np.testing.assert_array_equal(one, other)
    assert not scores.any(), "of one window, which has all the weight"


def test_a_killed_training_resumes_and_ends_with_the_same_weights(trained: Path) -> None:
    step = _saved_step(trained / "resume" / "state.npz")
    training = _TRAINING | {"checkpoint_every": 4}
    resumed = start(trained, trained / "bert", "resumed", training=training, resume=str(trained / "resume"))
    assert f"resuming after step {step} of 21" in _wait(trained, "resumed", resumed)
    for one, other in zip(_weights(trained, "first"), _weights(trained, "resumed"), strict=True):
        np.testing.assert_array_equal(one, other)
    histories = [(trained / name / "history.json").read_text() for name in ("first", "resumed")]
    assert histories[0] == histories[1], "including the epochs before it was killed"
    assert not (trained / "resume").exists(), "deleted when the training has ended"


class _Variable:
    def __init__(self, value: float, shape: tuple[int, ...] = (2,)) -> None:
        self.value = np.full(shape, value)
        self.shape = shape

    def assign(self, value: Any) -> None:
        self.value = value

    def __array__(self, dtype: Any = None, copy: Any = None) -> Any:
        return self.value


def test_state_is_saved_every_few_steps_by_one_process(tmp_path: Path) -> None:
    folder = str(tmp_path / "state")
    assert TrainingState(folder, 5).restore([]) == Progress()
    TrainingState(folder, 5, is_writer=False).save_if_due([_Variable(1.0)], Progress(step=5))
    TrainingState(folder, 5).save_if_due([_Variable(1.0)], Progress(step=4))
    assert not Path(folder).exists()
    progress = Progress(6, 1.5, 12.0, History(loss=[0.5], val_loss=[0.25]), 0, [np.ones(3)])
    state = TrainingState(folder, 5)
    state.save_if_due([_Variable(1.0)], progress)
    state.save_if_due([_Variable(2.0)], Progress(step=10))
    variable = _Variable(0.0)
    restored = TrainingState(folder, 5).restore([variable])
    np.testing.assert_array_equal(variable.value, [1.0, 1.0])
    np.testing.assert_array_equal(restored.best[0], np.ones(3))
    restored.best = progress.best = []
    assert restored == progress
    state.delete()
    assert not Path(folder).exists()


@pytest.mark.parametrize("damage", ["truncated", "zeroed", "flipped", "of another model", "text"])
def test_training_begins_anew_if_its_state_is_damaged(
    tmp_path: Path, damage: str, caplog: pytest.LogCaptureFixture
) -> None:
    folder = str(tmp_path / "state")
    shape = (3,) if damage == "of another model" else (2,)
    TrainingState(folder, 1).save_if_due([_Variable(1.0, shape), _Variable(2.0)], Progress(step=1))
    path = tmp_path / "state" / "state.npz"
    content = bytearray(path.read_bytes())
    if damage == "truncated":
        content = content[: len(content) // 2]
    elif damage == "zeroed":
        content = bytearray(len(content))
    elif damage == "flipped":
        content[content.index(np.float64(2.0).tobytes()) + 6] ^= 1
    elif damage == "text":
        content = bytearray(b"not a state")
    path.write_bytes(content)
    variables = [_Variable(0.0), _Variable(0.0)]
    assert TrainingState(folder, 1).restore(variables) == Progress()
    for variable in variables:
        np.testing.assert_array_equal(variable.value, [0.0, 0.0])
    assert "state.npz: is damaged (" in caplog.text
    assert "; training begins anew" in caplog.text


def test_restores_a_state_of_an_earlier_version() -> None:
    summary = (
        '{"step": 6, "loss": 1.5, "examples": 12.0, "history": {"loss": [0.5], "val_loss": [0.25]}, "waited": 1, '
        '"best": [null, null]}'
    )
    progress = Progress.from_summary(summary, {"best_0": np.zeros(1), "best_1": np.ones(1)})
    assert (progress.step, progress.history, progress.waited) == (6, History(loss=[0.5], val_loss=[0.25]), 1)
    assert [float(weight[0]) for weight in progress.best] == [0.0, 1.0]


def test_states_of_other_killed_trainings_are_deleted_with_the_own_one(tmp_path: Path) -> None:
    own, other = (TrainingState(str(tmp_path / fingerprint(seed=seed)), 1) for seed in (0, 1))
    for state in (own, other):
        state.save_if_due([_Variable(1.0)], Progress(step=1))
    (tmp_path / "notes").mkdir()
    own.delete()
    assert [path.name for path in tmp_path.iterdir()] == ["notes"], "other folders are kept"


def test_another_training_has_another_fingerprint() -> None:
    assert fingerprint(a=1, b=[2]) == fingerprint(b=[2], a=1) != fingerprint(a=1, b=[3])
