"""Resolves the baseline before the cache is asked, on runners that have drivers.

The version found becomes an execution property and so part of the cache key: the baseline is read from the registry
again when, and only when, there is another one to read.
"""

from tfx.orchestration.portable.data_types import ExecutionInfo
from tfx.proto.orchestration import driver_output_pb2
from tfx.types import artifact_utils
from tfx.types.standard_component_specs import MODEL_KEY
from tfx.utils import path_utils

from components import registry
from components.baseline.choice import choose_baseline, model_id_of
from components.common.resolving_driver import ResolvingDriver

REGISTRY_KEY = "registry"
# The path of the version found, empty if there is none. Missing where no driver ran: Kubeflow has none.
VERSION_KEY = "baseline_version"
# In the cache key besides the path: a registry that was emptied may give a number again.
MODEL_ID_KEY = "baseline_model_id"


class Driver(ResolvingDriver):
    """Puts the version to compare with into the execution's properties."""

    def run(self, execution_info: ExecutionInfo) -> driver_output_pb2.DriverOutput:
        """Called by the launcher, with the input artifacts resolved."""
        model = artifact_utils.get_single_instance(execution_info.input_dict[MODEL_KEY])
        candidate = registry.ModelRecord.read(path_utils.serving_model_path(model.uri))
        version = choose_baseline(execution_info.exec_properties[REGISTRY_KEY], candidate)
        output = driver_output_pb2.DriverOutput()
        output.exec_properties[VERSION_KEY].string_value = version.path if version else ""
        output.exec_properties[MODEL_ID_KEY].string_value = (version and model_id_of(version)) or ""
        return output
