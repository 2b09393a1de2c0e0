"""Runs and the recurring run of a pipeline on Kubeflow: what is created there, and how it is found again.

The pipeline has the name of the configuration. Its versions are named by a digest of the specification, so that an
unchanged one is not uploaded again. Runs are listed under the experiment `runner.kubeflow.experiment`, or one of the
pipeline's name, and are called <pipeline>-<time in UTC>; the recurring run has the pipeline's name.
"""

import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path
from typing import Any

import kfp
import kfp_server_api

from pipeline.config.configuration import Configuration
from pipeline.config.kubeflow import KubeflowSettings
from pipeline.cron import parse_cron
from runners.kubeflow.api import find_or_create, is_missing, name_filter, pages, uninterrupted
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
_MAX_RUNS = 20
_NEWEST_FIRST = "created_at desc"
_PAGE_SIZE = 100
# Prefix of a recurring run's description, before the digest of all that it was created from: the API does not return
# all of that.
_DIGEST = "bert-multilabel "


@dataclass(frozen=True)
class Version:
    """An uploaded version of a pipeline."""

    pipeline_id: str
    version_id: str


class Pipeline:
    """One pipeline on one Kubeflow installation.

    Args:
        client: A connected client.
        config: Configuration of the pipeline.
        settings: Its `runner.kubeflow`.
    """

    def __init__(self, client: kfp.Client, config: Configuration, settings: KubeflowSettings) -> None:
        self._client, self._name, self._settings = client, config.name, settings

    def upload(self, specification: bytes) -> Version:
        """Upload a specification, unless it has been uploaded before."""
        pipeline = find_or_create(self._find_pipeline, self._create_pipeline)
        name = sha256(specification).hexdigest()[:16]

        def find() -> Any:
            answer = self._client.list_pipeline_versions(pipeline.pipeline_id, filter=name_filter(name))
            return next(iter(answer.pipeline_versions or ()), None)

        def create() -> Any:
            with tempfile.TemporaryDirectory() as folder:
                file = Path(folder, "pipeline.yaml")
                file.write_bytes(specification)
                return self._client.upload_pipeline_version(str(file), name, pipeline_id=pipeline.pipeline_id)

        return Version(pipeline.pipeline_id, find_or_create(find, create).pipeline_version_id)

    def run(self, version: Version, parameters: Mapping[str, str] | None = None) -> RemoteRun:
        """Start a run.

        Args:
            version: What it runs.
            parameters: Parameters of the run; those that are left out have their defaults.
        """
        experiment = self._create_experiment()
        name = f"{self._name}-{datetime.now(UTC):%Y%m%dT%H%M%S.%fZ}"

        def find() -> Any:
            answer = self._client.list_runs(experiment_id=experiment, filter=name_filter(name))
            return next(iter(answer.runs or ()), None)

        def create() -> Any:
            return self._client.run_pipeline(
                experiment, name, params=dict(parameters or {}),
                pipeline_id=version.pipeline_id, version_id=version.version_id,
                pipeline_root=self._settings.pipeline_root, service_account=self._settings.service_account,
            )  # fmt: skip

        return self._remote_run(find_or_create(find, create))

    def runs(self) -> Sequence[RemoteRun]:
        """Return the pipeline's runs, those of its recurring run included: the newest first, at most twenty."""
        pipeline, experiment = self._find_pipeline(), self._find_experiment()
        if pipeline is None or experiment is None:
            return []
        found: list[RemoteRun] = []
        for run in pages(
            lambda token: self._client.list_runs(token, _PAGE_SIZE, _NEWEST_FIRST, experiment_id=experiment), "runs"
        ):
            if _belongs_to(run, pipeline.pipeline_id):
                found.append(self._remote_run(run))
            if len(found) == _MAX_RUNS:
                break
        return found

    def find_run(self, run: str) -> RemoteRun:
        """Return the state of a run.

        Raises:
            Refused: There is no such run.
        """
        try:
            found = self._client.get_run(run)
        except kfp_server_api.ApiException as error:
            if is_missing(error):
                raise Refused(f"run {run}: there is none; `bert-multilabel status` lists them") from None
            raise
        return self._remote_run(found)

    def end_run(self, run: str) -> RemoteRun:
        """Terminate a run, unless it has ended."""
        found = self.find_run(run)
        if found.state.ended:
            return found
        self._client.terminate_run(run)
        return self.find_run(run)

    def schedule(self, version: Version, cron: str, parameters: Mapping[str, str] | None = None) -> RemoteSchedule:
        """Create the recurring run, or replace the existing one, since the API cannot change it.

        The new one is created before the old one is deleted: a kill in between leaves two for a while rather than none
        unnoticed for ever, and the next call deletes the old one. What is paused stays paused. Other parameters alone
        do not make it another one.
        """
        fields = " ".join(parse_cron(cron).fields)
        parts = (version.version_id, fields, self._settings.service_account or "", self._settings.pipeline_root or "")
        description = _DIGEST + sha256("\n".join(parts).encode()).hexdigest()
        with uninterrupted():
            existing = self._recurring()
            current = next((each for each in existing if each.description == description), None)
            if current is None:
                current = self._client.create_recurring_run(
                    self._create_experiment(), self._name, description, cron_expression=f"0 {fields}",
                    params=dict(parameters or {}), max_concurrency=1, no_catchup=True,
                    pipeline_id=version.pipeline_id, version_id=version.version_id,
                    pipeline_root=self._settings.pipeline_root, service_account=self._settings.service_account,
                    enabled=not existing or _is_enabled(existing[0]),
                )  # fmt: skip
            self._delete(each for each in existing if each.recurring_run_id != current.recurring_run_id)
        return self._remote_schedule(current)

    def find_schedule(self) -> RemoteSchedule | None:
        """Return the recurring run, if there is one.

        Raises:
            Refused: A call that was killed has left two of them.
        """
        existing = self._recurring()
        if len(existing) > 1:
            ids = " and ".join(each.recurring_run_id for each in existing)
            raise Refused(
                f"schedule {self._name}: a command that was killed has left {len(existing)} of them ({ids}); "
                "--cron, --pause, --resume or --delete leaves one or none"
            )
        return self._remote_schedule(existing[0]) if existing else None

    def pause_schedule(self, *, paused: bool) -> RemoteSchedule:
        """Pause the recurring run, or resume it.

        Raises:
            Refused: There is none.
        """
        existing = self._recurring()
        if not existing:
            raise Refused(f"schedule {self._name}: there is none; --cron makes it")
        newest, *older = existing
        self._delete(older)
        if paused:
            self._client.disable_recurring_run(newest.recurring_run_id)
        else:
            self._client.enable_recurring_run(newest.recurring_run_id)
        return self._remote_schedule(self._client.get_recurring_run(newest.recurring_run_id))

    def delete_schedule(self) -> bool:
        """Delete the recurring run; return whether there was one."""
        existing = self._recurring()
        self._delete(existing)
        return bool(existing)

    def _delete(self, recurring: Sequence[Any] | Iterator[Any]) -> None:
        for each in recurring:
            try:
                # ORPHAN: a run of it that is under way goes on.
                self._client.recurring_runs.recurring_run_service_delete_recurring_run(
                    each.recurring_run_id, propagation_policy="ORPHAN"
                )
            except kfp_server_api.ApiException as error:
                if not is_missing(error):
                    raise

    def _recurring(self) -> list[Any]:
        """Return the recurring runs of this name and pipeline, the newest first."""
        pipeline, experiment = self._find_pipeline(), self._find_experiment()
        if pipeline is None or experiment is None:
            return []
        found = pages(
            lambda token: self._client.list_recurring_runs(
                token, _PAGE_SIZE, _NEWEST_FIRST, experiment_id=experiment, filter=name_filter(self._name)
            ),
            "recurring_runs",
        )
        return [each for each in found if _belongs_to(each, pipeline.pipeline_id)]

    def _find_pipeline(self) -> Any:
        answer = self._client.list_pipelines(filter=name_filter(self._name), namespace=self._settings.namespace)
        return next(iter(answer.pipelines or ()), None)

    def _create_pipeline(self) -> Any:
        pipeline = kfp_server_api.V2beta1Pipeline(
            name=self._name, display_name=self._name, namespace=self._settings.namespace
        )
        return self._client.pipelines.pipeline_service_create_pipeline(pipeline)

    def _create_experiment(self) -> str:
        """Return the ID of the experiment, which is created if it does not exist."""
        experiment = self._client.create_experiment(self._experiment_name, namespace=self._settings.namespace)
        return str(experiment.experiment_id)

    def _find_experiment(self) -> str | None:
        try:
            found = self._client.get_experiment(
                experiment_name=self._experiment_name, namespace=self._settings.namespace
            )
        except ValueError:  # kfp raises it where there is none
            return None
        return str(found.experiment_id)

    @property
    def _experiment_name(self) -> str:
        return self._settings.experiment or self._name

    def _remote_run(self, run: Any) -> RemoteRun:
        return RemoteRun(
            name=run.run_id,
            state=_STATES.get(run.state or "", RunState.UNKNOWN),
            created=run.created_at,
            page=self._page(f"runs/details/{run.run_id}"),
            error=_error(run),
        )

    def _remote_schedule(self, recurring: Any) -> RemoteSchedule:
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


def _belongs_to(run: Any, pipeline_id: str) -> bool:
    reference = run.pipeline_version_reference
    return reference is not None and reference.pipeline_id == pipeline_id


def _is_enabled(recurring: Any) -> bool:
    return bool(recurring.status == "ENABLED" if recurring.status else recurring.mode == "ENABLE")


def _error(run: Any) -> str | None:
    """Return the error of the first task that failed or, where no task has one, of the run."""
    tasks = run.run_details.task_details or () if run.run_details else ()
    errors = [
        f"{task.display_name}: {task.error.message}"
        for task in tasks
        if task.state == "FAILED" and task.error and task.error.message
    ]
    message = next(iter(errors), run.error.message if run.error else None)
    return " ".join(message.split()) if message else None
