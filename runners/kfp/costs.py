"""What the steps of a remote run took: measured by each step in its container, and handed from step to step.

A service tells no step what the others took, and shares no disk between them. So each step writes it into the metadata
of its outputs, with what its inputs say of the steps before it; the Report finds all of it there. The caches of
Kubeflow and Vertex AI compare IDs of input artifacts, not their metadata.
"""

import json
import os
from collections.abc import Iterable
from typing import Any

from components.common.files import read_bytes, write_whole
from components.report.summary import MeasuredStep, MeasuredSteps, merge_measured
from components.report.summary.measured import PROPERTY
from pipeline.meter import cost_of_process
from runners.kfp.steps import RUN_VARIABLE, STEP_VARIABLE

Json = dict[str, Any]


def keep_costs_of_this_run(inputs: Iterable[Json]) -> dict[str, MeasuredStep]:
    """Leave in the metadata of a step's inputs only what was taken in this run, and return it.

    What came from the cache says what it took in the run that made it.

    Args:
        inputs: Input artifacts, as in an ExecutorInput; changed in place.
    """
    run = os.environ.get(RUN_VARIABLE, "")
    taken: dict[str, MeasuredStep] = {}
    for artifact in inputs:
        text = artifact.get("metadata", {}).pop(PROPERTY, "")
        own = merge_measured([text], run)
        if own:
            artifact["metadata"][PROPERTY] = MeasuredSteps(steps=own).model_dump_json()
        taken |= own
    return taken


def record_costs(output_file: str, before: dict[str, MeasuredStep], seconds: float) -> None:
    """Write what this step and those before it took into its ExecutorOutput, as metadata of each output.

    Args:
        output_file: The ExecutorOutput.
        before: What the steps before it took.
        seconds: Duration of this step.
    """
    run, step = os.environ.get(RUN_VARIABLE), os.environ.get(STEP_VARIABLE)
    if not run or not step:
        return
    own = MeasuredStep(run=run, seconds=round(seconds, 2), cost=cost_of_process())
    text = MeasuredSteps(steps={**before, step: own}).model_dump_json()
    output = json.loads(read_bytes(output_file))
    for listed in output.get("artifacts", {}).values():
        for artifact in listed.get("artifacts", []):
            artifact.setdefault("metadata", {})[PROPERTY] = text
    write_whole(output_file, json.dumps(output).encode())
