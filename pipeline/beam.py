"""Arguments of Beam pipelines, from the `beam:` part of the configuration."""

import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Protocol

from pipeline.code import code_environment
from pipeline.config.beam import BeamSettings, DataflowSettings, FlinkSettings, SparkSettings, WorkerSettings

FLINK_VERSION = "1.19"
"""Minor version of Flink that Beam's classes are built for; any patch level of it will do."""

_WORKER = "bert-multilabel-worker"
# A worker takes seconds to import TensorFlow, so it is kept between two stages of a job.
_KEEP_WORKERS_MS = 30_000
# FnApiRunner runs in this process; Beam's own default would first try to fetch a Go binary. No image is used, but
# naming one keeps TFX from building a source package of itself, which takes seconds, in every component.
_LOCAL = ("--runner=FnApiRunner", "--sdk_container_image=none")
# Where `scripts/flink.sh fetch` puts the jar in a checkout. An installed wheel has no such folder.
_FETCHED_JAR = Path(__file__).parents[1] / "build" / "flink" / "beam-flink-job.jar"


class BeamJobs(Protocol):
    """What Beam's arguments depend on: the configuration of a pipeline, or of a scoring."""

    @property
    def name(self) -> str:
        """Name of the jobs."""

    @property
    def beam(self) -> BeamSettings:
        """Where they run."""


def beam_arguments(config: BeamJobs, code: Path | None = None) -> list[str]:
    """Return the `beam_pipeline_args` of the pipeline.

    Args:
        config: Name and place of the jobs.
        code: Zip of `pack_code` that workers on other machines can read; None: they have this project installed.
    """
    beam = config.beam
    if beam.is_expert:
        return list(beam.pipeline_args)
    return [*_runner_arguments(config, code), *beam.pipeline_args]


def job_jar(flink: FlinkSettings) -> Path:
    """Return the path of the jar that jobs are submitted to the cluster in, whether it exists or not."""
    return Path(flink.job_server_jar or _FETCHED_JAR)


def _runner_arguments(config: BeamJobs, code: Path | None) -> Sequence[str]:
    beam = config.beam
    match beam.runner:
        case "local":
            return _LOCAL
        case "multi_processing":
            return [*_LOCAL, "--direct_running_mode=multi_processing", f"--direct_num_workers={beam.workers}"]
        case "flink":
            return [*_flink(beam.flink), *_portable(config, beam.flink, code)]
        case "spark":
            assert beam.spark is not None
            return [*_spark(beam.spark), *_portable(config, beam.spark, code)]
        case "dataflow":
            assert beam.dataflow is not None
            return [f"--job_name={config.name}", *_dataflow(beam.dataflow)]


def _flink(flink: FlinkSettings) -> Sequence[str]:
    return [
        "--runner=FlinkRunner",
        f"--flink_master={flink.address}",
        f"--flink_version={FLINK_VERSION}",
        # The job goes to the JobManager over HTTP, in a jar that also holds the files that Beam stages. So TaskManagers
        # need not share a folder with the machine that submits.
        "--flink_submit_uber_jar",
        f"--flink_job_server_jar={job_jar(flink)}",
    ]


def _spark(spark: SparkSettings) -> Sequence[str]:
    return [
        "--runner=SparkRunner",
        f"--spark_master_url={spark.master}",
        "--spark_submit_uber_jar",
        f"--spark_rest_url={spark.rest}",
        f"--spark_job_server_jar={spark.job_server_jar}",
    ]


def _portable(config: BeamJobs, settings: WorkerSettings, code: Path | None) -> Sequence[str]:
    command = settings.worker or str(Path(sys.executable).parent / _WORKER)
    environment = {"command": command, "env": {**settings.worker_env, **code_environment(code)}}
    return [
        f"--job_name={config.name}",
        f"--parallelism={config.beam.workers}",
        "--environment_type=PROCESS",
        f"--environment_config={json.dumps(environment)}",
        f"--environment_cache_millis={_KEEP_WORKERS_MS}",
        "--sdk_container_image=none",
        # Otherwise each job lists the installed packages again, which takes seconds.
        "--experiments=disable_logging_submission_environment",
    ]


def _dataflow(dataflow: DataflowSettings) -> Sequence[str]:
    return [
        "--runner=DataflowRunner",
        f"--project={dataflow.project}",
        f"--region={dataflow.region}",
        f"--temp_location={dataflow.temp_location}",
        f"--staging_location={dataflow.staging_location or dataflow.temp_location}",
        f"--sdk_container_image={dataflow.image}",
        # The image has everything: a worker looks for nothing and installs nothing when it starts.
        "--sdk_location=container",
        f"--max_num_workers={dataflow.max_workers}",
        "--experiments=disable_logging_submission_environment",
        *_optional_arguments(dataflow),
    ]


def _optional_arguments(dataflow: DataflowSettings) -> Sequence[str]:
    values = {
        "worker_machine_type": dataflow.machine_type,
        "disk_size_gb": dataflow.disk_gb,
        "service_account_email": dataflow.service_account,
        "subnetwork": dataflow.subnetwork,
    }
    arguments = [f"--{name}={value}" for name, value in values.items() if value is not None]
    return arguments if dataflow.public_ips else [*arguments, "--no_use_public_ips"]
