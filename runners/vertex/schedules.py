"""The recurring run on Vertex AI: a Schedule, found by its display name, which is the pipeline's name."""

from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

from components.vertex_push.service import TIMEOUT_S, connect, find_credentials, refusing, retry, wait_for
from pipeline.config.configuration import Configuration
from pipeline.config.vertex import VertexSettings
from runners.remote.remote import RemoteSchedule
from runners.vertex.job import build_job
from runners.vertex.locations import vertex_settings
from runners.vertex.pages import CONSOLE
from runners.vertex.runs import parse_job, service_of
from schema.errors import Refused

if TYPE_CHECKING:  # takes seconds to import, so only those functions do that call Vertex AI
    from google.cloud.aiplatform_v1.services.schedule_service import ScheduleServiceClient
    from google.cloud.aiplatform_v1.types import Schedule

# Fields that `set_schedule` writes. Others of an existing schedule stay as they are, and so does whether it is paused.
_UPDATED = [
    "cron", "create_pipeline_job_request", "max_concurrent_run_count", "max_concurrent_active_run_count",
    "allow_queueing",
]  # fmt: skip


def set_schedule(config: Configuration, cron: str) -> RemoteSchedule:
    """Create the recurring run, or change the existing one to what the configuration says now.

    At most one of its runs is active at a time: one that would start beside another is skipped, or waits where
    `concurrency.when_busy` is "wait".

    Raises:
        Refused: The configuration does not fit Vertex AI, or Vertex AI refuses.
    """
    settings = vertex_settings(config)
    existing = _find(config)  # before the seconds that compiling takes
    job = build_job(config)
    from google.cloud.aiplatform_v1.types import CreatePipelineJobRequest, Schedule

    schedule = Schedule(
        display_name=config.name,
        cron=f"TZ={settings.time_zone} {cron}",
        create_pipeline_job_request=CreatePipelineJobRequest(parent=service_of(settings).parent),
        max_concurrent_run_count=1,  # started at a time
        max_concurrent_active_run_count=1,  # active at a time
        allow_queueing=config.concurrency.when_busy == "wait",
    )
    schedule.create_pipeline_job_request.pipeline_job = parse_job(job)
    with _refusing(config):
        client = _client(settings)
        if existing is None:
            written = client.create_schedule(parent=service_of(settings).parent, schedule=schedule, timeout=TIMEOUT_S)
        else:
            schedule.name = existing.name
            mask = {"paths": _UPDATED}
            written = client.update_schedule(schedule=schedule, update_mask=mask, retry=retry(), timeout=TIMEOUT_S)
    return _remote_schedule(written, settings)


def find_schedule(config: Configuration) -> RemoteSchedule | None:
    """Return the recurring run, if there is one.

    Raises:
        Refused: Vertex AI refuses, or does not answer; or two have the name.
    """
    existing = _find(config)
    return _remote_schedule(existing, vertex_settings(config)) if existing else None


def pause_schedule(config: Configuration, paused: bool) -> RemoteSchedule:
    """Pause the recurring run, or resume it; runs that were missed in between are not made up for.

    Raises:
        Refused: There is none, or Vertex AI refuses.
    """
    settings, existing = vertex_settings(config), _find(config)
    if existing is None:
        raise Refused(f"schedule {config.name}: there is none on Vertex AI; make it with --cron")
    with _refusing(config):
        client = _client(settings)
        if paused and existing.state.name == "ACTIVE":
            client.pause_schedule(name=existing.name, retry=retry(), timeout=TIMEOUT_S)
        elif not paused and existing.state.name == "PAUSED":
            client.resume_schedule(name=existing.name, retry=retry(), timeout=TIMEOUT_S)
        updated = client.get_schedule(name=existing.name, retry=retry(), timeout=TIMEOUT_S)
    return _remote_schedule(updated, settings)


def delete_schedule(config: Configuration) -> bool:
    """Delete the recurring run, not the runs that it started; return whether there was one.

    Raises:
        Refused: Vertex AI refuses, or does not answer.
    """
    existing = _find(config)
    if existing is None:
        return False
    with _refusing(config):
        deletion = _client(vertex_settings(config)).delete_schedule(name=existing.name, timeout=TIMEOUT_S)
        wait_for(deletion, TIMEOUT_S)
    return True


def _find(config: Configuration) -> "Schedule | None":
    settings = vertex_settings(config)
    request = {"parent": service_of(settings).parent, "filter": f'display_name="{config.name}"'}
    with _refusing(config):
        schedules = list(_client(settings).list_schedules(request, retry=retry(), timeout=TIMEOUT_S))
    if len(schedules) > 1:
        ids = ", ".join(schedule.name.rpartition("/")[2] for schedule in schedules)
        raise Refused(
            f"schedule {config.name}: Vertex AI has {len(schedules)} of this name ({ids}); delete all but one"
        )
    return schedules[0] if schedules else None


def _refusing(config: Configuration) -> Any:
    return refusing(service_of(vertex_settings(config)), f"schedule {config.name}")


def _client(settings: VertexSettings) -> "ScheduleServiceClient":
    credentials = find_credentials(service_of(settings))
    from google.cloud.aiplatform_v1.services.schedule_service import ScheduleServiceClient

    return connect(ScheduleServiceClient, service_of(settings), credentials)


def _remote_schedule(schedule: "Schedule", settings: VertexSettings) -> RemoteSchedule:
    first, _, rest = schedule.cron.partition(" ")
    zone = first.removeprefix("CRON_").removeprefix("TZ=") if "TZ=" in first else "UTC"
    next_run = schedule.next_run_time
    number = schedule.name.rpartition("/")[2]
    return RemoteSchedule(
        name=schedule.display_name,
        cron=rest if "TZ=" in first else schedule.cron,
        paused=schedule.state.name != "ACTIVE",
        time_zone=zone,
        next_run=next_run.astimezone(ZoneInfo(zone)) if next_run else None,
        page=f"{CONSOLE}/{settings.location}/pipelines/schedules/{number}?project={settings.project}",
    )
