"""Runs on Vertex AI: PipelineJobs, told by the pipeline's name."""

from collections.abc import Sequence
from datetime import UTC, datetime
from itertools import islice
from typing import TYPE_CHECKING, Any

from components.vertex_push.service import TIMEOUT_S, again, connect, find_credentials, message, refusing
from components.vertex_push.settings import VertexPlace
from pipeline.config.configuration import Configuration
from pipeline.config.vertex import VertexSettings
from runners.remote.remote import RemoteRun, RunState
from runners.vertex.job import build, settings_of

if TYPE_CHECKING:  # seconds to import: only who asks Vertex AI pays
    from google.cloud.aiplatform_v1.services.pipeline_service import PipelineServiceClient
    from google.cloud.aiplatform_v1.types import PipelineJob

_MOST_SHOWN = 20
# Without one, a list holds the specification of each.
_READ_MASK = "name,displayName,state,createTime,error"
CONSOLE = "https://console.cloud.google.com/vertex-ai/locations"
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
    """Starts a run of what the configuration says now.

    Raises:
        Refused: The configuration does not fit Vertex AI, or Vertex AI refuses.
    """
    settings = settings_of(config)
    job = build(config)
    from google.cloud.aiplatform_v1.types import CreatePipelineJobRequest

    # Vertex AI wants a letter first.
    name = f"{'' if config.name[0].isalpha() else 'run-'}{config.name}-{datetime.now(UTC):%Y%m%d%H%M%S}"
    request = CreatePipelineJobRequest(parent=place_of(settings).parent, pipeline_job_id=name)
    request.pipeline_job = parse_job(job)
    with refusing(place_of(settings), f"run {name}"):
        return _run(_client(settings).create_pipeline_job(request, timeout=TIMEOUT_S), settings)


def runs(config: Configuration) -> Sequence[RemoteRun]:
    """The pipeline's, whoever or whatever schedule started them, the newest first, at most twenty.

    Raises:
        Refused: Vertex AI refuses, or does not answer.
    """
    settings = settings_of(config)
    request: dict[str, Any] = {
        "parent": place_of(settings).parent,
        "filter": f'pipeline_name="{config.name}"',
        "order_by": "create_time desc",
        "page_size": _MOST_SHOWN,
        "read_mask": _READ_MASK,
    }
    with refusing(place_of(settings)):
        found = _client(settings).list_pipeline_jobs(request, retry=again(), timeout=TIMEOUT_S)
        return [_run(job, settings) for job in islice(found, _MOST_SHOWN)]


def status(config: Configuration, run: str) -> RemoteRun:
    """Where a run stands, and if it failed, which step and why.

    Raises:
        Refused: There is no such run, or Vertex AI does not answer.
    """
    settings = settings_of(config)
    with refusing(place_of(settings), f"run {run}"):
        job = _client(settings).get_pipeline_job(name=_path(settings, run), retry=again(), timeout=TIMEOUT_S)
    return _run(job, settings)


def cancel(config: Configuration, run: str) -> RemoteRun:
    """Has a run end, which takes Vertex AI a minute or so; one that has ended stays as it is.

    Raises:
        Refused: There is no such run, or Vertex AI refuses.
    """
    if not status(config, run).state.ended:
        settings = settings_of(config)
        with refusing(place_of(settings), f"run {run}"):
            _client(settings).cancel_pipeline_job(name=_path(settings, run), retry=again(), timeout=TIMEOUT_S)
    return status(config, run)


def place_of(settings: VertexSettings) -> VertexPlace:
    """Where to ask."""
    return VertexPlace(project=settings.project, location=settings.location, api_endpoint=settings.api_endpoint)


def parse_job(job: dict[str, Any]) -> "PipelineJob":
    """The message of a PipelineJob in JSON; a field that Vertex AI does not know is an error."""
    from google.cloud.aiplatform_v1.types import PipelineJob
    from google.protobuf import json_format

    raw = PipelineJob.pb(PipelineJob())
    json_format.ParseDict(job, raw)
    parsed: PipelineJob = PipelineJob.wrap(raw)
    return parsed


def _client(settings: VertexSettings) -> "PipelineServiceClient":
    credentials = find_credentials(place_of(settings))
    from google.cloud.aiplatform_v1.services.pipeline_service import PipelineServiceClient

    return connect(PipelineServiceClient, place_of(settings), credentials)


def _path(settings: VertexSettings, run: str) -> str:
    return run if "/" in run else f"{place_of(settings).parent}/pipelineJobs/{run}"


def _run(job: "PipelineJob", settings: VertexSettings) -> RemoteRun:
    name = job.name.rpartition("/")[2]
    state = _STATES.get(job.state.name.removeprefix("PIPELINE_STATE_"), RunState.UNKNOWN)
    return RemoteRun(
        name=name,
        state=state,
        created=job.create_time,
        page=f"{CONSOLE}/{settings.location}/pipelines/runs/{name}?project={settings.project}",
        error=_why(job) if state is RunState.FAILED else None,
    )


def _why(job: "PipelineJob") -> str | None:
    """Which steps failed, and what Vertex AI says of them; of the run as a whole, where it says nothing of steps."""
    steps = [
        f"step {task.task_name}: {message(Exception(task.error.message))}"
        for task in job.job_detail.task_details
        if task.error.message
    ]
    return "; ".join(steps) or (message(Exception(job.error.message)) if job.error.message else None)
