"""Executor of VertexPush."""

from typing import Any

from absl import logging
from tfx import types
from tfx.dsl.components.base import base_executor
from tfx.types import artifact_utils

from components.pusher.push_result import PushResult
from components.vertex_push.settings import VertexPushSettings, VertexTarget
from components.vertex_push.upload_result import UploadResult

PUSHED_MODEL_KEY = "pushed_model"
VERTEX_MODEL_KEY = "vertex_model"

Artifacts = dict[str, list[types.Artifact]]


class Executor(base_executor.BaseExecutor):  # type: ignore[misc]
    """Uploads a version of the registry and deploys it; keeps what an earlier try has already created."""

    def Do(  # noqa: N802 - TFX's name
        self, input_dict: Artifacts, output_dict: Artifacts, exec_properties: dict[str, Any]
    ) -> None:
        vertex_model = artifact_utils.get_single_instance(output_dict[VERTEX_MODEL_KEY])
        pushed = PushResult.read(artifact_utils.get_single_instance(input_dict[PUSHED_MODEL_KEY]).uri)
        result = UploadResult()
        if pushed.path is not None and pushed.number is not None:
            settings = VertexPushSettings.model_validate_json(exec_properties["settings"])
            target = VertexTarget.model_validate_json(exec_properties["target"])
            result = _push(settings, target, pushed.number, pushed.path, exec_properties["serving_root"])
        result.write(vertex_model.uri)
        vertex_model.set_int_custom_property("pushed", int(result.model is not None))
        if result.model is not None:
            vertex_model.set_string_custom_property("pushed_destination", result.model)
            logging.info("The model is %s in Vertex AI, served by %s.", result.model, result.endpoint or "no endpoint")


def _push(
    settings: VertexPushSettings, target: VertexTarget, number: int, path: str, serving_root: str
) -> UploadResult:
    from components.vertex_push.upload import deploy, find_version, upload, version_name

    model = find_version(settings, target, number) or upload(settings, target, number, path, serving_root)
    endpoint = deploy(settings, target, model) if settings.endpoint else None
    return UploadResult(model=version_name(model), endpoint=endpoint)
