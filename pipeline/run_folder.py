"""The folder of one run: `<work_dir>/runs/<time>`."""

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from components.common.files import write_whole
from components.common.outcome import Outcome
from components.example_gen.report import IngestReport, read_report
from components.report.summary import Summary, failed_summary, summarize_rows
from pipeline.config.configuration import Configuration
from schema.errors import Refused

_EXAMPLE_GEN = "TextExampleGen"
_ARTIFACTS = "artifacts.json"  # {component: {output: URI}}
_CONFIGURATION = "configuration.json"
_TIME = "%Y%m%dT%H%M%S.%fZ"


class RunFolder:
    """Notes where each component's outputs lie, so that they are found also if a later one fails. An `Observer`."""

    def __init__(self, path: Path, configuration: Configuration) -> None:
        self.path = path
        self._artifacts: dict[str, Mapping[str, str]] = {}
        write_whole(str(path / _CONFIGURATION), configuration.model_dump_json(indent=2).encode())

    def step_started(self, name: str, position: int, total: int) -> None:
        """Nothing to note."""

    def step_finished(self, name: str, seconds: float, cached: bool, outputs: Mapping[str, str]) -> None:  # noqa: ARG002
        self._artifacts[name] = dict(outputs)
        write_whole(str(self.path / _ARTIFACTS), json.dumps(self._artifacts, indent=2).encode())

    def failed(self, reason: str, outcome: Outcome) -> Summary:
        """The summary of a run that ended early: why, and of what data as far as it was read."""
        report = self._report()
        rows = None if report is None else summarize_rows(report)
        return failed_summary(reason, outcome).model_copy(update={"rows": rows})

    @property
    def quarantined(self) -> int:
        """Rows in the quarantine, as far as there is one."""
        report = self._report()
        return 0 if report is None else report.quarantined

    def _report(self) -> IngestReport | None:
        outputs = self._artifacts.get(_EXAMPLE_GEN)
        return None if outputs is None else read_report(outputs["quarantine"])


def quarantine_of(path: Path) -> str:
    """Where the quarantine of a run lies.

    Args:
        path: The run's folder, or a working directory, for its newest run that has one.

    Raises:
        Refused: There is no such folder, no run in it that read data, or its artifacts are gone.
    """
    if not path.is_dir():
        raise Refused(f"{path}: no such run; give a folder that lies in <work_dir>/runs")
    candidates = [path] if (path / _ARTIFACTS).exists() else sorted((path / "runs").glob("*"), reverse=True)
    for run in candidates:
        # A run whose ExampleGen refused the data has artifacts of what came before it only.
        outputs = _artifacts(run).get(_EXAMPLE_GEN)
        if outputs is not None:
            uri = outputs["quarantine"]
            if not Path(uri).is_dir():
                raise Refused(f"{run}: its quarantine {uri} is gone; run check again")
            return uri
    raise Refused(f"{path}: no run here has read any data; give a folder that lies in <work_dir>/runs")


def newest_run(path: Path) -> Path:
    """The run that a person means.

    Args:
        path: The run's folder, or a working directory, for its newest run that came to an end.

    Raises:
        Refused: There is no such folder, or no run in it that came to an end.
    """
    if not path.is_dir():
        raise Refused(f"{path}: no such run; give a folder that lies in <work_dir>/runs")
    for run in [path, *sorted((path / "runs").glob("*"), reverse=True)]:
        if (run / Summary.FILE).exists():
            return run
    raise Refused(f"{path}: no run here has come to an end; give a folder that lies in <work_dir>/runs")


def outputs_of(run: Path) -> dict[str, str]:
    """URIs of a run's artifacts by output key, as far as it came."""
    return {key: uri for outputs in _artifacts(run).values() for key, uri in outputs.items()}


def configuration_of(run: Path) -> dict[str, Any]:
    """The configuration of a run, as JSON; empty where the folder is of a version that did not keep it."""
    path = run / _CONFIGURATION
    return json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}


def started(run: Path) -> datetime:
    """When a run began, as its folder is named; where that was renamed, when its summary was written."""
    try:
        return datetime.strptime(run.name, _TIME).replace(tzinfo=UTC)
    except ValueError:
        return datetime.fromtimestamp((run / Summary.FILE).stat().st_mtime, UTC)


def _artifacts(run: Path) -> dict[str, dict[str, str]]:
    """As noted in a run's folder; none where it is not one, or ended before anything was done."""
    path = run / _ARTIFACTS
    return json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}
