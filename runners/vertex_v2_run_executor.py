"""What a step's container runs on Vertex AI: TFX's module kubeflow_v2_run_executor, as on Kubeflow.

There is no launcher there that copies artifacts; Cloud Storage itself is mounted at /gcs, by Cloud Storage FUSE, where
steps find the same files that they find on a disk elsewhere. Only what Beam reads and writes keeps its gs:// address:
Dataflow's workers have no such folder.
"""

import json
import sys

from runners import kubeflow_v2_run_executor

_CLASS = "--executor_class_path"
_INVOCATION = "--json_serialized_invocation_args"
_MOUNTED = {"gs://": "/gcs/"}


def mount_output_file(invocation: str) -> str:
    """The ExecutorInput, with the file that says what came of the step below /gcs: it is written as a local file."""
    told = json.loads(invocation)
    outputs = told.get("outputs", {})
    address = outputs.get("outputFile", "")
    if address.startswith("gs://"):
        outputs["outputFile"] = _MOUNTED["gs://"] + address.removeprefix("gs://")
    return json.dumps(told)


def main() -> None:
    """Runs a step; exit status 2, and one line, if it refused the data."""
    from tfx.dsl.components.base.base_beam_executor import BaseBeamExecutor
    from tfx.utils import import_utils

    place = sys.argv.index(_INVOCATION) + 1
    sys.argv[place] = mount_output_file(sys.argv[place])
    executor = import_utils.import_class_by_path(sys.argv[sys.argv.index(_CLASS) + 1])
    kubeflow_v2_run_executor.main({} if issubclass(executor, BaseBeamExecutor) else _MOUNTED)


if __name__ == "__main__":
    main()
