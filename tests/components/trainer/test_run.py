"""`run_fn` as TFX calls it: failures, resuming, and warm starts."""

import logging
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from safetensors.numpy import load_file, save_file

from components.registry import ModelRecord, push
from components.trainer import run
from components.trainer.settings import TrainerConfig, TrainingSettings, WarmStart
from components.trainer.start import find_start
from tests.components.trainer.exported import export
from tests.components.trainer.pair_rows import PAIRS, transformed


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return transformed(tmp_path_factory, pair=False)


@pytest.fixture(scope="module")
def bert(root: Path) -> Path:
    return root / "bert"


def _train(
    folder: Path,
    root: Path,
    bert: Path,
    *,
    resume_dir: Path | None = None,
    start: WarmStart | None = None,
    **training: Any,
) -> Path:
    """Train and export a model; return its directory."""
    config = TrainerConfig(
        training=TrainingSettings.model_validate({"epochs": 1, "batch_size": 8} | training),
        checkpoint=str(bert),
        checkpoint_fingerprint="f",
        resume_dir=str(resume_dir) if resume_dir else None,
        start=start,
    )
    return export(folder, root, config)


def test_a_loss_that_is_not_a_number_is_reported_with_step_rate_and_rows_and_nothing_exported(
    tmp_path: Path, root: Path, bert: Path
) -> None:
    damaged = tmp_path / "damaged"
    shutil.copytree(bert, damaged)
    weights = load_file(damaged / "model.safetensors")
    weights["pooler.dense.bias"] = np.full_like(weights["pooler.dense.bias"], np.nan)
    save_file(weights, damaged / "model.safetensors", metadata={"format": "pt"})
    with pytest.raises(FloatingPointError, match=r"at step 1 \(learning rate \S+, rows ") as raised:
        _train(tmp_path, root, damaged)
    assert "\n" not in str(raised.value)
    rows = str(raised.value).split("rows ")[1].split(")")[0].split(", ")
    assert len(set(rows)) == 8
    assert set(rows) <= {str(number) for number in range(len(PAIRS))}
    assert not (tmp_path / "model").exists()


def test_a_training_whose_export_failed_resumes_from_its_last_state(
    tmp_path: Path, root: Path, bert: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def fail(*_: Any, **__: Any) -> None:
        raise OSError("no space left")

    resume_dir = tmp_path / "resume"
    with monkeypatch.context() as patched, caplog.at_level(logging.INFO):
        patched.setattr(run, "export_classifier", fail)
        for folder, seed in (("", 0), ("other", 1)):
            with pytest.raises(OSError, match="no space left"):
                _train(tmp_path / folder, root, bert, resume_dir=resume_dir, checkpoint_every=3, seed=seed)
    # A different training does not find the state and leaves it alone until a training has ended.
    assert "resuming" not in caplog.text
    assert len(list(resume_dir.iterdir())) == 2
    with caplog.at_level(logging.INFO):
        model = _train(tmp_path / "resumed", root, bert, resume_dir=resume_dir, checkpoint_every=4)
    assert "resuming after step 9 of 10" in caplog.text
    assert f"tensorboard --logdir {tmp_path / 'resumed' / 'run'}" in caplog.text
    assert (model / "saved_model.pb").exists()
    assert not list(resume_dir.iterdir())


def test_a_warm_start_starts_from_the_pushed_model(
    tmp_path: Path, root: Path, bert: Path, caplog: pytest.LogCaptureFixture
) -> None:
    registry = str(tmp_path / "registry")
    with caplog.at_level(logging.INFO):
        first = _train(tmp_path / "first", root, bert, warm_start=True, start=find_start(registry))
        assert f"starting from checkpoint {bert}: there is no blessed model yet" in caplog.text
        record = ModelRecord.read(str(first))
        assert record.started_from is None
        version = push(str(first), registry, record)
        second = _train(tmp_path / "second", root, bert, warm_start=True, start=find_start(registry))
        assert f"starting from {version.path}" in caplog.text
    assert ModelRecord.read(str(second)).started_from == str(version.number)
