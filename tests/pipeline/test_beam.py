"""Tests of the arguments of Beam pipelines, read by Beam's own options, and of the code that workers get."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from apache_beam.options.pipeline_options import (
    DirectOptions,
    FlinkRunnerOptions,
    GoogleCloudOptions,
    PipelineOptions,
    PortableOptions,
    SparkRunnerOptions,
    StandardOptions,
    TestOptions,
    WorkerOptions,
)
from apache_beam.options.pipeline_options_validator import PipelineOptionsValidator
from apache_beam.runners.runner import create_runner

from pipeline.beam import beam_arguments
from pipeline.code import pack_code
from pipeline.config.configuration import Configuration
from pipeline.config.loading import load_configuration
from schema.errors import Refused
from tests.support.small_project import Project, make_project

_DATAFLOW = {"project": "shop", "region": "europe-west1", "temp_location": "gs://bucket/temp", "image": "beam:1"}
_SPARK = {"job_server_jar": "/opt/spark.jar"}


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Project:
    return make_project(tmp_path_factory.mktemp("beam") / "project", rows=3)


def _configuration(project: Project, **beam: Any) -> Configuration:
    return load_configuration(project.configuration, [f"beam={json.dumps(beam)}"])


def _options(arguments: list[str], caplog: pytest.LogCaptureFixture) -> PipelineOptions:
    options = PipelineOptions(arguments)
    options.get_all_options()
    assert "unparseable" not in caplog.text, "an argument that Beam does not know"
    options.view_as(TestOptions).dry_run = True  # otherwise it tries for minutes to reach the bucket
    runner = options.view_as(StandardOptions).runner
    assert PipelineOptionsValidator(options, create_runner(runner)).validate() == []
    return options


def _refused(project: Project, **beam: Any) -> str:
    with pytest.raises(Refused) as refused:
        _configuration(project, **beam)
    assert "\n" not in str(refused.value)
    return str(refused.value)


def test_runs_in_this_process_by_default(project: Project, caplog: pytest.LogCaptureFixture) -> None:
    options = _options(beam_arguments(_configuration(project)), caplog)
    assert options.view_as(StandardOptions).runner == "FnApiRunner"
    assert options.view_as(DirectOptions).direct_running_mode == "in_memory"


def test_runs_in_several_processes(project: Project, caplog: pytest.LogCaptureFixture) -> None:
    options = _options(beam_arguments(_configuration(project, runner="multi_processing", workers=3)), caplog)
    assert options.view_as(StandardOptions).runner == "FnApiRunner"
    direct = options.view_as(DirectOptions)
    assert (direct.direct_running_mode, direct.direct_num_workers) == ("multi_processing", 3)


def test_flink_gets_the_job_over_http_and_starts_workers_with_the_packed_code(
    project: Project, caplog: pytest.LogCaptureFixture
) -> None:
    flink = {"address": "http://flink:8081", "worker": "/opt/worker", "worker_env": {"OMP_NUM_THREADS": "1"}}
    config = _configuration(project, runner="flink", workers=8, flink=flink)
    options = _options(beam_arguments(config, Path("/shared/code.zip")), caplog)
    assert options.view_as(StandardOptions).runner == "FlinkRunner"
    flink_options = options.view_as(FlinkRunnerOptions)
    assert (flink_options.flink_master, flink_options.flink_submit_uber_jar, flink_options.parallelism) == (
        "http://flink:8081",
        True,
        8,
    )
    portable = options.view_as(PortableOptions)
    assert portable.environment_type == "PROCESS"
    environment = json.loads(portable.environment_config)
    assert environment["command"] == "/opt/worker"
    assert environment["env"] == {"OMP_NUM_THREADS": "1", "BERT_MULTILABEL_CODE": "/shared/code.zip"}


def test_workers_that_have_the_project_installed_get_no_code(project: Project) -> None:
    arguments = beam_arguments(_configuration(project, runner="flink"))
    (environment,) = [argument for argument in arguments if argument.startswith("--environment_config=")]
    assert json.loads(environment.partition("=")[2])["env"] == {}


def test_submits_to_spark(project: Project, caplog: pytest.LogCaptureFixture) -> None:
    options = _options(beam_arguments(_configuration(project, runner="spark", spark=_SPARK)), caplog)
    spark_options = options.view_as(SparkRunnerOptions)
    assert spark_options.spark_master_url == "spark://localhost:7077"
    assert spark_options.spark_rest_url == "http://localhost:6066"
    assert spark_options.spark_job_server_jar == "/opt/spark.jar"


def test_submits_to_dataflow(project: Project, caplog: pytest.LogCaptureFixture) -> None:
    dataflow = _DATAFLOW | {"machine_type": "n1-standard-4", "public_ips": False}
    options = _options(beam_arguments(_configuration(project, runner="dataflow", dataflow=dataflow)), caplog)
    cloud, workers = options.view_as(GoogleCloudOptions), options.view_as(WorkerOptions)
    assert (cloud.project, cloud.region, cloud.staging_location) == ("shop", "europe-west1", "gs://bucket/temp")
    assert (workers.sdk_container_image, workers.machine_type) == ("beam:1", "n1-standard-4")
    assert (workers.max_num_workers, workers.use_public_ips) == (4, False)


def test_appends_pipeline_args_to_the_arguments_of_the_settings(project: Project) -> None:
    arguments = beam_arguments(_configuration(project, pipeline_args=["--project=shop"]))
    assert arguments[0] == "--runner=FnApiRunner"
    assert arguments[-1] == "--project=shop"


def test_pipeline_args_with_a_runner_replace_all_others(project: Project) -> None:
    arguments = ["--runner=PortableRunner", "--job_endpoint=localhost:8099"]
    assert beam_arguments(_configuration(project, pipeline_args=arguments)) == arguments


def test_refuses_two_runners(project: Project) -> None:
    assert "pipeline_args has a --runner too" in _refused(
        project, runner="flink", pipeline_args=["--runner=DirectRunner"]
    )


@pytest.mark.parametrize("runner", ["spark", "dataflow"])
def test_refuses_a_runner_without_its_settings(project: Project, runner: str) -> None:
    assert f"there is no beam.{runner}" in _refused(project, runner=runner)


def test_refuses_a_relative_path_of_a_worker(project: Project) -> None:
    message = "bin/worker: give an absolute path, since it is used on another machine"
    assert message in _refused(project, flink={"worker": "bin/worker"})


def test_workers_import_the_packed_code(tmp_path: Path) -> None:
    pack_code(tmp_path / "code.zip")
    before = (tmp_path / "code.zip").read_bytes()
    pack_code(tmp_path / "code.zip")
    assert (tmp_path / "code.zip").read_bytes() == before

    code = (
        "import sys; from pathlib import Path; import components.common.files; from pipeline.code import use_code\n"
        f"use_code(Path({str(tmp_path / 'unpacked')!r}))\n"
        "import components.common.files, schema.errors\n"
        "print(components.common.files.__file__, schema.errors.__file__)"
    )
    environment = {"BERT_MULTILABEL_CODE": str(tmp_path / "code.zip"), "PYTHONPATH": str(Path(__file__).parents[2])}
    ended = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True)
    assert ended.stdout.split() == [
        f"{tmp_path}/unpacked/{name}.py" for name in ("components/common/files", "schema/errors")
    ]


def test_a_worker_that_cannot_read_the_code_ends_with_one_line(tmp_path: Path) -> None:
    environment = {"BERT_MULTILABEL_CODE": "/nowhere/code.zip", "PYTHONPATH": str(Path(__file__).parents[2])}
    command = [sys.executable, "-m", "runners.beam.worker", "--id=1", "--provision_endpoint=localhost:1"]
    ended = subprocess.run(command, env=environment, capture_output=True, text=True, check=False, cwd=tmp_path)
    assert ended.returncode == 1
    assert ended.stderr.startswith("/nowhere/code.zip: no such file; work_dir has to be")
