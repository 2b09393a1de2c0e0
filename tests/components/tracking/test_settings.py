"""Settings of tracking: no password in an address, and a client that is installed."""

import importlib.util
from pathlib import Path

import pytest

from components.tracking.settings import MlflowSettings, TrackingSettings, check_client
from pipeline.config.loading import load_configuration
from schema.errors import Refused
from tests.support.small_project import make_project


def test_refuses_a_password_without_repeating_it() -> None:
    with pytest.raises(ValueError, match="MLFLOW_TRACKING_PASSWORD") as refused:
        MlflowSettings(uri="https://me:swordfish@mlflow.example.com")
    assert "holds a user or password" in str(refused.value)


def test_a_configuration_with_a_password_is_refused_without_repeating_it(tmp_path: Path) -> None:
    project = make_project(tmp_path / "project", rows=4)
    with pytest.raises(Refused, match=r"tracking\.mlflow\.uri") as refused:
        load_configuration(project.configuration, ["tracking.mlflow={uri: 'https://me:swordfish@host'}"])
    assert "swordfish" not in str(refused.value)


def test_a_relative_folder_is_below_the_configuration(tmp_path: Path) -> None:
    project = make_project(tmp_path / "project", rows=4)
    project.configure(tracking={"mlflow": {"uri": "mlruns"}})
    mlflow = load_configuration(project.configuration).tracking.mlflow
    assert mlflow is not None
    assert mlflow.uri == str(project.folder / "mlruns")


def test_refuses_a_run_if_the_client_is_not_installed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda _: None)
    check_client(TrackingSettings())
    with pytest.raises(Refused, match=r"install it with the extra"):
        check_client(TrackingSettings(mlflow=MlflowSettings(uri="mlruns")))
