"""TFX's own command line, as `tfx` starts it, for the engines that it has."""

import json
import os
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from tfx.tools.cli.cli_main import cli_group

from runners.tfx_cli import CONFIGURATION_VARIABLE
from tests.small_project import Project, make_project

_ROOT = Path(__file__).parents[2]
_LOCAL = str(_ROOT / "runners" / "tfx_local.py")


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Project:
    project = make_project(tmp_path / "project", rows=60)
    monkeypatch.setenv(CONFIGURATION_VARIABLE, str(project.configuration))
    monkeypatch.setenv("LOCAL_HOME", str(tmp_path / "tfx"))  # where `tfx` keeps what it has been told of pipelines
    # It asks `pip` what is installed, and runs pipelines as programs.
    monkeypatch.setenv("PATH", f"{Path(sys.executable).parent}:{os.environ['PATH']}")
    monkeypatch.setenv("PYTHONPATH", str(_ROOT))
    return project


def _tfx(*arguments: str) -> Result:
    return CliRunner().invoke(cli_group, [*arguments, "--engine", "local"])


def test_a_pipeline_is_created_run_and_deleted(
    project: Project, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    created = _tfx("pipeline", "create", "--pipeline_path", _LOCAL)
    assert 'Pipeline "small" created successfully.' in created.output, created.exception
    assert not project.runs.exists()
    assert "small" in _tfx("pipeline", "list").output
    known = json.loads((tmp_path / "tfx" / "small" / "pipeline_args.json").read_text())
    assert known["pipeline_root"] == str(project.folder / "work" / "artifacts")

    # It is `bert-multilabel run` that runs; what that does is tested elsewhere, so here it is refused at once.
    project.configure(max_tokens=100)
    ran = _tfx("run", "create", "--pipeline_name", "small")
    assert ran.exit_code == 1
    assert capfd.readouterr().err.strip().splitlines()[-1].startswith("error: max_tokens is 100, but checkpoint ")

    assert "deleted successfully" in _tfx("pipeline", "delete", "--pipeline_name", "small").output
    assert not (tmp_path / "tfx" / "small").exists()


def test_compiling_runs_nothing(project: Project) -> None:
    compiled = _tfx("pipeline", "compile", "--pipeline_path", _LOCAL)
    assert "Pipeline compiled successfully." in compiled.output, compiled.exception
    assert not project.runs.exists()


def test_what_a_person_can_mend_is_one_line(project: Project) -> None:
    project.configure(max_tokens=100)
    refused = _tfx("pipeline", "create", "--pipeline_path", _LOCAL)
    assert refused.exit_code == 1
    assert refused.output.strip().splitlines()[-1].startswith("error: max_tokens is 100, but checkpoint ")
    assert "Traceback" not in refused.output
