"""The pipeline files for TFX's own command line, for each engine that it has."""

import json
import os
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from tfx.tools.cli.cli_main import cli_group

from runners.tfx_cli.entry import CONFIGURATION_VARIABLE
from tests.end_to_end.command import command
from tests.runners.vertex.test_spec import VERTEX
from tests.support.small_project import Project, make_project

_ROOT = Path(__file__).parents[3]
_LOCAL, _BEAM, _VERTEX = (str(_ROOT / "runners" / "tfx_cli" / f"{engine}.py") for engine in ("local", "beam", "vertex"))


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Project:
    project = make_project(tmp_path / "project", rows=60)
    monkeypatch.setenv(CONFIGURATION_VARIABLE, str(project.configuration))
    monkeypatch.setenv("LOCAL_HOME", str(tmp_path / "tfx"))  # where `tfx` keeps its records of pipelines
    # It runs `pip` to find what is installed, and runs pipelines as programs.
    monkeypatch.setenv("PATH", f"{Path(sys.executable).parent}:{os.environ['PATH']}")
    monkeypatch.setenv("PYTHONPATH", str(_ROOT))
    return project


def _tfx(*arguments: str, engine: str = "local") -> Result:
    return CliRunner().invoke(cli_group, [*arguments, "--engine", engine])


def test_creates_runs_and_deletes_a_pipeline(
    project: Project, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    created = _tfx("pipeline", "create", "--pipeline_path", _LOCAL)
    assert 'Pipeline "small" created successfully.' in created.output, created.exception
    assert not project.runs.exists()
    assert "small" in _tfx("pipeline", "list").output
    known = json.loads((tmp_path / "tfx" / "small" / "pipeline_args.json").read_text())
    assert known["pipeline_root"] == str(project.folder / "work" / "artifacts")

    # What runs is `bert-multilabel run`, which other tests cover, so here it refuses at once.
    project.configure(max_tokens=100)
    ran = _tfx("run", "create", "--pipeline_name", "small")
    assert ran.exit_code == 1
    assert capfd.readouterr().err.strip().splitlines()[-1].startswith("error: max_tokens is 100, but checkpoint ")

    assert "deleted successfully" in _tfx("pipeline", "delete", "--pipeline_name", "small").output
    assert not (tmp_path / "tfx" / "small").exists()


@pytest.mark.parametrize(("engine", "path"), [("local", _LOCAL), ("beam", _BEAM)])
def test_compiling_runs_nothing(project: Project, engine: str, path: str) -> None:
    compiled = _tfx("pipeline", "compile", "--pipeline_path", path, engine=engine)
    assert "Pipeline compiled successfully." in compiled.output, compiled.exception
    assert not project.runs.exists()


def test_refuses_in_one_line(project: Project) -> None:
    project.configure(max_tokens=100)
    refused = _tfx("pipeline", "create", "--pipeline_path", _LOCAL)
    assert refused.exit_code == 1
    assert refused.output.strip().splitlines()[-1].startswith("error: max_tokens is 100, but checkpoint ")
    assert "Traceback" not in refused.output


def test_writes_the_job_for_vertex_ai_that_our_own_command_compiles(
    project: Project, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    project.configure(checkpoint="minilm-l6", runner={"vertex": VERTEX})
    monkeypatch.setenv("VERTEX_HOME", str(tmp_path / "tfx"))
    monkeypatch.chdir(tmp_path)
    own = tmp_path / "own.json"
    assert (
        command(
            "compile", "--runner", "vertex", "--config", str(project.configuration), "--output", str(own)
        )
        == 0
    )  # fmt: skip
    for action, file in (("create", tmp_path / "tfx/small/pipeline.json"), ("compile", tmp_path / "pipeline.json")):
        compiled = _tfx("pipeline", action, "--pipeline_path", _VERTEX, engine="vertex")
        assert "successfully." in compiled.output, compiled.exception
        jobs = [json.loads(each.read_text()) for each in (file, own)]
        for job in jobs:  # the commands differ
            assert job["runtimeConfig"]["parameterValues"].pop("provenance")
        assert jobs[0] == jobs[1]
    assert "small" in _tfx("pipeline", "list", engine="vertex").output


@pytest.mark.usefixtures("project")
def test_refuses_vertex_ai_in_one_line_where_it_is_not_configured() -> None:
    refused = _tfx("pipeline", "compile", "--pipeline_path", _VERTEX, engine="vertex")
    assert refused.exit_code == 1
    assert refused.output.strip().splitlines()[-1].startswith("error: --runner vertex: the configuration has no ")


@pytest.mark.usefixtures("project")
def test_tfx_itself_has_no_engine_for_open_source_kubeflow() -> None:
    # If a later TFX has one, this fails, and docs/tfx-cli.md needs a correction.
    compiled = _tfx("pipeline", "create", "--pipeline_path", _VERTEX, engine="kubeflow")
    assert isinstance(compiled.exception, ImportError)
