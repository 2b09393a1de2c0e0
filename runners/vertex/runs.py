"""Runs on Vertex AI: PipelineJobs, found by the name of the pipeline."""

from collections.abc import Sequence
from datetime import UTC, datetime
from itertools import islice
from typing import TYPE_CHECKING, Any

from components.vertex_push.service import TIMEOUT_S, connect, find_credentials, message, refusing, retry
from components.vertex_push.settings import VertexTarget
from pipeline.config.configuration import Configuration
from pipeline.config.vertex import VertexSettings
from runners.remote.remote import RemoteRun, RunState
from runners.vertex.job import build_job
from runners.vertex.locations import vertex_settings
from runners.vertex.pages import CONSOLE

if TYPE_CHECKING:  # takes seconds to import, so only those functions do that call Vertex AI
    from google.cloud.aiplatform_v1.services.pipeline_service import PipelineServiceClient
    from google.cloud.aiplatform_v1.types import PipelineJob

_MAX_RUNS = 20
# Without a mask, the list holds the whole specification of each run.
_READ_MASK = "name,displayName,state,createTime,error"
_STATES = {
    "QUEUED": RunState.WAITING,
    "PENDING": RunState.WAITING,
    "PAUSED": RunState.WAITING,
    "RUNNING": RunState.RUNNING,
    "CANCELLING": RunState.CANCELLING,
    "SUCCEEDED": RunState.SUCCEEDED,
    "FAILED": RunState.FAILED,
    "CANCELLED": RunState.CANCELLED,
}


def submit(config: Configuration) -> RemoteRun:
    """Start a run of what the configuration says now.

    Raises:
        Refused: The configuration does not fit Vertex AI, or Vertex AI refuses.
    """
    settings = vertex_settings(config)
    job = build_job(config)
    from google.cloud.aiplatform_v1.types import CreatePipelineJobRequest

    # Vertex AI requires a letter first.
    name = f"{'' if config.name[0].isalpha() else 'run-'}{config.name}-{datetime.now(UTC):%Y%m%d%H%M%S}"
    request = CreatePipelineJobRequest(parent=service_of(settings).parent, pipeline_job_id=name)
    request.pipeline_job = parse_job(job)
    with refusing(service_of(settings), f"run {name}"):
        return _remote_run(_client(settings).create_pipeline_job(request, timeout=TIMEOUT_S), settings)


def runs(config: Configuration) -> Sequence[RemoteRun]:
    """Return the pipeline's runs, whoever or whatever schedule started them: the newest first, at most twenty.

    Raises:
        Refused: Vertex AI refuses, or does not answer.
    """
    settings = vertex_settings(config)
    request: dict[str, Any] = {
        "parent": service_of(settings).parent,
        "filter": f'pipeline_name="{config.name}"',
        "order_by": "create_time desc",
        "page_size": _MAX_RUNS,
        "read_mask": _READ_MASK,
    }
    with refusing(service_of(settings)):
        jobs = _client(settings).list_pipeline_jobs(request, retry=retry(), timeout=TIMEOUT_S)
        return [_remote_run(job, settings) for job in islice(jobs, _MAX_RUNS)]


def status(config: Configuration, run: str) -> RemoteRun:
    """Return the state of a run and, if it failed, which step failed and why.

    Raises:
        Refused: There is no such run, or Vertex AI does not answer.
    """
    settings = vertex_settings(config)
    with refusing(service_of(settings), f"run {run}"):
        job = _client(settings).get_pipeline_job(name=_path(settings, run), retry=retry(), timeout=TIMEOUT_S)
    return _remote_run(job, settings)


def cancel(config: Configuration, run: str) -> RemoteRun:
    """Cancel a run, which takes Vertex AI about a minute; one that has ended stays as it is.

    Raises:
        Refused: There is no such run, or Vertex AI refuses.
    """
    if not status(config, run).state.ended:
        settings = vertex_settings(config)
        with refusing(service_of(settings), f"run {run}"):
            _client(settings).cancel_pipeline_job(name=_path(settings, run), retry=retry(), timeout=TIMEOUT_S)
    return status(config, run)


def service_of(settings: VertexSettings) -> VertexTarget:
    """Return the project and location to call."""
    return VertexTarget(project=settings.project, location=settings.location, api_endpoint=settings.api_endpoint)


def parse_job(job: dict[str, Any]) -> "PipelineJob":
    """Parse a PipelineJob in JSON; a field that Vertex AI does not know is an error."""
    from google.cloud.aiplatform_v1.types import PipelineJob
    from google.protobuf import json_format

    raw = PipelineJob.pb(PipelineJob())
    json_format.ParseDict(job, raw)
    parsed: PipelineJob = PipelineJob.wrap(raw)
    return parsed


def _client(settings: VertexSettings) -> "PipelineServiceClient":
    credentials = find_credentials(service_of(settings))
    from google.cloud.aiplatform_v1.services.pipeline_service import PipelineServiceClient

    return connect(PipelineServiceClient, service_of(settings), credentials)


def _path(settings: VertexSettings, run: str) -> str:
    return run if "/" in run else f"{service_of(settings).parent}/pipelineJobs/{run}"


def _remote_run(job: "PipelineJob", settings: VertexSettings) -> RemoteRun:
    name = job.name.rpartition("/")[2]
    state = _STATES.get(job.state.name.removeprefix("PIPELINE_STATE_"), RunState.UNKNOWN)
    return RemoteRun(
        name=name,
        state=state,
        created=job.create_time,
        page=f"{CONSOLE}/{settings.location}/pipelines/runs/{name}?project={settings.project}",
        error=_error(job) if state is RunState.FAILED else None,
    )


def _error(job: "PipelineJob") -> str | None:
    """Return which steps failed and why or, where Vertex AI names no step, why the run as a whole did."""
    steps = [
        f"step {task.task_name}: {message(Exception(task.error.message))}"
        for task in job.job_detail.task_details
        if task.error.message
    ]
    return "; ".join(steps) or (message(Exception(job.error.message)) if job.error.message else None)
