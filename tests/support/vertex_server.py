"""Stand-in for the part of Vertex AI's REST API (v1) that this project uses, for Google's own clients.

Each body is parsed into the API's message, so that an unknown field is refused; each answer is such a message. Refusals
have the API's statuses.
"""

import re
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from itertools import count
from typing import Any
from urllib.parse import unquote
from zoneinfo import ZoneInfo

from cronsim import CronSim
from google.cloud import aiplatform_v1 as api
from google.protobuf import field_mask_pb2, json_format
from kfp.pipeline_spec import pipeline_spec_pb2

from tests.support.http_server import HttpServer, Json, Reply, Request

PARENT = "projects/my-project/locations/europe-west4"
_STATUS = {400: "INVALID_ARGUMENT", 401: "UNAUTHENTICATED", 403: "PERMISSION_DENIED", 404: "NOT_FOUND",
           409: "ALREADY_EXISTS", 429: "RESOURCE_EXHAUSTED", 503: "UNAVAILABLE"}  # fmt: skip


class ApiError(Exception):
    """The API refuses a request."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status, self.message = status, message

    def body(self) -> Json:
        """Return the body of the answer."""
        return {"error": {"code": self.status, "message": self.message, "status": _STATUS[self.status]}}


def parse(kind: Any, body: Any) -> Any:
    """Parse a message of the API; a field that the API does not have is answered with 400."""
    message = kind.pb(kind())
    try:
        json_format.ParseDict(body, message)
    except json_format.ParseError as error:
        raise ApiError(400, f"Invalid JSON payload received. {error}") from None
    return kind.wrap(message)


def written(message: Any) -> Json:
    """Return a message of the API as JSON."""
    return dict(json_format.MessageToDict(type(message).pb(message)))


class VertexServer(HttpServer):
    """Vertex AI in memory.

    Attributes:
        jobs: PipelineJobs by resource name, in the order of their creation.
        schedules: Schedules by resource name.
        models: Versions of a model, the oldest first, by resource name.
        endpoints: Endpoints by resource name.
        requests: "METHOD path" of each request.
        slow: Whether operations are done only at the second request of their state.
    """

    PROTOCOL = "HTTP/1.0"

    def __init__(self) -> None:
        super().__init__()
        self.jobs: dict[str, Any] = {}
        self.schedules: dict[str, Any] = {}
        self.models: dict[str, list[Any]] = {}
        self.endpoints: dict[str, Any] = {}
        self.requests: list[str] = []
        self.slow = False
        self._operations: dict[str, Json] = {}
        self._deployments = count(100)
        self._failures: list[tuple[str, ApiError]] = []
        self._now = datetime(2026, 11, 23, 12, tzinfo=UTC)
        self._lock = threading.RLock()

    @contextmanager
    def failing(self, path: str, status: int, message: str) -> Iterator[None]:
        """Answer requests whose "METHOD path" matches a pattern with an error, until the context ends."""
        self._failures.append((path, ApiError(status, message)))
        yield
        self._failures.pop()

    def end(self, run: str, state: str, **failed: str) -> None:
        """End a run; `failed` has the error of each failed step."""
        job = self.jobs[f"{PARENT}/pipelineJobs/{run}"]
        job.state = getattr(api.PipelineState, f"PIPELINE_STATE_{state}")
        if failed:
            job.error = {"code": 9, "message": f"The DAG failed because some tasks failed: {sorted(failed)}.\n"}
        for step, error in failed.items():
            detail = api.PipelineTaskDetail(task_name=step, state=api.PipelineTaskDetail.State.FAILED)
            detail.error = {"code": 9, "message": error}
            job.job_detail.task_details.append(detail)

    def tick(self, schedule: str) -> str:
        """Start the next run of a schedule; return its name."""
        request = self.schedules[schedule].create_pipeline_job_request
        return str(self.start(request.parent, f"scheduled-{len(self.jobs)}", request.pipeline_job).name)

    def answer(self, request: Request) -> Reply:
        """Answer as the API does."""
        call = f"{request.method} {unquote(request.path)}"
        with self._lock:
            self.requests.append(call)
            try:
                for pattern, error in self._failures:
                    if re.search(pattern, call):
                        raise error
                if not request.headers.get("Authorization", "").startswith("Bearer ey"):
                    raise ApiError(401, "Request had invalid authentication credentials.")
                for pattern, route in _ROUTES:
                    if match := re.fullmatch(pattern, call):
                        return Reply(body=route(self, *match.groups(), request.json(), request.query))
                raise ApiError(404, f"no such method: {call}")
            except ApiError as error:
                return Reply(error.status, error.body())

    # Runs

    def create_job(self, parent: str, body: Json, query: dict[str, str]) -> Json:
        return written(self.start(parent, query["pipelineJobId"], parse(api.PipelineJob, body)))

    def start(self, parent: str, number: str, job: Any) -> Any:
        """Create a run with an ID."""
        name = f"{parent}/pipelineJobs/{number}"
        if name in self.jobs:
            raise ApiError(409, f"The PipelineJob {name} already exists.")
        if not re.fullmatch("[a-z][-a-z0-9]{0,127}", number):
            raise ApiError(400, "Invalid PipelineJob ID")
        if not job.runtime_config.gcs_output_directory.startswith("gs://"):
            raise ApiError(400, "runtime_config.gcs_output_directory must be set")
        job = api.PipelineJob(job)
        specification = written(job)["pipelineSpec"]
        try:
            json_format.ParseDict(specification, pipeline_spec_pb2.PipelineSpec())
        except json_format.ParseError as error:
            raise ApiError(400, f"Invalid pipeline_spec: {error}") from None
        job.name, job.create_time, job.state = name, self._tick(), api.PipelineState.PIPELINE_STATE_PENDING
        self.jobs[name] = job
        return job

    def get_job(self, name: str, _: Json, __: dict[str, str]) -> Json:
        return written(self._found(self.jobs, name))

    def list_jobs(self, parent: str, _: Json, query: dict[str, str]) -> Json:
        wanted = re.fullmatch('pipeline_name="([^"]*)"', query["filter"])
        if wanted is None or query["orderBy"] != "create_time desc":
            raise ApiError(400, "Invalid filter")
        mask = field_mask_pb2.FieldMask()
        mask.FromJsonString(query["readMask"])
        found = [
            job
            for name, job in reversed(self.jobs.items())
            if name.startswith(parent) and job.pipeline_spec["pipelineInfo"]["name"] == wanted[1]
        ]
        first, size = int(query.get("pageToken", 0)), int(query["pageSize"])
        shown = []
        for job in found[first : first + size]:
            masked = api.PipelineJob.pb(api.PipelineJob())
            mask.MergeMessage(api.PipelineJob.pb(job), masked)
            shown.append(dict(json_format.MessageToDict(masked)))
        more = {"nextPageToken": str(first + size)} if len(found) > first + size else {}
        return {"pipelineJobs": shown} | more

    def cancel_job(self, name: str, body: Json, _: dict[str, str]) -> Json:
        parse(api.CancelPipelineJobRequest, body)
        job = self._found(self.jobs, name)
        if job.state not in (api.PipelineState.PIPELINE_STATE_PENDING, api.PipelineState.PIPELINE_STATE_RUNNING):
            raise ApiError(400, f"The PipelineJob {name} is in a final state.")
        job.state = api.PipelineState.PIPELINE_STATE_CANCELLED
        return {}

    # Schedules

    def create_schedule(self, parent: str, body: Json, _: dict[str, str]) -> Json:
        schedule = parse(api.Schedule, body)
        if not schedule.display_name or schedule.max_concurrent_run_count < 1:
            raise ApiError(400, "display_name and max_concurrent_run_count are required")
        if schedule.create_pipeline_job_request.parent != parent:
            raise ApiError(400, "create_pipeline_job_request.parent is required")
        schedule.name = f"{parent}/schedules/{1000 + len(self.schedules)}"
        schedule.state, schedule.create_time = api.Schedule.State.ACTIVE, self._tick()
        self.schedules[schedule.name] = self._planned(schedule)
        return written(schedule)

    def update_schedule(self, name: str, body: Json, query: dict[str, str]) -> Json:
        schedule, update = self._found(self.schedules, name), parse(api.Schedule, body)
        for path in query["updateMask"].split(","):
            field = re.sub("[A-Z]", lambda letter: f"_{letter[0].lower()}", path)
            setattr(schedule, field, getattr(update, field))
        return written(self._planned(schedule))

    def get_schedule(self, name: str, _: Json, __: dict[str, str]) -> Json:
        return written(self._found(self.schedules, name))

    def list_schedules(self, parent: str, _: Json, query: dict[str, str]) -> Json:
        return {"schedules": self._named(self.schedules, parent, query)}

    def pause_schedule(self, name: str, body: Json, _: dict[str, str]) -> Json:
        parse(api.PauseScheduleRequest, body)
        return self._turn(name, api.Schedule.State.ACTIVE, api.Schedule.State.PAUSED)

    def resume_schedule(self, name: str, body: Json, _: dict[str, str]) -> Json:
        if parse(api.ResumeScheduleRequest, body).catch_up:
            raise ApiError(400, "missed runs must not be made up for")
        return self._turn(name, api.Schedule.State.PAUSED, api.Schedule.State.ACTIVE)

    def delete_schedule(self, name: str, _: Json, __: dict[str, str]) -> Json:
        self._found(self.schedules, name)
        del self.schedules[name]
        return self._operation({"@type": "type.googleapis.com/google.protobuf.Empty"})

    def _turn(self, name: str, before: Any, after: Any) -> Json:
        schedule = self._found(self.schedules, name)
        if schedule.state != before:
            raise ApiError(400, f"The schedule is {schedule.state.name}.")
        schedule.state = after
        return {}

    def _planned(self, schedule: Any) -> Any:
        match = re.fullmatch(r"(?:(?:CRON_)?TZ=(\S+) )?(\S+ \S+ \S+ \S+ \S+)", schedule.cron)
        if match is None:
            raise ApiError(400, f"Invalid cron schedule: {schedule.cron}")
        schedule.next_run_time = next(CronSim(match[2], self._now.astimezone(ZoneInfo(match[1] or "UTC"))))
        return schedule

    # Models and endpoints

    def upload_model(self, parent: str, body: Json, _: dict[str, str]) -> Json:
        request = parse(api.UploadModelRequest, body | {"parent": parent})
        model = request.model
        name = request.parent_model or f"{parent}/models/{request.model_id}"
        if bool(request.parent_model) != (name in self.models):
            raise ApiError(400 if request.parent_model else 409, f"Model {name}: parent_model goes with its versions")
        if "://" not in model.artifact_uri or not model.container_spec.image_uri:
            raise ApiError(400, "artifact_uri and container_spec.image_uri are required")
        versions = self.models.setdefault(name, [])
        for other in versions:
            other.version_aliases = [each for each in other.version_aliases if each not in model.version_aliases]
        model.name, model.version_id = name, str(len(versions) + 1)
        versions.append(model)
        response = {"model": name, "modelVersionId": model.version_id}
        return self._operation({"@type": _type(api.UploadModelResponse)} | response)

    def get_model(self, name: str, _: Json, __: dict[str, str]) -> Json:
        name, _at, version = name.partition("@")
        for model in self.models.get(name, []):
            if (version or "default") in [model.version_id, *model.version_aliases]:
                return written(model)
        raise ApiError(404, f"The Model {name}@{version} does not exist.")

    def list_versions(self, name: str, _: Json, __: dict[str, str]) -> Json:
        return {"models": [written(model) for model in self._found(self.models, name)]}

    def merge_aliases(self, name: str, body: Json, _: dict[str, str]) -> Json:
        """Merge aliases as the message MergeVersionAliasesRequest describes: an alias is of one version at a time."""
        name, _at, version = name.partition("@")
        aliases = list(parse(api.MergeVersionAliasesRequest, body).version_aliases)
        versions = self._found(self.models, name)
        chosen = next((model for model in versions if model.version_id == version), None)
        if chosen is None:
            raise ApiError(404, f"The Model {name}@{version} does not exist.")
        if any(alias.startswith("-") for alias in aliases):
            raise ApiError(400, "nothing is to be deleted")
        for other in versions:
            other.version_aliases = [each for each in other.version_aliases if each not in aliases]
        chosen.version_aliases = [*chosen.version_aliases, *aliases]
        return written(chosen)

    def create_endpoint(self, parent: str, body: Json, _: dict[str, str]) -> Json:
        endpoint = parse(api.Endpoint, body)
        endpoint.name = f"{parent}/endpoints/{len(self.endpoints) + 1}"
        self.endpoints[endpoint.name] = endpoint
        return self._operation({"@type": _type(api.Endpoint)} | written(endpoint))

    def get_endpoint(self, name: str, _: Json, __: dict[str, str]) -> Json:
        return written(self._found(self.endpoints, name))

    def update_endpoint(self, name: str, body: Json, query: dict[str, str]) -> Json:
        endpoint, update = self._found(self.endpoints, name), parse(api.Endpoint, body)
        if query["updateMask"] != "trafficSplit":
            raise ApiError(400, "only the traffic may change")
        known = {each.id for each in endpoint.deployed_models}
        if sum(update.traffic_split.values()) != 100 or set(update.traffic_split) - known:
            raise ApiError(400, "traffic_split must add up to 100, over what is deployed")
        endpoint.traffic_split = dict(update.traffic_split)
        return written(endpoint)

    def list_endpoints(self, parent: str, _: Json, query: dict[str, str]) -> Json:
        return {"endpoints": self._named(self.endpoints, parent, query)}

    def deploy_model(self, name: str, body: Json, _: dict[str, str]) -> Json:
        endpoint = self._found(self.endpoints, name)
        request = parse(api.DeployModelRequest, body)
        deployed = request.deployed_model
        model, _at, version = deployed.model.partition("@")
        if not any(version in (each.version_id, *each.version_aliases) for each in self.models.get(model, [])):
            raise ApiError(404, f"The Model {deployed.model} does not exist.")
        deployed.id, deployed.model, deployed.model_version_id = (
            str(next(self._deployments)),
            model,
            version,
        )
        known = {"0", *(each.id for each in endpoint.deployed_models)}
        if sum(request.traffic_split.values()) != 100 or set(request.traffic_split) - known:
            raise ApiError(400, "traffic_split must add up to 100, over what is deployed")
        endpoint.deployed_models.append(deployed)
        endpoint.traffic_split = {
            deployed.id if key == "0" else key: percent for key, percent in request.traffic_split.items()
        }
        return self._operation({"@type": _type(api.DeployModelResponse), "deployedModel": written(deployed)})

    def undeploy_model(self, name: str, body: Json, _: dict[str, str]) -> Json:
        endpoint = self._found(self.endpoints, name)
        gone = parse(api.UndeployModelRequest, body).deployed_model_id
        if endpoint.traffic_split.get(gone):
            raise ApiError(400, "it has traffic")
        endpoint.deployed_models = [each for each in endpoint.deployed_models if each.id != gone]
        return self._operation({"@type": _type(api.UndeployModelResponse)})

    # Operations

    def get_operation(self, name: str, _: Json, __: dict[str, str]) -> Json:
        return dict(self._found(self._operations, name), done=True)

    def _operation(self, response: Json) -> Json:
        name = f"{PARENT}/operations/{len(self._operations) + 1}"
        self._operations[name] = {"name": name, "response": response}
        return {"name": name, "done": False} if self.slow else self._operations[name] | {"done": True}

    def _named(self, of: dict[str, Any], parent: str, query: dict[str, str]) -> list[Json]:
        wanted = re.fullmatch('display_name="([^"]*)"', query["filter"])
        if wanted is None:
            raise ApiError(400, "Invalid filter")
        return [
            written(each) for name, each in of.items() if name.startswith(parent) and each.display_name == wanted[1]
        ]

    def _found(self, of: dict[str, Any], name: str) -> Any:
        if name not in of:
            raise ApiError(404, f"The {name.split('/')[-2]} {name} does not exist.")
        return of[name]

    def _tick(self) -> datetime:
        self._now += timedelta(seconds=1)
        return self._now


_NAME = "/v1/(projects/[^/]+/locations/[^/]+/{}/[^/:]+)"
_LIST = "/v1/(projects/[^/]+/locations/[^/]+)/{}"
_ROUTES: list[tuple[str, Callable[..., Json]]] = [
    (f"POST {_LIST.format('pipelineJobs')}", VertexServer.create_job),
    (f"GET {_LIST.format('pipelineJobs')}", VertexServer.list_jobs),
    (f"GET {_NAME.format('pipelineJobs')}", VertexServer.get_job),
    (f"POST {_NAME.format('pipelineJobs')}:cancel", VertexServer.cancel_job),
    (f"POST {_LIST.format('schedules')}", VertexServer.create_schedule),
    (f"GET {_LIST.format('schedules')}", VertexServer.list_schedules),
    (f"GET {_NAME.format('schedules')}", VertexServer.get_schedule),
    (f"PATCH {_NAME.format('schedules')}", VertexServer.update_schedule),
    (f"DELETE {_NAME.format('schedules')}", VertexServer.delete_schedule),
    (f"POST {_NAME.format('schedules')}:pause", VertexServer.pause_schedule),
    (f"POST {_NAME.format('schedules')}:resume", VertexServer.resume_schedule),
    (f"POST {_LIST.format('models')}:upload", VertexServer.upload_model),
    (f"GET {_NAME.format('models')}", VertexServer.get_model),
    (f"GET {_NAME.format('models')}:listVersions", VertexServer.list_versions),
    (f"POST {_NAME.format('models')}:mergeVersionAliases", VertexServer.merge_aliases),
    (f"POST {_LIST.format('endpoints')}", VertexServer.create_endpoint),
    (f"GET {_LIST.format('endpoints')}", VertexServer.list_endpoints),
    (f"GET {_NAME.format('endpoints')}", VertexServer.get_endpoint),
    (f"PATCH {_NAME.format('endpoints')}", VertexServer.update_endpoint),
    (f"POST {_NAME.format('endpoints')}:deployModel", VertexServer.deploy_model),
    (f"POST {_NAME.format('endpoints')}:undeployModel", VertexServer.undeploy_model),
    (r"GET /(?:v1|ui)/(projects/[^/]+/locations/[^/]+/operations/[^/]+)", VertexServer.get_operation),
]


def _type(kind: Any) -> str:
    return f"type.googleapis.com/google.cloud.aiplatform.v1.{kind.__name__}"
