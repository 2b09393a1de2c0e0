"""What a step's container runs on Vertex AI: TFX's module kubeflow_v2_run_executor, as on Kubeflow.

There is no launcher there that copies artifacts; Cloud Storage itself is mounted at /gcs, by Cloud Storage FUSE, where
steps find the same files that they find on a disk elsewhere. Only what Beam reads and writes keeps its gs:// address:
Dataflow's workers have no such folder.
"""

import json
import sys

from runners.kfp import run_executor as kubeflow_v2_run_executor

_CLASS = "--executor_class_path"
_INVOCATION = "--json_serialized_invocation_args"
_ADDRESS, _MOUNT = "gs://", "/gcs/"


def place_output_file(invocation: str, *, mounted: bool) -> str:
    """Says where the step's outcome goes, beside which it also has its temporary files.

    Args:
        invocation: The ExecutorInput, as JSON, with either spelling of that file.
        mounted: Whether below /gcs, or by its address.

    Returns:
        The same with that spelling.
    """
    told = json.loads(invocation)
    outputs = told.get("outputs", {})
    before, after = (_ADDRESS, _MOUNT) if mounted else (_MOUNT, _ADDRESS)
    if outputs.get("outputFile", "").startswith(before):
        outputs["outputFile"] = after + outputs["outputFile"].removeprefix(before)
    return json.dumps(told)


def main() -> None:
    """Runs a step; exit status 2, and one line, if it refused the data."""
    from tfx.dsl.components.base.base_beam_executor import BaseBeamExecutor
    from tfx.utils import import_utils

    executor = import_utils.import_class_by_path(sys.argv[sys.argv.index(_CLASS) + 1])
    mounted = not issubclass(executor, BaseBeamExecutor)
    place = sys.argv.index(_INVOCATION) + 1
    sys.argv[place] = place_output_file(sys.argv[place], mounted=mounted)
    kubeflow_v2_run_executor.main({_ADDRESS: _MOUNT} if mounted else {})


if __name__ == "__main__":
    main()
