"""Driver of the Trainer: a damaged model costs time, never truth."""

from tfx.orchestration.portable.data_types import ExecutionInfo
from tfx.proto.orchestration import driver_output_pb2

from components.common.resolving_driver import ResolvingDriver
from components.registry.cached import remove_damaged_models


class Driver(ResolvingDriver):
    """Removes models of earlier runs that are damaged, before TFX looks into the cache; the Trainer makes them anew."""

    def run(self, execution_info: ExecutionInfo) -> driver_output_pb2.DriverOutput:
        """Return no further properties; the launcher calls it with the input artifacts resolved."""
        with self._metadata_handle as metadata:
            remove_damaged_models(metadata.store, execution_info)
        return driver_output_pb2.DriverOutput()
