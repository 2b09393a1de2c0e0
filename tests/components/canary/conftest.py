"""One model for all tests of the canary: of pairs of texts, and trained in bfloat16, where most could go wrong."""

from pathlib import Path

import pytest

from components.trainer.settings import TrainerConfig, TrainingSettings
from tests.components.trainer.exported import export
from tests.components.trainer.test_export_pairs import transformed
from tests.support.tiny_bert import write_tiny_bert


@pytest.fixture(scope="package")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the Model artifact that the Trainer's real `run_fn` writes."""
    root = tmp_path_factory.mktemp("trained")
    bert = write_tiny_bert(root / "bert")
    config = TrainerConfig(
        training=TrainingSettings(epochs=1, batch_size=8, precision="bfloat16"),
        checkpoint=str(bert),
        checkpoint_fingerprint="f",
    )
    export(root, transformed(root / "transformed", bert, pair=True), config)
    (root / "model").rename(root / "Format-Serving")
    return root
