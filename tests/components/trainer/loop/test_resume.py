"""A training that is killed, and one that is run twice."""

import subprocess
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from components.trainer.loop.resume import Interruption, Progress, fingerprint
from tests.components.trainer.training_process import start
from tests.support.tiny_bert import write_tiny_bert

_TRAINING = {"epochs": 3, "learning_rate": 1e-2, "deterministic": True}


def _weights(folder: Path, name: str) -> list[Any]:
    return list(np.load(folder / f"{name}.npz").values())


def _ended(folder: Path, name: str, process: "subprocess.Popen[str]") -> str:
    status = process.wait(timeout=400)
    log = (folder / f"{name}.log").read_text()
    assert status == 0, log
    return log


@pytest.fixture(scope="module")
def uninterrupted(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with two trainings of the same, and one that was killed."""
    folder: Path = tmp_path_factory.mktemp("trained")
    bert = write_tiny_bert(folder / "bert")
    task: dict[str, Any] = {"training": _TRAINING | {"checkpoint_every": 4}, "resume": str(folder / "resume")}
    killed = start(folder, bert, "killed", **task, slow=1.0)
    twice = {name: start(folder, bert, name, training=_TRAINING) for name in ("first", "second")}
    state = folder / "resume" / "state.npz"
    try:
        # In the second of three epochs of seven batches.
        while not state.exists() or _step(state) < 8:
            assert killed.poll() is None, (folder / "killed.log").read_text()
            time.sleep(0.1)
    finally:
        killed.kill()
    killed.wait()
    for name, process in twice.items():
        _ended(folder, name, process)
    return folder


def _step(state: Path) -> int:
    return Interruption(str(state.parent), 1).read([]).step


def test_two_deterministic_trainings_are_one(uninterrupted: Path) -> None:
    first, second = (_weights(uninterrupted, name) for name in ("first", "second"))
    for one, other in zip(first, second, strict=True):
        np.testing.assert_array_equal(one, other)


def test_a_killed_training_goes_on_where_it_was_and_ends_the_same(uninterrupted: Path) -> None:
    step = _step(uninterrupted / "resume" / "state.npz")
    training = _TRAINING | {"checkpoint_every": 4}
    again = start(
        uninterrupted, uninterrupted / "bert", "again", training=training, resume=str(uninterrupted / "resume")
    )
    assert f"resuming after step {step} of 21" in _ended(uninterrupted, "again", again)
    for one, other in zip(_weights(uninterrupted, "first"), _weights(uninterrupted, "again"), strict=True):
        np.testing.assert_array_equal(one, other)
    histories = [(uninterrupted / name / "history.json").read_text() for name in ("first", "again")]
    assert histories[0] == histories[1], "also of the epochs before"
    assert not (uninterrupted / "resume").exists(), "removed after success"


class _Variable:
    def __init__(self, value: float) -> None:
        self.value = np.full(2, value)

    def assign(self, value: Any) -> None:
        self.value = value

    def __array__(self, dtype: Any = None, copy: Any = None) -> Any:
        return self.value


def test_state_is_kept_every_so_many_steps_by_one_process(tmp_path: Path) -> None:
    folder = str(tmp_path / "state")
    assert Interruption(folder, 5).read([]) == Progress()
    Interruption(folder, 5, writes=False).keep([_Variable(1.0)], Progress(step=5))
    Interruption(folder, 5).keep([_Variable(1.0)], Progress(step=4))
    assert not Path(folder).exists()
    progress = Progress(6, 1.5, 12.0, {"loss": [0.5], "val_loss": [0.25]}, 0, [np.ones(3)])
    keeping = Interruption(folder, 5)
    keeping.keep([_Variable(1.0)], progress)
    keeping.keep([_Variable(2.0)], Progress(step=10))
    read = _Variable(0.0)
    found = Interruption(folder, 5).read([read])
    np.testing.assert_array_equal(read.value, [1.0, 1.0])
    np.testing.assert_array_equal(found.best[0], np.ones(3))
    found.best = progress.best = []
    assert found == progress
    keeping.forget()
    assert not Path(folder).exists()


def test_what_other_killed_trainings_left_goes_with_the_state_of_one_that_ended(tmp_path: Path) -> None:
    own, other = (Interruption(str(tmp_path / fingerprint(seed=seed)), 1) for seed in (0, 1))
    for kept in (own, other):
        kept.keep([_Variable(1.0)], Progress(step=1))
    (tmp_path / "notes").mkdir()
    own.forget()
    assert [path.name for path in tmp_path.iterdir()] == ["notes"], "what is no training's is not ours to remove"


def test_another_training_has_another_fingerprint() -> None:
    assert fingerprint(a=1, b=[2]) == fingerprint(b=[2], a=1) != fingerprint(a=1, b=[3])
