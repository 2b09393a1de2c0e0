"""Runs and the recurring run of a pipeline on Kubeflow: what is made there, and how it is found again.

The pipeline is named as the configuration, its versions by a digest of the specification, so that what has not changed
is not uploaded again. Runs are listed under the experiment `runner.kubeflow.experiment`, or one named as the pipeline,
and named <pipeline>-<time in UTC>; the recurring run is named as the pipeline.
"""

import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path
from typing import Any

import kfp
import kfp_server_api

from pipeline.config.configuration import Configuration
from pipeline.config.kubeflow import KubeflowSettings
from runners.kubeflow.api import found_or_made, is_missing, named, pages, uninterrupted
from runners.local.schedule import parse_cron
from runners.remote.remote import RemoteRun, RemoteSchedule, RunState
from schema.errors import Refused

_STATES = {
    "PENDING": RunState.WAITING,
    "PAUSED": RunState.WAITING,
    "RUNNING": RunState.RUNNING,
    "CANCELING": RunState.CANCELLING,
    "CANCELED": RunState.CANCELLED,
    "SUCCEEDED": RunState.SUCCEEDED,
    "SKIPPED": RunState.SUCCEEDED,
    "FAILED": RunState.FAILED,
}
_MOST_RUNS = 20
_NEWEST_FIRST = "created_at desc"
_PAGE = 100
# Before the digest of all that a recurring run was made of, which the API cannot be asked for in whole.
_MADE_OF = "bert-multilabel "


@dataclass(frozen=True)
class Version:
    """A pipeline as it was uploaded."""

    pipeline_id: str
    version_id: str


class Pipeline:
    """One pipeline on one Kubeflow.

    Args:
        client: Connected.
        config: The pipeline's.
        settings: Its `runner.kubeflow`.
    """

    def __init__(self, client: kfp.Client, config: Configuration, settings: KubeflowSettings) -> None:
        self._client, self._name, self._settings = client, config.name, settings

    def upload(self, specification: bytes) -> Version:
        """Uploads a specification, unless it is there."""
        made = found_or_made(self._find_pipeline, self._make_pipeline)
        version = sha256(specification).hexdigest()[:16]

        def find() -> Any:
            answer = self._client.list_pipeline_versions(made.pipeline_id, filter=named(version))
            return next(iter(answer.pipeline_versions or ()), None)

        def make() -> Any:
            with tempfile.TemporaryDirectory() as folder:
                file = Path(folder, "pipeline.yaml")
                file.write_bytes(specification)
                return self._client.upload_pipeline_version(str(file), version, pipeline_id=made.pipeline_id)

        return Version(made.pipeline_id, found_or_made(find, make).pipeline_version_id)

    def run(self, version: Version) -> RemoteRun:
        """Starts a run."""
        experiment = self._experiment()
        name = f"{self._name}-{datetime.now(UTC):%Y%m%dT%H%M%S.%fZ}"

        def find() -> Any:
            answer = self._client.list_runs(experiment_id=experiment, filter=named(name))
            return next(iter(answer.runs or ()), None)

        def make() -> Any:
            return self._client.run_pipeline(
                experiment, name, pipeline_id=version.pipeline_id, version_id=version.version_id,
                service_account=self._settings.service_account,
            )  # fmt: skip

        return self._told(found_or_made(find, make))

    def runs(self) -> Sequence[RemoteRun]:
        """The pipeline's, those of its recurring run among them, the newest first."""
        pipeline, experiment = self._find_pipeline(), self._find_experiment()
        if pipeline is None or experiment is None:
            return []
        found: list[RemoteRun] = []
        for run in pages(
            lambda token: self._client.list_runs(token, _PAGE, _NEWEST_FIRST, experiment_id=experiment), "runs"
        ):
            if _is_of(run, pipeline.pipeline_id):
                found.append(self._told(run))
            if len(found) == _MOST_RUNS:
                break
        return found

    def find_run(self, run: str) -> RemoteRun:
        """Where a run stands.

        Raises:
            Refused: There is none.
        """
        try:
            found = self._client.get_run(run)
        except kfp_server_api.ApiException as error:
            if is_missing(error):
                raise Refused(f"run {run}: there is none; `bert-multilabel status` lists them") from None
            raise
        return self._told(found)

    def end_run(self, run: str) -> RemoteRun:
        """Ends it, unless it has ended."""
        found = self.find_run(run)
        if found.state.ended:
            return found
        self._client.terminate_run(run)
        return self.find_run(run)

    def schedule(self, version: Version, cron: str) -> RemoteSchedule:
        """Makes the recurring run, or another in the place of the one that is there: the API changes none.

        The new one comes before the old one goes, so that a kill in between leaves two for a while rather than none
        unnoticed for ever; the next call takes the old one away. What is paused stays paused.
        """
        fields = " ".join(parse_cron(cron).fields)
        wanted = "\n".join((version.version_id, fields, self._settings.service_account or ""))
        made_of = _MADE_OF + sha256(wanted.encode()).hexdigest()
        with uninterrupted():
            there = self._recurring()
            current = next((each for each in there if each.description == made_of), None)
            if current is None:
                current = self._client.create_recurring_run(
                    self._experiment(), self._name, made_of, cron_expression=f"0 {fields}", max_concurrency=1,
                    no_catchup=True, pipeline_id=version.pipeline_id, version_id=version.version_id,
                    service_account=self._settings.service_account,
                    enabled=not there or _is_enabled(there[0]),
                )  # fmt: skip
            self._delete(each for each in there if each.recurring_run_id != current.recurring_run_id)
        return self._planned(current)

    def find_schedule(self) -> RemoteSchedule | None:
        """The recurring run.

        Raises:
            Refused: A call that was killed has left two of them.
        """
        there = self._recurring()
        if len(there) > 1:
            ids = " and ".join(each.recurring_run_id for each in there)
            raise Refused(
                f"schedule {self._name}: there are {len(there)} ({ids}), since a command was killed; "
                "--cron, --pause, --resume or --delete leaves one or none"
            )
        return self._planned(there[0]) if there else None

    def pause_schedule(self, *, paused: bool) -> RemoteSchedule:
        """Pauses or resumes it.

        Raises:
            Refused: There is none.
        """
        there = self._recurring()
        if not there:
            raise Refused(f"schedule {self._name}: there is none; --cron makes it")
        newest, *older = there
        self._delete(older)
        if paused:
            self._client.disable_recurring_run(newest.recurring_run_id)
        else:
            self._client.enable_recurring_run(newest.recurring_run_id)
        return self._planned(self._client.get_recurring_run(newest.recurring_run_id))

    def delete_schedule(self) -> bool:
        """Deletes it; whether there was one."""
        there = self._recurring()
        self._delete(there)
        return bool(there)

    def _delete(self, recurring: Sequence[Any] | Iterator[Any]) -> None:
        for each in recurring:
            try:
                # A run of it that is under way goes on.
                self._client.recurring_runs.recurring_run_service_delete_recurring_run(
                    each.recurring_run_id, propagation_policy="ORPHAN"
                )
            except kfp_server_api.ApiException as error:
                if not is_missing(error):
                    raise

    def _recurring(self) -> list[Any]:
        """The recurring runs of this name and pipeline, the newest first."""
        pipeline, experiment = self._find_pipeline(), self._find_experiment()
        if pipeline is None or experiment is None:
            return []
        found = pages(
            lambda token: self._client.list_recurring_runs(
                token, _PAGE, _NEWEST_FIRST, experiment_id=experiment, filter=named(self._name)
            ),
            "recurring_runs",
        )
        return [each for each in found if _is_of(each, pipeline.pipeline_id)]

    def _find_pipeline(self) -> Any:
        answer = self._client.list_pipelines(filter=named(self._name), namespace=self._settings.namespace)
        return next(iter(answer.pipelines or ()), None)

    def _make_pipeline(self) -> Any:
        wanted = kfp_server_api.V2beta1Pipeline(
            name=self._name, display_name=self._name, namespace=self._settings.namespace
        )
        return self._client.pipelines.pipeline_service_create_pipeline(wanted)

    def _experiment(self) -> str:
        """Its ID; made if missing."""
        made = self._client.create_experiment(self._experiment_name, namespace=self._settings.namespace)
        return str(made.experiment_id)

    def _find_experiment(self) -> str | None:
        try:
            found = self._client.get_experiment(
                experiment_name=self._experiment_name, namespace=self._settings.namespace
            )
        except ValueError:  # kfp's way to say that there is none
            return None
        return str(found.experiment_id)

    @property
    def _experiment_name(self) -> str:
        return self._settings.experiment or self._name

    def _told(self, run: Any) -> RemoteRun:
        return RemoteRun(
            name=run.run_id,
            state=_STATES.get(run.state or "", RunState.UNKNOWN),
            created=run.created_at,
            page=self._page(f"runs/details/{run.run_id}"),
            error=_why_failed(run),
        )

    def _planned(self, recurring: Any) -> RemoteSchedule:
        trigger = recurring.trigger.cron_schedule
        return RemoteSchedule(
            name=self._name,
            cron=trigger.cron.removeprefix("0 ") if trigger else "no cron expression",
            paused=not _is_enabled(recurring),
            time_zone="the cluster's time, UTC unless it was set otherwise",
            page=self._page(f"recurringrun/details/{recurring.recurring_run_id}"),
        )

    def _page(self, path: str) -> str:
        return f"{(self._settings.ui or self._settings.endpoint or '').rstrip('/')}/#/{path}"


def _is_of(thing: Any, pipeline_id: str) -> bool:
    reference = thing.pipeline_version_reference
    return reference is not None and reference.pipeline_id == pipeline_id


def _is_enabled(recurring: Any) -> bool:
    return bool(recurring.status == "ENABLED" if recurring.status else recurring.mode == "ENABLE")


def _why_failed(run: Any) -> str | None:
    """What the run's tasks say, the first that failed first, or the run itself."""
    tasks = run.run_details.task_details or () if run.run_details else ()
    of_tasks = [
        f"{task.display_name}: {task.error.message}"
        for task in tasks
        if task.state == "FAILED" and task.error and task.error.message
    ]
    said = next(iter(of_tasks), run.error.message if run.error else None)
    return " ".join(said.split()) if said else None
