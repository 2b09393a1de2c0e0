"""Reading of the Trainer's event files, history and calibration."""

import json
from pathlib import Path

import pytest

from components.report.views.training import read_training, training_charts


@pytest.fixture
def model_run(tmp_path: Path) -> Path:
    import tensorflow as tf

    (tmp_path / "history.json").write_text(json.dumps({"loss": [0.5, 0.3], "val_loss": [0.4, 0.35]}))
    writer = tf.summary.create_file_writer(str(tmp_path / "train"))
    # Keras's TensorBoard callback switches recording off, and leaves it off where a test interrupted its training.
    with writer.as_default(), tf.summary.record_if(True):
        for step, loss in ((50, 0.6), (100, 0.5)):
            tf.summary.scalar("batch_loss", loss, step=step)
        tf.summary.scalar("epoch_learning_rate", 0.1, step=1)
    writer.close()
    return tmp_path


def test_reads_losses_by_epoch_and_by_step(model_run: Path) -> None:
    training = read_training(str(model_run))
    assert training is not None
    assert (training.losses, training.eval_losses) == ([0.5, 0.3], [0.4, 0.35])
    assert [step for step, _ in training.steps] == [50, 100]
    assert [loss for _, loss in training.steps] == pytest.approx([0.6, 0.5])
    assert training.calibration is None


def test_reads_a_truncated_event_file_up_to_its_last_whole_record(model_run: Path) -> None:
    (events,) = (model_run / "train").glob("events.*")
    events.write_bytes(events.read_bytes()[:-10])
    training = read_training(str(model_run))
    assert training is not None
    assert len(training.steps) == 2


def test_returns_none_during_a_training(tmp_path: Path) -> None:
    assert read_training(str(tmp_path)) is None


def test_reads_calibration_and_ignores_that_of_another_version(model_run: Path) -> None:
    bins = [{"from": 0.0, "to": 0.1, "examples": 9, "probability": 0.04, "frequency": 0.0}]
    content = {"method": "platt", "expected_calibration_error": {"before": 0.04}, "reliability": {"before": bins}}
    (model_run / "calibration.json").write_text(json.dumps(content))
    training = read_training(str(model_run))
    assert training is not None
    assert training.calibration is not None
    assert training.calibration.error == {"before": 0.04}
    assert training.calibration.reliability["before"][0].probability == 0.04
    (model_run / "calibration.json").write_text('{"of": "another version"}')
    training = read_training(str(model_run))
    assert training is not None
    assert training.calibration is None


def test_marks_the_epoch_whose_weights_were_kept(tmp_path: Path) -> None:
    history = {"loss": [0.5, 0.3, 0.2], "val_loss": [0.4, 0.35, 0.36], "val_macro_f1": [0.2, 0.4, 0.5]}
    (tmp_path / "history.json").write_text(json.dumps(history))
    loss, macro_f1 = training_charts(read_training(str(tmp_path)), None)
    for each in (loss, macro_f1):
        assert each.caption.endswith("the dashed line is epoch 2, whose weights were kept")
        assert each.svg.count('class="cut"') == 1


def test_training_charts_of_an_earlier_version_have_losses_only(tmp_path: Path) -> None:
    (tmp_path / "history.json").write_text(json.dumps({"loss": [0.5], "val_loss": [0.4]}))
    (loss,) = training_charts(read_training(str(tmp_path)), 10)
    assert loss.caption.startswith("Loss by epoch")
    assert training_charts(None, None) == []
