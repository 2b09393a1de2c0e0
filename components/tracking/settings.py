"""The `tracking` section of the configuration. Free of TensorFlow and of MLflow."""

import importlib.util
from urllib.parse import urlsplit

from pydantic import Field, PositiveInt, field_validator

from components.common.settings import Settings
from schema.errors import Refused

_CLIENT = "mlflow"


class MlflowSettings(Settings):
    """MLflow, which gets a run's hyper-parameters, curves, metrics and files. It decides nothing."""

    uri: str = Field(
        min_length=1,
        description="Tracking server, http:// or https://, another address that MLflow knows, or a folder (its file "
        "store). User and password or a token belong in MLflow's own environment variables, not here.",
    )
    experiment: str | None = Field(
        None, min_length=1, description="Experiment, created if it is missing; null: the pipeline's name."
    )
    model: bool = Field(
        False,
        description="Upload the exported model too, 100 MB for the default checkpoint; otherwise the run's tag "
        "`pushed` says where it is.",
    )
    timeout_s: PositiveInt = Field(30, description="Seconds to wait for each answer of the server.")
    retries: int = Field(2, ge=0, le=10, description="Further tries of a request.")

    @field_validator("uri", mode="before")
    @classmethod
    def _has_no_password(cls, value: object) -> object:
        # Before the field is validated, since its own errors would show the value.
        if isinstance(value, str) and "@" in urlsplit(value).netloc:
            raise ValueError(
                "holds a user or password, which artifacts and logs would show; set MLFLOW_TRACKING_USERNAME and"
                " MLFLOW_TRACKING_PASSWORD instead"
            )
        return value


class TrackingSettings(Settings):
    """Trackers of experiments that each run is logged to."""

    mlflow: MlflowSettings | None = Field(None, description="MLflow; null: not used.")


def check_client(settings: TrackingSettings) -> None:
    """Check that the client of a configured tracker is installed, without importing it.

    Raises:
        Refused: It is not.
    """
    if settings.mlflow is not None and importlib.util.find_spec(_CLIENT) is None:
        raise Refused(
            "tracking.mlflow is set, but MLflow's client is not installed: install it with the extra, '.[mlflow]', or "
            "remove the key"
        )
