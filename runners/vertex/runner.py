"""Vertex AI Pipelines: the pipeline becomes a PipelineJob, a JSON file that the service runs.

The job does without what Vertex AI has and open-source Kubeflow lacks: resolvers, and hooks that ask a driver before
the cache. So what holds on Kubeflow holds here.
"""

from pathlib import Path

from pipeline.config.configuration import Configuration
from runners.remote.output import write_output
from runners.vertex.job import build_job, job_text
from runners.vertex.runs import cancel, runs, status, submit
from runners.vertex.schedules import delete_schedule, find_schedule, pause_schedule, set_schedule

__all__ = [
    "cancel", "compile", "delete_schedule", "find_schedule", "pause_schedule", "runs", "set_schedule", "status",
    "submit",
]  # fmt: skip


def compile(config: Configuration, output: Path) -> None:  # noqa: A001 - the name that every remote runner gives it
    """Write the PipelineJob.

    Args:
        config: The configuration, with its part `runner.vertex`.
        output: A file named *.json; replaced if it exists.

    Raises:
        Refused: The configuration asks for what a container cannot have, or the file cannot be written.
    """
    write_output(output, (".json",), "Vertex AI reads JSON", lambda: job_text(build_job(config)))
