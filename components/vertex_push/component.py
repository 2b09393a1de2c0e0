"""Hands a model that was pushed to the registry on to Vertex AI: its Model Registry, and an endpoint.

TFX's own Pusher for Vertex AI (tfx.v1.extensions.google_cloud_ai_platform) pushes there instead of to the registry, and
makes another model of each push, named by the second, and so of each retry.
"""

from typing import Any, ClassVar

from absl import logging
from tfx import types
from tfx.dsl.components.base import base_component, base_executor, executor_spec
from tfx.types import artifact_utils, component_spec, standard_artifacts

from components import registry
from components.common.settings import Settings, write_json
from components.pusher.outcome import read_pushed
from components.vertex_push.settings import VertexPlace, VertexPushSettings

OUTCOME_FILE = "vertex.json"
PUSHED_MODEL_KEY = "pushed_model"
VERTEX_MODEL_KEY = "vertex_model"

Artifacts = dict[str, list[types.Artifact]]


class Outcome(Settings):
    """What became of the model.

    Attributes:
        model: Resource name with version; None: nothing was pushed, and so nothing is handed on.
        endpoint: Resource name; None: none was asked for.
    """

    model: str | None = None
    endpoint: str | None = None


class Executor(base_executor.BaseExecutor):  # type: ignore[misc]
    """Uploads what the registry has, and deploys it; what is there already from a try before stays."""

    def Do(  # noqa: N802 - TFX's name
        self, input_dict: Artifacts, output_dict: Artifacts, exec_properties: dict[str, Any]
    ) -> None:
        made = artifact_utils.get_single_instance(output_dict[VERTEX_MODEL_KEY])
        pushed = read_pushed(artifact_utils.get_single_instance(input_dict[PUSHED_MODEL_KEY]).uri)
        outcome = Outcome()
        if pushed.path is not None and pushed.number is not None:
            settings = VertexPushSettings.model_validate_json(exec_properties["settings"])
            place = VertexPlace.model_validate_json(exec_properties["place"])
            outcome = _hand_on(settings, place, pushed.number, pushed.path, exec_properties["serving_root"])
        write_json(made.uri, OUTCOME_FILE, outcome)
        made.set_int_custom_property("pushed", int(outcome.model is not None))
        if outcome.model is not None:
            made.set_string_custom_property("pushed_destination", outcome.model)
            logging.info("Vertex AI has it as %s, served by %s.", outcome.model, outcome.endpoint or "no endpoint")


class VertexPushSpec(component_spec.ComponentSpec):  # type: ignore[misc]
    """Interface of `VertexPush`."""

    PARAMETERS: ClassVar = {
        "settings": component_spec.ExecutionParameter(type=str),
        "place": component_spec.ExecutionParameter(type=str),
        "serving_root": component_spec.ExecutionParameter(type=str),
    }
    INPUTS: ClassVar = {PUSHED_MODEL_KEY: component_spec.ChannelParameter(type=standard_artifacts.PushedModel)}
    OUTPUTS: ClassVar = {VERTEX_MODEL_KEY: component_spec.ChannelParameter(type=standard_artifacts.PushedModel)}


class VertexPush(base_component.BaseComponent):  # type: ignore[misc]
    """Hands on what was pushed; nothing where nothing was, because the model was not blessed or for another reason.

    Args:
        pushed_model: Of the RegistryPusher.
        settings: The model's name, its container, the endpoint.
        place: Project, location, and what goes with them.
        serving_root: gs:// address for the copies that TensorFlow Serving needs, since it looks for numbered folders.
    """

    SPEC_CLASS = VertexPushSpec
    EXECUTOR_SPEC = executor_spec.ExecutorClassSpec(Executor)

    def __init__(
        self, pushed_model: types.BaseChannel, settings: VertexPushSettings, place: VertexPlace, serving_root: str
    ) -> None:
        super().__init__(
            spec=VertexPushSpec(
                pushed_model=pushed_model,
                settings=settings.model_dump_json(),
                place=place.model_dump_json(),
                serving_root=serving_root,
                vertex_model=types.Channel(type=standard_artifacts.PushedModel),
            )
        )


def _hand_on(settings: VertexPushSettings, place: VertexPlace, number: int, path: str, serving_root: str) -> Outcome:
    from components.vertex_push.upload import deploy, find_version, upload

    model = find_version(settings, place, number)
    if model is None:
        folder = path
        if settings.serving.kind == "tensorflow_serving":
            folder = f"{serving_root.rstrip('/')}/{number}"
            registry.copy_model(path, f"{folder}/1")
        model = upload(settings, place, number, folder)
    endpoint = deploy(settings, place, model) if settings.endpoint else None
    return Outcome(model=f"{model.name.partition('@')[0]}@{model.version_id}", endpoint=endpoint)
