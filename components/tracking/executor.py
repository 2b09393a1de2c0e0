"""Executor of Tracking."""

import json
import logging
from typing import Any

from tfx import types
from tfx.dsl.components.base import base_executor
from tfx.types import artifact_utils
from tfx.utils import path_utils

from components.common.files import remove_folder
from components.common.progress import LASTING, PROGRESS
from components.tracking.mlflow_run import Sources, log_run
from components.tracking.settings import MlflowSettings

Artifacts = dict[str, list[types.Artifact]]


class Executor(base_executor.BaseExecutor):  # type: ignore[misc]
    """Logs a run to MLflow, or reports in one line why it could not.

    The model is pushed by now, and whether a tracker can be reached says nothing about it, so a failure fails nothing.
    The output's folder is removed then: TFX takes only outputs that exist from its cache, so the next run of the same
    pipeline tries again.
    """

    def Do(  # noqa: N802 - TFX's name
        self, input_dict: Artifacts, output_dict: Artifacts, exec_properties: dict[str, Any]
    ) -> None:
        uris = {key: artifact_utils.get_single_uri(artifacts) for key, artifacts in input_dict.items()}
        folder = artifact_utils.get_single_uri(output_dict["tracked"])
        settings = MlflowSettings.model_validate_json(exec_properties["settings"])
        sources = Sources(
            pipeline=exec_properties["pipeline"],
            hyper_parameters=json.loads(exec_properties["hyper_parameters"]),
            model_dir=path_utils.serving_model_path(uris["model"]),
            model_run=uris["model_run"],
            report=uris["report"],
            texts=bool(exec_properties["texts"]),
        )
        try:
            tracked = log_run(settings, sources)
        except Exception as error:  # whatever the client or a server may raise
            logging.getLogger(__name__).warning("MLflow", exc_info=True)
            (reason, *_) = str(error).strip().splitlines() or [type(error).__name__]
            PROGRESS.warning("not logged to MLflow at %s: %s", settings.uri, reason, extra=LASTING)
            remove_folder(folder)
            return
        tracked.write(folder)
        PROGRESS.info("logged to MLflow at %s, run %s", tracked.uri, tracked.run_id, extra=LASTING)
