"""One model for all tests of the canary."""

from pathlib import Path

import pytest

from tests.components.trainer.exported import trained_on_pairs


@pytest.fixture(scope="session")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the Model artifact that the Trainer's real `run_fn` writes."""
    return trained_on_pairs(tmp_path_factory)
