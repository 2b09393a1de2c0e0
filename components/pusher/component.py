"""Puts a blessed model into the registry, where it is served and where the next run finds its baseline."""

import json
from typing import Any

from absl import logging
from tfx import types
from tfx.components.pusher import component as tfx_component
from tfx.components.pusher import executor as tfx_executor
from tfx.dsl.components.base import executor_spec
from tfx.proto import pusher_pb2
from tfx.types import artifact_utils
from tfx.types.standard_component_specs import PUSH_DESTINATION_KEY, PUSHED_MODEL_KEY
from tfx.utils import proto_utils

from components import registry
from components.files import write_whole

_PUSHED_FILE = "pushed.json"


class Executor(tfx_executor.Executor):  # type: ignore[misc]
    """TFX's Pusher with the registry's push: complete or absent, and never the same model twice in a row.

    The PushedModel artifact is marked as TFX marks it, and says in pushed.json where the model is; unlike TFX's it
    holds no second copy of the model, which may be half a gigabyte.
    """

    def Do(  # noqa: N802 - TFX's name
        self,
        input_dict: dict[str, list[types.Artifact]],
        output_dict: dict[str, list[types.Artifact]],
        exec_properties: dict[str, Any],
    ) -> None:
        pushed_model = artifact_utils.get_single_instance(output_dict[PUSHED_MODEL_KEY])
        if not self.CheckBlessing(input_dict):
            self._MarkNotPushed(pushed_model)
            return
        model_dir = self.GetModelPath(input_dict)
        version = registry.push(model_dir, _base(exec_properties), registry.read_record(model_dir))
        logging.info("The registry's latest version is %s.", version.path)
        write_whole(f"{pushed_model.uri}/{_PUSHED_FILE}", f"{json.dumps(version.model_dump())}\n".encode())
        self._MarkPushed(pushed_model, pushed_destination=version.path, pushed_version=str(version.number))


class RegistryPusher(tfx_component.Pusher):  # type: ignore[misc]
    """Pushes the model if everyone who was asked blessed it.

    Args:
        model: the candidate, with model.json.
        model_blessing: the Evaluator's.
        push_destination: the registry; created if missing.
        infra_blessing: of a canary or TFX's InfraValidator, if there is one.
    """

    EXECUTOR_SPEC = executor_spec.ExecutorClassSpec(Executor)

    def __init__(
        self,
        model: types.BaseChannel,
        model_blessing: types.BaseChannel,
        push_destination: str,
        infra_blessing: types.BaseChannel | None = None,
    ) -> None:
        filesystem = pusher_pb2.PushDestination.Filesystem(base_directory=push_destination)
        super().__init__(
            model=model,
            model_blessing=model_blessing,
            infra_blessing=infra_blessing,
            push_destination=pusher_pb2.PushDestination(filesystem=filesystem),
        )


def _base(exec_properties: dict[str, Any]) -> str:
    destination = pusher_pb2.PushDestination()
    proto_utils.json_to_proto(exec_properties[PUSH_DESTINATION_KEY], destination)
    base: str = destination.filesystem.base_directory
    return base
