"""Driver of the Pusher: invalidates a cached push whose version was removed from the registry."""

from ml_metadata.proto import metadata_store_pb2
from tfx.orchestration.portable.data_types import ExecutionInfo
from tfx.proto.orchestration import driver_output_pb2
from tfx.types import artifact_utils
from tfx.types.standard_component_specs import MODEL_KEY

from components.common.files import exists
from components.common.resolving_driver import ResolvingDriver

# Part of the cache key: versions that this model was pushed as and that no longer exist; most often none.
GONE_KEY = "gone_versions"


class Driver(ResolvingDriver):
    """Lets a model be pushed again if somebody removed its version from the registry."""

    def run(self, execution_info: ExecutionInfo) -> driver_output_pb2.DriverOutput:
        """Add the removed versions to the cache key; the launcher calls this with the input artifacts resolved."""
        model = artifact_utils.get_single_instance(execution_info.input_dict[MODEL_KEY])
        gone = sorted(path for path in self._versions_of(model.id) if not exists(f"{path}/saved_model.pb"))
        output = driver_output_pb2.DriverOutput()
        output.exec_properties[GONE_KEY].string_value = " ".join(gone)
        return output

    def _versions_of(self, model_id: int) -> set[str]:
        """Return the paths of the versions that earlier runs pushed this Model artifact as."""
        with self._metadata_handle as metadata:
            store = metadata.store
            readers = {event.execution_id for event in store.get_events_by_artifact_ids([model_id])}
            events = store.get_events_by_execution_ids(sorted(readers))
            outputs = {event.artifact_id for event in events if event.type == metadata_store_pb2.Event.OUTPUT}
            properties = [artifact.custom_properties for artifact in store.get_artifacts_by_id(sorted(outputs))]
        return {each["pushed_destination"].string_value for each in properties if "pushed_destination" in each}
