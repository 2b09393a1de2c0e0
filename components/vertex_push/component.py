"""VertexPush: uploads a model that was pushed to the registry to Vertex AI's Model Registry, and deploys it.

TFX's own Pusher for Vertex AI (tfx.v1.extensions.google_cloud_ai_platform) pushes there instead of to the registry, and
creates another model with each push, named by the second, and so with each retry.
"""

from typing import ClassVar

from tfx import types
from tfx.dsl.components.base import base_component, executor_spec
from tfx.types import component_spec, standard_artifacts

from components.vertex_push.executor import PUSHED_MODEL_KEY, VERTEX_MODEL_KEY, Executor
from components.vertex_push.settings import VertexPushSettings, VertexTarget


class VertexPushSpec(component_spec.ComponentSpec):  # type: ignore[misc]
    """Interface of `VertexPush`."""

    PARAMETERS: ClassVar = {
        "settings": component_spec.ExecutionParameter(type=str),
        "target": component_spec.ExecutionParameter(type=str),
        "serving_root": component_spec.ExecutionParameter(type=str),
    }
    INPUTS: ClassVar = {PUSHED_MODEL_KEY: component_spec.ChannelParameter(type=standard_artifacts.PushedModel)}
    OUTPUTS: ClassVar = {VERTEX_MODEL_KEY: component_spec.ChannelParameter(type=standard_artifacts.PushedModel)}


class VertexPush(base_component.BaseComponent):  # type: ignore[misc]
    """Uploads and deploys a pushed model; does nothing if no model was pushed.

    Args:
        pushed_model: Output of RegistryPusher.
        settings: The model's name, its container and its endpoint.
        target: Project and location of Vertex AI.
        serving_root: gs:// address for the copies that TensorFlow Serving needs, since it looks for numbered folders.
    """

    SPEC_CLASS = VertexPushSpec
    EXECUTOR_SPEC = executor_spec.ExecutorClassSpec(Executor)

    def __init__(
        self, pushed_model: types.BaseChannel, settings: VertexPushSettings, target: VertexTarget, serving_root: str
    ) -> None:
        super().__init__(
            spec=VertexPushSpec(
                pushed_model=pushed_model,
                settings=settings.model_dump_json(),
                target=target.model_dump_json(),
                serving_root=serving_root,
                vertex_model=types.Channel(type=standard_artifacts.PushedModel),
            )
        )
