"""Driver that chooses the baseline before the cache is consulted, on runners that have drivers.

The version becomes an execution property, and so part of the cache key: the baseline is read from the registry again
only when another version is to be read.
"""

from tfx.orchestration.portable.data_types import ExecutionInfo
from tfx.proto.orchestration import driver_output_pb2
from tfx.types import artifact_utils
from tfx.types.standard_component_specs import MODEL_KEY
from tfx.utils import path_utils

from components import registry
from components.baseline.choice import choose_baseline, read_model_id
from components.common.resolving_driver import ResolvingDriver

REGISTRY_KEY = "registry"
# Path of the version, empty if there is none. Missing where no driver ran: Kubeflow runs none.
VERSION_KEY = "baseline_version"
# Part of the cache key besides the path, because a registry that was emptied gives version numbers again.
MODEL_ID_KEY = "baseline_model_id"


class Driver(ResolvingDriver):
    """Driver of `RegistryBaseline`: adds the chosen version to the execution properties."""

    def run(self, execution_info: ExecutionInfo) -> driver_output_pb2.DriverOutput:
        """Return the execution properties to add; the launcher calls it with the input artifacts resolved."""
        model = artifact_utils.get_single_instance(execution_info.input_dict[MODEL_KEY])
        candidate = registry.ModelRecord.read(path_utils.serving_model_path(model.uri))
        version = choose_baseline(execution_info.exec_properties[REGISTRY_KEY], candidate)
        output = driver_output_pb2.DriverOutput()
        output.exec_properties[VERSION_KEY].string_value = version.path if version else ""
        output.exec_properties[MODEL_ID_KEY].string_value = (version and read_model_id(version)) or ""
        return output
