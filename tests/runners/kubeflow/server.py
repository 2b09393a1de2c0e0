"""Stand-in for Kubeflow's API server, v2beta1: over HTTP, with state, as strict as the real one.

Requests and answers have the fields of kfp_server_api's models; refusals are those of kubeflow/pipelines,
backend/src/apiserver (server/*.go, resource/resource_manager.go). Nothing runs: tests set the states of runs.
"""

import json
import re
import threading
import uuid
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from email.parser import BytesParser
from email.policy import HTTP
from typing import Any

import kfp_server_api as models
import yaml
from google.protobuf import json_format
from kfp.pipeline_spec import pipeline_spec_pb2

from tests.support.http_server import HttpServer, Json, Reply, Request

DROP = -1
"""Instead of a status: close the connection, with nothing done."""
LOSE = -2
"""Instead of a status: close the connection after the request was carried out."""

_FINAL = ("SUCCEEDED", "SKIPPED", "FAILED", "CANCELED")


@dataclass(frozen=True)
class _Call:
    """A request, with the name and the verb in its path."""

    asked: str
    query: dict[str, str]
    body: Any
    name: str = ""
    verb: str = ""


class RefusedError(Exception):
    """The API refuses a request."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status, self.message = status, message


class KubeflowServer(HttpServer):
    """One Kubeflow installation.

    Args:
        multi_user: Whether lists need a namespace or an experiment.
        token: Bearer token that requests must carry; None: none.

    Attributes:
        pipelines: Pipelines by ID. The other objects are kept in the same way.
        tasks: The cache's table, in which launchers enter what they have run.
        asked: Method and path of each request.
        trouble: Pairs of a request's beginning (method and path) and the status, `DROP` or `LOSE` to answer it with.
        meanwhile: Pairs of a request's beginning and a function to call before it is answered.
    """

    def __init__(self, *, multi_user: bool = False, token: str | None = None) -> None:
        super().__init__()
        self.multi_user, self.token = multi_user, token
        self.pipelines: dict[str, Json] = {}
        self.versions: dict[str, Json] = {}
        self.experiments: dict[str, Json] = {}
        self.runs: dict[str, Json] = {}
        self.recurring: dict[str, Json] = {}
        self.tasks: list[Json] = []
        self.asked: list[str] = []
        self.trouble: list[tuple[str, int]] = []
        self.meanwhile: list[tuple[str, Callable[[], object]]] = []
        self._clock = datetime(2026, 1, 1, tzinfo=UTC)
        self._lock = threading.Lock()

    def enabled(self) -> list[Json]:
        """Return the recurring runs that are not paused."""
        return [each for each in self.recurring.values() if each["status"] == "ENABLED"]

    def tick(self, recurring_run: str) -> str:
        """Start the next run of a recurring run; return its ID."""
        source = self.recurring[recurring_run]
        given = {key: source[key] for key in ("display_name", "experiment_id", "pipeline_version_reference")}
        return str(self._start(given | {"recurring_run_id": recurring_run})["run_id"])

    def _now(self) -> str:
        self._clock += timedelta(seconds=1)
        return self._clock.isoformat().replace("+00:00", "Z")

    # === Routes ===

    def answer(self, request: Request) -> Reply | None:
        """Answer as the API does, or as a test has arranged."""
        asked = f"{request.method} {request.path.removeprefix('/apis/v2beta1')}"
        with self._lock:
            self.asked.append(asked)
            (self._taken(self.meanwhile, asked) or bool)()
            trouble = self._taken(self.trouble, asked)
            reply = self._reply(request, asked) if trouble in (None, LOSE) else None
        if trouble in (DROP, LOSE):
            return None
        return reply or Reply(trouble, {"error": "trouble"})

    def _reply(self, request: Request, asked: str) -> Reply:
        if self.token is not None and request.headers["Authorization"] != f"Bearer {self.token}":
            message = "Unauthenticated: Request header error: there is no user identity header."
            return Reply(401, {"error": message, "code": 16, "message": message, "details": []})
        try:
            return Reply(body=self._route(_Call(asked, request.query, _body(request))))
        except RefusedError as refused:
            error = {"error": refused.message, "code": 3, "message": refused.message, "details": []}
            return Reply(refused.status, error)

    def _route(self, request: _Call) -> Json:
        """Call the handler of a request.

        Raises:
            RefusedError: The API refuses.
        """
        handlers = (
            (r"GET /healthz", self._healthz),
            (r"GET /pipelines", self._list_pipelines),
            (r"POST /pipelines", self._create_pipeline),
            (r"GET /pipelines/([^/:]+)/versions", self._list_versions),
            (r"POST /pipelines/upload_version", self._upload_version),
            (r"GET /experiments", self._list_experiments),
            (r"POST /experiments", self._create_experiment),
            (r"GET /runs", self._list_runs),
            (r"POST /runs", self._create_run),
            (
                r"DELETE /pipelines/([^/:]+)/versions/([^/:]+)",
                lambda request: self._delete(self.versions, request.verb),
            ),
            (r"DELETE /pipelines/([^/:]+)", self._delete_pipeline),
            (r"DELETE /experiments/([^/:]+)", lambda request: self._delete(self.experiments, request.name)),
            (r"DELETE /runs/([^/:]+)", lambda request: self._delete(self.runs, request.name)),
            (r"GET /apis/v1alpha1/tasks", self._list_tasks),
            (r"GET /runs/([^/:]+)", lambda request: self._found(self.runs, "Run", request.name)),
            (r"POST /runs/([^/:]+):terminate", self._terminate),
            (r"GET /recurringruns", self._list_recurring),
            (r"POST /recurringruns", self._create_recurring),
            (r"GET /recurringruns/([^/:]+)", lambda request: self._found(self.recurring, "Job", request.name)),
            (r"POST /recurringruns/([^/:]+):(enable|disable)", self._switch),
            (r"DELETE /recurringruns/([^/:]+)", self._delete_recurring),
        )
        for pattern, handle in handlers:
            match = re.fullmatch(pattern, request.asked)
            if match:
                name, verb, *_ = (*match.groups(), "", "")
                return handle(replace(request, name=name, verb=verb))
        raise RefusedError(404, "Not Found")

    def _healthz(self, _: _Call) -> Json:
        return {"multi_user": self.multi_user}

    def _list_pipelines(self, request: _Call) -> Json:
        listed = [each for each in self.pipelines.values() if each["namespace"] == request.query.get("namespace", "")]
        return _page("pipelines", listed, request.query)

    def _create_pipeline(self, request: _Call) -> Json:
        given = _checked(request.body, models.V2beta1Pipeline)
        name, namespace = given.get("display_name") or given.get("name"), given.get("namespace", "")
        if not name:
            raise RefusedError(400, "pipeline's name cannot be empty")
        if any((each["display_name"], each["namespace"]) == (name, namespace) for each in self.pipelines.values()):
            raise RefusedError(409, f"Failed to create a pipeline: Already exist error: The name {name} already exist")
        created = {"pipeline_id": _new_id(), "display_name": name, "namespace": namespace, "created_at": self._now()}
        return self.pipelines.setdefault(created["pipeline_id"], created)

    def _list_versions(self, request: _Call) -> Json:
        self._found(self.pipelines, "Pipeline", request.name)
        listed = [each for each in self.versions.values() if each["pipeline_id"] == request.name]
        return _page("pipeline_versions", listed, request.query)

    def _upload_version(self, request: _Call) -> Json:
        pipeline, name = request.query["pipelineid"], request.query["name"]
        self._found(self.pipelines, "Pipeline", pipeline)
        if name in [each["display_name"] for each in self.versions.values() if each["pipeline_id"] == pipeline]:
            raise RefusedError(409, f"Already exist error: The name {name} already exist")
        try:
            spec, *rest = yaml.safe_load_all(request.body)
            json_format.ParseDict(spec, pipeline_spec_pb2.PipelineSpec())
            for platform in rest:
                json_format.ParseDict(platform, pipeline_spec_pb2.PlatformSpec())
        except (yaml.YAMLError, json_format.ParseError, ValueError) as error:
            raise RefusedError(400, f"Failed to parse the pipeline specification: {error}") from None
        created = {
            "pipeline_id": pipeline, "pipeline_version_id": _new_id(), "display_name": name,
            "created_at": self._now(), "pipeline_spec": spec,
        }  # fmt: skip
        return self.versions.setdefault(created["pipeline_version_id"], created)

    def _list_experiments(self, request: _Call) -> Json:
        listed = [each for each in self.experiments.values() if each["namespace"] == request.query.get("namespace", "")]
        return _page("experiments", listed, request.query)

    def _create_experiment(self, request: _Call) -> Json:
        given = _checked(request.body, models.V2beta1Experiment)
        if not given.get("display_name"):
            raise RefusedError(400, "Experiment must have a non-empty name")
        if self.multi_user and not given.get("namespace"):
            raise RefusedError(400, "Experiment cannot have an empty namespace in multi-user mode")
        created = {"experiment_id": _new_id(), "namespace": "", "created_at": self._now(), **given}
        return self.experiments.setdefault(created["experiment_id"], created)

    def _list_runs(self, request: _Call) -> Json:
        self._check_scope(request.query)
        listed = [each for each in self.runs.values() if each["experiment_id"] == request.query.get("experiment_id")]
        return _page("runs", listed, request.query)

    def _create_run(self, request: _Call) -> Json:
        given = _checked(request.body, models.V2beta1Run)
        if not given.get("display_name"):
            raise RefusedError(400, "The run name is empty. Please specify a valid name")
        self._check_references(given)
        return self._start(given)

    def _start(self, given: Json) -> Json:
        created = {"run_id": _new_id(), "state": "PENDING", "storage_state": "AVAILABLE", "created_at": self._now()}
        return self.runs.setdefault(str(created["run_id"]), given | created)

    def _terminate(self, request: _Call) -> Json:
        found = self._found(self.runs, "Run", request.name)
        if found["state"] in _FINAL:
            raise RefusedError(
                400, f"Failed to terminate a run: Run {request.name} cannot be terminated in {found['state']}"
            )
        found["state"] = "CANCELING"
        return {}

    def _list_recurring(self, request: _Call) -> Json:
        self._check_scope(request.query)
        listed = [
            each for each in self.recurring.values() if each["experiment_id"] == request.query.get("experiment_id")
        ]
        return _page("recurringRuns", listed, request.query)

    def _create_recurring(self, request: _Call) -> Json:
        given = _checked(request.body, models.V2beta1RecurringRun)
        if not given.get("display_name"):
            raise RefusedError(400, "Recurring run name is empty. Please specify a valid name")
        if given.get("mode") not in ("ENABLE", "DISABLE"):
            raise RefusedError(400, "Recurring run's mode must be specified")
        if not 1 <= int(given.get("max_concurrency", 0)) <= 10:
            raise RefusedError(400, "max_concurrency of the recurring run must be in range [1, 10]")
        cron = given.get("trigger", {}).get("cron_schedule", {}).get("cron", "")
        # robfig/cron, version 1: seconds first, days of the week end at 6.
        if len(cron.split()) != 6 or "7" in cron.split()[5]:
            raise RefusedError(400, f"The schedule is not valid: Failed to parse cron spec {cron}")
        self._check_references(given)
        now = self._now()
        status = "ENABLED" if given["mode"] == "ENABLE" else "DISABLED"
        created = {"recurring_run_id": _new_id(), "status": status, "created_at": now, "updated_at": now}
        return self.recurring.setdefault(created["recurring_run_id"], given | created)

    def _switch(self, request: _Call) -> Json:
        found = self._found(self.recurring, "Job", request.name)
        found["status"], found["mode"] = f"{request.verb.upper()}D", request.verb.upper()
        return {}

    def _delete_recurring(self, request: _Call) -> Json:
        self._found(self.recurring, "Job", request.name)
        del self.recurring[request.name]
        if request.query.get("propagation_policy") != "ORPHAN":
            for run in self.runs.values():
                if run.get("recurring_run_id") == request.name and run["state"] not in _FINAL:
                    run["state"] = "FAILED"  # its workflow went with what owned it
        return {}

    def _delete_pipeline(self, request: _Call) -> Json:
        self._found(self.pipelines, "Pipeline", request.name)
        if any(each["pipeline_id"] == request.name for each in self.versions.values()):
            raise RefusedError(400, f"Failed to delete pipeline with id {request.name} as it has existing versions")
        return self._delete(self.pipelines, request.name)

    def _delete(self, objects: dict[str, Json], name: str) -> Json:
        self._found(objects, "object", name)
        del objects[name]
        return {}

    def _list_tasks(self, request: _Call) -> Json:
        """List the cache's table (apiserver/server/task_server.go:96-119)."""
        (predicate,) = json.loads(request.query["filter"])["predicates"]
        assert (predicate["op"], predicate["key"]) == ("EQUALS", "pipelineName")
        found = [task for task in self.tasks if task["pipeline_name"] == predicate["stringValue"]]
        # Empty fields are not in the answer: apiserver/common/utils.go:150-166.
        return {"tasks": found, "total_size": len(found)} if found else {}

    # === Checks ===

    def _found(self, objects: dict[str, Json], kind: str, name: str) -> Json:
        if name not in objects:
            raise RefusedError(404, f"Failed to get a {kind}: ResourceNotFoundError: {kind} {name} not found")
        return objects[name]

    def _check_references(self, given: Json) -> None:
        if given.get("experiment_id") not in self.experiments:
            raise RefusedError(404, f"Experiment {given.get('experiment_id')} not found")
        reference = given.get("pipeline_version_reference", {})
        version = self.versions.get(reference.get("pipeline_version_id", ""))
        if version is None or version["pipeline_id"] != reference.get("pipeline_id"):
            raise RefusedError(404, "Failed to fetch a template due to error retrieving the pipeline version")

    def _check_scope(self, query: dict[str, str]) -> None:
        if self.multi_user and not query.get("namespace") and not query.get("experiment_id"):
            raise RefusedError(400, "Invalid input error: A run must be listed within a namespace or an experiment")

    def _taken(self, waiting: list[tuple[str, Any]], asked: str) -> Any:
        """Return what a test has arranged for a request, and remove it; None if nothing."""
        for index, (beginning, arranged) in enumerate(waiting):
            if asked.startswith(beginning):
                del waiting[index]
                return arranged
        return None


def _body(request: Request) -> Any:
    """Return the JSON of a request, or the file that it uploads."""
    kind = request.headers["Content-Type"] or ""
    if not kind.startswith("multipart/form-data"):
        return json.loads(request.body) if request.body else None
    message = BytesParser(policy=HTTP).parsebytes(f"Content-Type: {kind}\r\n\r\n".encode() + request.body)
    (part,) = message.iter_parts()
    assert part.get_param("name", header="content-disposition") == "uploadfile"
    return part.get_payload(decode=True)


def _new_id() -> str:
    return str(uuid.uuid4())


def _checked(body: Any, model: Any) -> Json:
    """Return the body of a request, whose fields must be those of the model."""
    unknown = set(body) - set(model.attribute_map.values())
    if unknown:
        raise RefusedError(400, f"unknown fields {sorted(unknown)}")
    return dict(body)


def _page(field: str, objects: list[Json], query: dict[str, str]) -> Json:
    """Return a page of a list: filtered, sorted, of at most 200 elements."""
    for predicate in json.loads(query.get("filter") or "{}").get("predicates", ()):
        assert predicate["operation"] in ("EQUALS", 1)
        assert predicate["key"] == "display_name"
        objects = [each for each in objects if each["display_name"] == predicate["stringValue"]]
    key, *order = (query.get("sort_by") or "created_at").split()
    assert key == "created_at"
    objects = sorted(objects, key=lambda each: str(each[key]), reverse=order == ["desc"])
    start, size = int(query.get("page_token") or 0), min(int(query.get("page_size") or 20), 200)
    more = {"next_page_token": str(start + size)} if start + size < len(objects) else {}
    return {field: objects[start : start + size], "total_size": len(objects), **more}
