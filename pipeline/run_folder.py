"""Folder of one run, `<work_dir>/runs/<time>`: what is written into it while the run goes on, and read afterwards."""

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from components.common.files import make_folder, write_whole
from components.example_gen.first_pass import FirstPass
from components.example_gen.report import IngestReport
from components.pusher.push_result import PushResult
from components.registry import SERVING_FOLDER, ModelRecord, latest
from components.report.summary import Provenance, Summary, failed_summary, summarize_rows
from pipeline.config.configuration import Configuration
from pipeline.errors import describe, outcome_of
from pipeline.provenance import find_provenance
from schema.errors import Refused

_EXAMPLE_GEN, _TRANSFORM, _TRAINER, _PUSHER = "TextExampleGen", "Transform", "Trainer", "RegistryPusher"
_ARTIFACTS = "artifacts.json"  # {component: {output: URI}}
_CONFIGURATION = "configuration.json"
RUN_LOG = "log.txt"
_TIME_FORMAT = "%Y%m%dT%H%M%S.%fZ"
_HINT = "give a folder of <work_dir>/runs"


class RunFolder:
    """Folder of a run in progress. As an `Observer`, it records each component's outputs as soon as they exist."""

    def __init__(self, path: Path, configuration: Configuration) -> None:
        self.path = path
        self._registry = configuration.registry
        self._artifacts: dict[str, Mapping[str, str]] = {}
        write_whole(str(path / _CONFIGURATION), configuration.model_dump_json(indent=2).encode())
        find_provenance().write(str(path))

    @property
    def log(self) -> Path:
        """File that the libraries' messages go to."""
        return self.path / RUN_LOG

    @property
    def quarantined(self) -> int:
        """Number of quarantined rows; 0 if the run has not read the data yet."""
        report = self._read_ingest_report()
        return 0 if report is None else report.quarantined

    def step_started(self, name: str, position: int, total: int) -> None:  # noqa: ARG002
        """Record that the push has begun, so that `find_pushed` asks the registry if this run does not get further."""
        if name == _PUSHER:
            self._record_outputs(name, {})

    def step_finished(self, name: str, seconds: float, cached: bool, outputs: Mapping[str, str]) -> None:  # noqa: ARG002
        self._record_outputs(name, outputs)

    def keep_first_pass(self, found: FirstPass) -> None:
        """Keep the rows that a first pass could not read, where `quarantine` finds them until the step has its own."""
        from components.example_gen.quarantine import QuarantinedRow, write_rows  # imports pyarrow

        uri = str(self.path / "quarantine")
        rows = [QuarantinedRow(file, row.line, row.explanation, row.raw) for file, row in found.rejects]
        make_folder(uri)
        write_rows(rows, uri)
        found.report.write(uri)
        self._record_outputs(_EXAMPLE_GEN, {"quarantine": uri})

    def summarize_failure(self, error: BaseException) -> Summary:
        """Return the summary of the run that an error has ended: the rows if it had read them, what it had pushed."""
        report = self._read_ingest_report()
        rows = None if report is None else summarize_rows(report)
        pushed = find_pushed(self._artifacts, self._registry)
        return failed_summary(describe(error), outcome_of(error)).model_copy(
            update={"rows": rows, "pushed": pushed, "blessed": pushed is not None}
        )

    def _record_outputs(self, name: str, outputs: Mapping[str, str]) -> None:
        self._artifacts[name] = dict(outputs)
        write_whole(str(self.path / _ARTIFACTS), json.dumps(self._artifacts, indent=2).encode())

    def _read_ingest_report(self) -> IngestReport | None:
        outputs = self._artifacts.get(_EXAMPLE_GEN)
        return None if outputs is None else IngestReport.read(outputs["quarantine"])


def find_pushed(artifacts: Mapping[str, Mapping[str, str]], registry: str) -> str | None:
    """Return the version that a run pushed, also if it was ended before it could write that down.

    Args:
        artifacts: URIs of the run's outputs by component and key.
        registry: The registry. It is asked if the push began and has no result: it has the model, or it has not.

    Returns:
        Path of the version; None if nothing was pushed.
    """
    if _PUSHER not in artifacts:
        return None
    try:
        if uris := artifacts[_PUSHER]:
            return PushResult.read(uris["pushed_model"]).path
        model = ModelRecord.read(f"{artifacts[_TRAINER]['model']}/{SERVING_FOLDER}")
        newest = latest(registry)
        if newest is not None and ModelRecord.read(newest.path).model_id == model.model_id:
            return newest.path
    except (OSError, Refused, KeyError):  # the artifacts are gone, or the registry cannot be read
        pass
    return None


def read_pushed(run: Path) -> str | None:
    """Return the version that the run of a folder pushed, of a run that left no summary; None if it pushed none."""
    return find_pushed(_read_artifacts(run), read_configuration(run).get("registry", ""))


def find_quarantine(path: Path) -> str:
    """Return the URI of the quarantine of a run.

    Args:
        path: The run's folder, or a working directory, which stands for its newest run that has a quarantine.

    Raises:
        Refused: There is no such folder, no run in it that read data, or its artifacts are gone.
    """
    # If ExampleGen refused the data, only the components before it have artifacts.
    run = _find_run_with(path, _EXAMPLE_GEN, "has read any data")
    uri = read_outputs(run)["quarantine"]
    if not Path(uri).is_dir():
        raise Refused(f"{run}: its quarantine {uri} is gone; run check again")
    return uri


def find_transformed_run(path: Path) -> Path:
    """Return the folder of a run that has transformed its examples.

    Args:
        path: The run's folder, or a working directory, which stands for its newest run that got that far.

    Raises:
        Refused: There is no such folder, or no run in it got that far.
    """
    return _find_run_with(path, _TRANSFORM, "has transformed its examples")


def _find_run_with(path: Path, component: str, achievement: str) -> Path:
    """Return the folder of a run in which a component has completed: the one given, or the newest of a work_dir."""
    if not path.is_dir():
        raise Refused(f"{path}: no such run; {_HINT}")
    candidates = [path] if (path / _ARTIFACTS).exists() else sorted((path / "runs").glob("*"), reverse=True)
    for run in candidates:
        if _read_artifacts(run).get(component) is not None:
            return run
    raise Refused(f"{path}: no run here {achievement}; {_HINT}")


def find_ended_run(path: Path) -> Path:
    """Return the folder of a run that has ended.

    Args:
        path: The run's folder, or a working directory, which stands for its newest run that has ended.

    Raises:
        Refused: There is no such folder, or no run in it has ended.
    """
    if not path.is_dir():
        raise Refused(f"{path}: no such run; {_HINT}")
    for run in [path, *sorted((path / "runs").glob("*"), reverse=True)]:
        if has_ended(run):
            return run
    raise Refused(f"{path}: no run here has ended; {_HINT}")


def has_ended(run: Path) -> bool:
    """Return whether a run has ended, and so left a summary."""
    return (run / Summary.FILE).exists()


def read_outputs(run: Path) -> dict[str, str]:
    """Return the URIs of a run's artifacts by output key, of the components that completed."""
    return {key: uri for outputs in _read_artifacts(run).values() for key, uri in outputs.items()}


def read_configuration(run: Path) -> dict[str, Any]:
    """Return the configuration of a run, as JSON; empty if the run was made by a version that did not keep it.

    Raises:
        Refused: The file is damaged or cannot be read.
    """
    return _read_object(run / _CONFIGURATION)


def read_provenance(run: Path) -> Provenance | None:
    """Return what started a run; None if the run was made by a version that did not keep it, or it is damaged."""
    try:
        return Provenance.read(str(run))
    except (FileNotFoundError, Refused):
        return None


def start_time(run: Path) -> datetime:
    """Return when a run started, in UTC: by the name of its folder, or if that was renamed, by its summary's time.

    Raises:
        FileNotFoundError: The folder is not named by a time and has no summary, so it is not a run's.
    """
    try:
        return datetime.strptime(run.name, _TIME_FORMAT).replace(tzinfo=UTC)
    except ValueError:
        return datetime.fromtimestamp((run / Summary.FILE).stat().st_mtime, UTC)


def _read_artifacts(run: Path) -> dict[str, dict[str, str]]:
    """Read the recorded artifacts of a folder; none if it is not a run's, or no component completed."""
    artifacts = _read_object(run / _ARTIFACTS)
    if not all(isinstance(outputs, dict) for outputs in artifacts.values()):
        raise Refused(f"{run / _ARTIFACTS}: is damaged (not outputs by component); restore it, or run again")
    return artifacts


def _read_object(path: Path) -> dict[str, Any]:
    """Read a file with a JSON object; empty if it does not exist."""
    try:
        value = json.loads(path.read_bytes())
    except FileNotFoundError:
        return {}
    except OSError as error:
        raise Refused(f"{path}: cannot be read ({error.strerror}); restore it, or run again") from None
    except (ValueError, RecursionError) as error:
        raise Refused(f"{path}: is damaged ({error}); restore it, or run again") from None
    if not isinstance(value, dict):
        raise Refused(f"{path}: is damaged (not an object); restore it, or run again")
    return value
