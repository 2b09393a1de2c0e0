"""The recurring run on Vertex AI: a Schedule, told by its display name, which is the pipeline's."""

from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

from components.vertex_push.service import TIMEOUT_S, again, connect, find_credentials, finished, refusing
from pipeline.config.configuration import Configuration
from pipeline.config.vertex import VertexSettings
from runners.remote.remote import RemoteSchedule
from runners.vertex.job import build, settings_of
from runners.vertex.runs import CONSOLE, parse_job, place_of
from schema.errors import Refused

if TYPE_CHECKING:  # seconds to import: only who asks Vertex AI pays
    from google.cloud.aiplatform_v1.services.schedule_service import ScheduleServiceClient
    from google.cloud.aiplatform_v1.types import Schedule

# What `set_schedule` decides; the rest of one that is there stays, its being paused among it.
_DECIDED = [
    "cron", "create_pipeline_job_request", "max_concurrent_run_count", "max_concurrent_active_run_count",
    "allow_queueing",
]  # fmt: skip


def set_schedule(config: Configuration, cron: str) -> RemoteSchedule:
    """Makes the recurring run, or has the one that is there run what the configuration says now.

    At most one of its runs at a time: one that would begin beside another is left out, or waits where
    `concurrency.when_busy` says so.

    Raises:
        Refused: The configuration does not fit Vertex AI, or Vertex AI refuses.
    """
    settings = settings_of(config)
    there = _find(config)  # before the seconds that compiling takes
    job = build(config)
    from google.cloud.aiplatform_v1.types import CreatePipelineJobRequest, Schedule

    wanted = Schedule(
        display_name=config.name,
        cron=f"TZ={settings.time_zone} {cron}",
        create_pipeline_job_request=CreatePipelineJobRequest(parent=place_of(settings).parent),
        max_concurrent_run_count=1,  # begun at once
        max_concurrent_active_run_count=1,  # at work at once
        allow_queueing=config.concurrency.when_busy == "wait",
    )
    wanted.create_pipeline_job_request.pipeline_job = parse_job(job)
    with _refusing(config):
        client = _client(settings)
        if there is None:
            made = client.create_schedule(parent=place_of(settings).parent, schedule=wanted, timeout=TIMEOUT_S)
        else:
            wanted.name = there.name
            mask = {"paths": _DECIDED}
            made = client.update_schedule(schedule=wanted, update_mask=mask, retry=again(), timeout=TIMEOUT_S)
    return _schedule(made, settings)


def find_schedule(config: Configuration) -> RemoteSchedule | None:
    """The recurring run, if there is one.

    Raises:
        Refused: Vertex AI refuses, or does not answer; or two have the name.
    """
    found = _find(config)
    return _schedule(found, settings_of(config)) if found else None


def pause_schedule(config: Configuration, paused: bool) -> RemoteSchedule:
    """Pauses or resumes it; what was missed meanwhile is not made up for.

    Raises:
        Refused: There is none, or Vertex AI refuses.
    """
    settings, there = settings_of(config), _find(config)
    if there is None:
        raise Refused(f"schedule {config.name}: there is none on Vertex AI; make it with --cron")
    with _refusing(config):
        client = _client(settings)
        if paused and there.state.name == "ACTIVE":
            client.pause_schedule(name=there.name, retry=again(), timeout=TIMEOUT_S)
        elif not paused and there.state.name == "PAUSED":
            client.resume_schedule(name=there.name, retry=again(), timeout=TIMEOUT_S)
        now = client.get_schedule(name=there.name, retry=again(), timeout=TIMEOUT_S)
    return _schedule(now, settings)


def delete_schedule(config: Configuration) -> bool:
    """Deletes it; False if there was none. Runs that it has started go on.

    Raises:
        Refused: Vertex AI refuses, or does not answer.
    """
    there = _find(config)
    if there is None:
        return False
    with _refusing(config):
        finished(_client(settings_of(config)).delete_schedule(name=there.name, timeout=TIMEOUT_S), TIMEOUT_S)
    return True


def _find(config: Configuration) -> "Schedule | None":
    settings = settings_of(config)
    request = {"parent": place_of(settings).parent, "filter": f'display_name="{config.name}"'}
    with _refusing(config):
        found = list(_client(settings).list_schedules(request, retry=again(), timeout=TIMEOUT_S))
    if len(found) > 1:
        numbers = ", ".join(each.name.rpartition("/")[2] for each in found)
        raise Refused(f"schedule {config.name}: there are {len(found)} of the name ({numbers}); delete all but one")
    return found[0] if found else None


def _refusing(config: Configuration) -> Any:
    return refusing(place_of(settings_of(config)), f"schedule {config.name}")


def _client(settings: VertexSettings) -> "ScheduleServiceClient":
    credentials = find_credentials(place_of(settings))
    from google.cloud.aiplatform_v1.services.schedule_service import ScheduleServiceClient

    return connect(ScheduleServiceClient, place_of(settings), credentials)


def _schedule(made: "Schedule", settings: VertexSettings) -> RemoteSchedule:
    first, _, rest = made.cron.partition(" ")
    zone = first.removeprefix("CRON_").removeprefix("TZ=") if "TZ=" in first else "UTC"
    next_run = made.next_run_time
    number = made.name.rpartition("/")[2]
    return RemoteSchedule(
        name=made.display_name,
        cron=rest if "TZ=" in first else made.cron,
        paused=made.state.name != "ACTIVE",
        time_zone=zone,
        next_run=next_run.astimezone(ZoneInfo(zone)) if next_run else None,
        page=f"{CONSOLE}/{settings.location}/pipelines/schedules/{number}?project={settings.project}",
    )
