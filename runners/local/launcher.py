"""TFX's launcher, with digests: a damaged artifact is not taken from the cache, and not read by a step."""

import copy
import logging
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from itertools import count
from pathlib import Path
from typing import Any

from ml_metadata.proto import metadata_store_pb2
from tfx.components.util import model_utils
from tfx.orchestration.portable import cache_utils, launcher
from tfx.orchestration.portable.data_types import ExecutionInfo
from tfx.proto.orchestration import driver_output_pb2, execution_result_pb2
from tfx.types import Artifact, standard_artifacts

from components.common.digest import PROPERTY, Digests
from components.common.files import remove_folder
from schema.errors import Refused

ATTEMPT = "attempt"
"""Execution property that makes a step run again whose cached outputs are whole, but not to be taken."""

Artifacts = Mapping[str, Iterable[Artifact]]


class CheckedLauncher(launcher.Launcher):  # type: ignore[misc]
    """Launcher that compares artifacts with their digests where they are used.

    - It records the digest of each output of a step that has run.
    - Before TFX looks into the cache, it removes cached outputs that do not have their digest, so that the step makes
      them anew.
    - It refuses to run a step whose inputs do not have their digest, for example because they were damaged during the
      run.

    Neither are outputs of releases without digests taken from the cache, nor a refusal of a canary or an
    InfraValidator, which may depend on the machine.

    Args:
        digests: Digests of the run.
        arguments: Arguments of TFX's launcher.
    """

    def __init__(self, digests: Digests, **arguments: Any) -> None:
        super().__init__(**arguments)
        self._digests = digests
        # TFX calls it with everything that the key of the cache is computed of, just before it looks there (tfx 1.21,
        # orchestration/portable/launcher.py, lines 341-366).
        operator: Any = self._driver_operator
        self._driver_operator: Any = _CacheCheck(operator, self._prepare_cache)

    def _prepare_cache(self, execution: ExecutionInfo, output: driver_output_pb2.DriverOutput) -> None:
        """Remove damaged outputs from the cache; if there are others that must not be taken, change the key."""
        if not self._pipeline_node.execution_options.caching_options.enable_cache:
            return
        for attempt in count():
            if attempt:
                output.exec_properties[ATTEMPT].int_value = attempt
            cached = self._look_up(execution, output)
            while cached is not None and self._remove_damaged(cached):
                cached = self._look_up(execution, output)
            if cached is None or not any(_must_not_be_taken(each) for each in _all(cached)):
                return

    def _look_up(self, execution: ExecutionInfo, output: driver_output_pb2.DriverOutput) -> Artifacts | None:
        """Return the outputs that TFX would take from the cache; None if there are none."""
        properties, outputs = dict(execution.exec_properties), copy.deepcopy(execution.output_dict)
        self._update_with_driver_output(output, properties, outputs)
        with self._mlmd_connection as handle:
            context = cache_utils.get_cache_context(
                metadata_handle=handle,
                pipeline_node=self._pipeline_node,
                pipeline_info=self._pipeline_info,
                executor_spec=self._executor_spec,
                input_artifacts=execution.input_dict,
                output_artifacts=outputs,
                parameters=properties,
            )
            found: Artifacts | None = cache_utils.get_cached_outputs(metadata_handle=handle, cache_context=context)
            return found

    def _remove_damaged(self, cached: Artifacts) -> bool:
        """Remove damaged artifacts, and mark them as deleted; return whether there are any."""
        damaged = [each.mlmd_artifact for each in _all(cached) if self._is_damaged(each)]
        for artifact in damaged:
            logging.getLogger(__name__).warning("%s: is damaged; removed, to be made anew", artifact.uri)
            remove_folder(artifact.uri)
            artifact.state = metadata_store_pb2.Artifact.DELETED
        if damaged:
            with self._mlmd_connection as handle:
                handle.store.put_artifacts(damaged)
        return bool(damaged)

    def _is_damaged(self, artifact: Artifact) -> bool:
        digest = artifact.get_string_custom_property(PROPERTY)
        return bool(digest) and not self._digests.match(artifact.uri, digest)

    def _run_executor(self, execution_info: ExecutionInfo) -> execution_result_pb2.ExecutorOutput:
        for artifact in _all(execution_info.input_dict):
            if self._is_damaged(artifact):
                raise Refused(
                    f"{artifact.uri}: is not as the step left it that made it; run again, which makes it anew"
                )
        output = super()._run_executor(execution_info)
        for key, artifacts in execution_info.output_dict.items():
            # Executors return copies of the artifacts, which TFX publishes instead, unless they return none.
            returned = list(output.output_artifacts[key].artifacts) if key in output.output_artifacts else []
            for each in returned or [artifact.mlmd_artifact for artifact in artifacts]:
                each.custom_properties[PROPERTY].string_value = self._digests.compute(each.uri)
        return output


class _CacheCheck:
    """Driver operator that lets the step's own driver resolve what it does, and then prepares the cache.

    Args:
        operator: TFX's operator of the step's driver; None if the step has none.
        prepare: Function of the execution and the driver's output, which it may change.
    """

    def __init__(self, operator: Any, prepare: Callable[[ExecutionInfo, driver_output_pb2.DriverOutput], None]) -> None:
        self._operator = operator
        self._prepare = prepare

    def run_driver(self, execution_info: ExecutionInfo) -> driver_output_pb2.DriverOutput:
        """Return the driver's output; TFX's launcher calls it."""
        output = driver_output_pb2.DriverOutput()
        if self._operator is not None:
            output.CopyFrom(self._operator.run_driver(execution_info))
        self._prepare(execution_info, output)
        with suppress(OSError):  # TFX has created it for a file that no driver of Python writes
            Path(execution_info.execution_output_uri).parent.rmdir()
        return output


def _must_not_be_taken(artifact: Artifact) -> bool:
    """Return whether an intact artifact must not be taken from the cache.

    Artifacts of older releases have no digest. A refusal of a canary or an InfraValidator may be one of the machine: of
    its load, its memory, its Docker.
    """
    is_refusal = artifact.type_name == standard_artifacts.InfraBlessing.TYPE_NAME and (
        not model_utils.is_infra_validated(artifact)
    )
    return is_refusal or not artifact.has_custom_property(PROPERTY)


def _all(artifacts: Artifacts) -> Iterable[Artifact]:
    return (artifact for listed in artifacts.values() for artifact in listed)
