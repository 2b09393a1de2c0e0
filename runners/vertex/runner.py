"""Vertex AI Pipelines: the pipeline becomes a PipelineJob, a JSON file that the service runs.

Nothing in it needs what open-source Kubeflow has not, though Vertex AI has it: resolvers, and hooks that ask a driver
before the cache. So what holds there holds here.
"""

import json
from pathlib import Path

from components.common.files import write_whole
from pipeline.config.configuration import Configuration
from runners.vertex.job import build
from runners.vertex.runs import cancel, runs, status, submit
from runners.vertex.schedules import delete_schedule, find_schedule, pause_schedule, set_schedule
from schema.errors import Refused

__all__ = [
    "cancel", "compile", "delete_schedule", "find_schedule", "pause_schedule", "runs", "set_schedule", "status",
    "submit",
]  # fmt: skip


def compile(config: Configuration, output: Path) -> None:  # noqa: A001 - as each runner names it
    """Writes the PipelineJob.

    Args:
        config: The configuration, with its part `runner.vertex`.
        output: A file named *.json; replaced if it is there.

    Raises:
        Refused: The configuration asks for what a container cannot have, or the file cannot be written.
    """
    if output.suffix != ".json":
        raise Refused(f"--output {output}: Vertex AI reads JSON; let the name end in .json")
    if not output.parent.is_dir():
        raise Refused(f"--output {output}: there is no folder {output.parent}; make it")
    job = build(config)
    try:
        write_whole(str(output), f"{json.dumps(job, indent=1, sort_keys=True)}\n".encode())
    except OSError as error:
        raise Refused(f"--output {output}: cannot be written: {error.strerror}") from None
