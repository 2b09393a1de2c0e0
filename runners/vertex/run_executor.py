"""Entry point of a step's container on Vertex AI: TFX's module kubeflow_v2_run_executor, as on Kubeflow.

No launcher copies artifacts on Vertex AI. Instead Cloud Storage FUSE mounts Cloud Storage at /gcs, where steps find
the same files that they find on a local disk elsewhere. Only what Beam reads and writes keeps its gs:// address,
because Dataflow's workers have no such folder.
"""

import json
import sys

from runners.kfp import run_executor as kfp_run_executor

_CLASS = "--executor_class_path"
_INVOCATION = "--json_serialized_invocation_args"
_ADDRESS, _MOUNT = "gs://", "/gcs/"


def set_output_file(invocation: str, *, mounted: bool) -> str:
    """Set where the step writes its ExecutorOutput; its temporary files go into the same folder.

    Args:
        invocation: The ExecutorInput, as JSON, with the path in either spelling.
        mounted: Whether to spell it below /gcs, or as a gs:// address.

    Returns:
        The ExecutorInput with the path in that spelling.

    Example:
        >>> set_output_file('{"outputs": {"outputFile": "gs://bucket/output.json"}}', mounted=True)
        '{"outputs": {"outputFile": "/gcs/bucket/output.json"}}'
    """
    executor_input = json.loads(invocation)
    outputs = executor_input.get("outputs", {})
    old, new = (_ADDRESS, _MOUNT) if mounted else (_MOUNT, _ADDRESS)
    if outputs.get("outputFile", "").startswith(old):
        outputs["outputFile"] = new + outputs["outputFile"].removeprefix(old)
    return json.dumps(executor_input)


def empty_outputs(invocation: str, *, mounted: bool) -> None:
    """Delete what an earlier try of this step has left in the folders of its outputs.

    Vertex AI restarts a container that exits with a status other than 0 up to five times, and then the whole step,
    unless it knows the error as a permanent one
    (https://cloud.google.com/vertex-ai/docs/training/understanding-training-service). The folders are those of the
    first try, and a step would count files that are left in them, such as shards, as its own.

    Args:
        invocation: The ExecutorInput, as JSON.
        mounted: Whether the step finds Cloud Storage below /gcs, or by gs:// addresses.
    """
    from tfx.dsl.io import fileio

    outputs = json.loads(invocation).get("outputs", {}).get("artifacts", {})
    for artifact in (each for listed in outputs.values() for each in listed.get("artifacts", [])):
        folder = artifact.get("uri", "")
        if mounted and folder.startswith(_ADDRESS):
            folder = _MOUNT + folder.removeprefix(_ADDRESS)
        if folder and fileio.exists(folder):
            fileio.rmtree(folder)


def main() -> None:
    """Run a step; if it refuses the data, write one line to stderr and exit with status 2."""
    from tfx.dsl.components.base.base_beam_executor import BaseBeamExecutor
    from tfx.utils import import_utils

    executor = import_utils.import_class_by_path(sys.argv[sys.argv.index(_CLASS) + 1])
    mounted = not issubclass(executor, BaseBeamExecutor)
    index = sys.argv.index(_INVOCATION) + 1
    empty_outputs(sys.argv[index], mounted=mounted)
    sys.argv[index] = set_output_file(sys.argv[index], mounted=mounted)
    kfp_run_executor.main({_ADDRESS: _MOUNT} if mounted else {})


if __name__ == "__main__":
    main()
