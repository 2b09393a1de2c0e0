"""From the `beam:` part of the configuration to the arguments of a Beam pipeline."""

import json
import sys
from collections.abc import Sequence
from pathlib import Path

from pipeline.code import environment_of
from pipeline.config.beam import DataflowSettings, FlinkSettings, SparkSettings, WorkerSettings
from pipeline.config.configuration import Configuration

FLINK_VERSION = "1.19"
"""Which Beam's classes are for; of any patch level."""

_WORKER = "bert-multilabel-worker"
# A worker imports TensorFlow, for seconds; between two stages of a job it is kept.
_KEEP_WORKERS_MS = 30_000
# In-process: Beam's own default tries to fetch a Go binary first. Nothing is shipped anywhere, and naming an image
# keeps TFX from building a source package of itself, for seconds, in every component.
_LOCAL = ("--runner=FnApiRunner", "--sdk_container_image=none")
_ROOT = Path(__file__).parents[1]


def beam_arguments(config: Configuration, code: Path | None = None) -> list[str]:
    """What `create_pipeline` gives every component as its `beam_pipeline_args`.

    Args:
        config: The configuration.
        code: What `pack_code` wrote, where workers elsewhere can read it; None: they have this project installed.
    """
    beam = config.beam
    if beam.is_expert:
        return list(beam.pipeline_args)
    return [*_of_runner(config, code), *beam.pipeline_args]


def job_jar(flink: FlinkSettings) -> Path:
    """What a job goes to the cluster in; it need not be there."""
    return Path(flink.job_server_jar or _ROOT / "build" / "flink" / "beam-flink-job.jar")


def _of_runner(config: Configuration, code: Path | None) -> Sequence[str]:
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
        # The job goes to the JobManager over HTTP, in a jar that also holds what Beam stages: nothing lies in a folder
        # that TaskManagers would have to share with whoever submits.
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


def _portable(config: Configuration, settings: WorkerSettings, code: Path | None) -> Sequence[str]:
    command = settings.worker or str(Path(sys.executable).parent / _WORKER)
    environment = {"command": command, "env": {**settings.worker_env, **environment_of(code)}}
    return [
        f"--job_name={config.name}",
        f"--parallelism={config.beam.workers}",
        "--environment_type=PROCESS",
        f"--environment_config={json.dumps(environment)}",
        f"--environment_cache_millis={_KEEP_WORKERS_MS}",
        "--sdk_container_image=none",
        # Else each job lists the installed packages anew, for seconds.
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
        # The image has everything: nothing is looked for, or installed, when a worker starts.
        "--sdk_location=container",
        f"--max_num_workers={dataflow.max_workers}",
        "--experiments=disable_logging_submission_environment",
        *_where_given(dataflow),
    ]


def _where_given(dataflow: DataflowSettings) -> Sequence[str]:
    given = {
        "worker_machine_type": dataflow.machine_type,
        "disk_size_gb": dataflow.disk_gb,
        "service_account_email": dataflow.service_account,
        "subnetwork": dataflow.subnetwork,
    }
    arguments = [f"--{name}={value}" for name, value in given.items() if value is not None]
    return arguments if dataflow.public_ips else [*arguments, "--no_use_public_ips"]
