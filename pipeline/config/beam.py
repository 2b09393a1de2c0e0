"""The `beam:` part of the configuration: where the components' Beam jobs run."""

from typing import Annotated, Literal, Self

from pydantic import Field, PositiveInt, field_validator, model_validator

from components.common.settings import Settings

Bucket = Annotated[str, Field(pattern=r"^gs://[^/]+(/.*)?$")]


class WorkerSettings(Settings):
    """Python workers on machines without containers: how a TaskManager or a Spark executor starts them."""

    worker: str | None = Field(
        None,
        description="Absolute path, on those machines, of the command that starts a Python worker; null: the"
        " bert-multilabel-worker of this environment, if it has the same path there.",
    )
    worker_env: dict[str, str] = Field({}, description="Environment variables of the workers.")

    @field_validator("worker")
    @classmethod
    def _absolute(cls, value: str | None) -> str | None:
        if value is not None and not value.startswith("/"):
            raise ValueError(f"{value}: give an absolute path, since it is used on another machine")
        return value


class FlinkSettings(WorkerSettings):
    """An existing Flink cluster."""

    address: str = Field(
        "http://localhost:8081", pattern=r"^https?://[^/]+$", description="Address of the JobManager's REST API."
    )
    job_server_jar: str | None = Field(
        None,
        description="Jar that carries a job to the cluster; null: the one that `scripts/flink.sh fetch` writes, for a"
        " cluster that has Beam's classes in Flink's lib folder. For any other cluster: Beam's whole job server.",
    )
    check_s: float = Field(10, gt=0, description="Seconds within which the JobManager must answer.")


class SparkSettings(WorkerSettings):
    """An existing Spark cluster that runs a REST submission server."""

    master: str = Field(
        "spark://localhost:7077", pattern=r"^spark://[^/]+$", description="Address of the cluster's master."
    )
    rest: str = Field(
        "http://localhost:6066", pattern=r"^https?://[^/]+$", description="Address of the REST submission server."
    )
    job_server_jar: str = Field(
        description="Jar of Beam's job server for Spark 3, of the version of the installed apache-beam."
    )


class DataflowSettings(Settings):
    """Google Cloud Dataflow."""

    project: str = Field(description="ID of the Google Cloud project.")
    region: str = Field(description="Region, such as europe-west4.")
    temp_location: Bucket = Field(description="gs:// folder for the temporary files of jobs.")
    staging_location: Bucket | None = Field(
        None, description="gs:// folder for the packages of jobs; null: the same as temp_location."
    )
    image: str = Field(
        description="Container image of the workers: Beam's for Python 3.11 and the installed version of Beam, with"
        " this project installed in it."
    )
    max_workers: PositiveInt = Field(4, description="Maximum number of machines.")
    machine_type: str | None = Field(None, description="Machine type, such as n1-standard-4; null: Dataflow chooses.")
    disk_gb: PositiveInt | None = Field(None, description="Disk of each machine, in GB; null: Dataflow chooses.")
    service_account: str | None = Field(
        None, description="E-mail address of the workers' service account; null: Compute Engine's default."
    )
    subnetwork: str | None = Field(None, description="Subnetwork of the machines; null: the default network.")
    public_ips: bool = Field(True, description="false: the machines get no public IP addresses.")


class BeamSettings(Settings):
    """Where the components' Beam jobs run."""

    runner: Literal["local", "multi_processing", "flink", "spark", "dataflow"] = Field(
        "local",
        description="local: in the process of the run; multi_processing: in several processes on this machine; or on a"
        " cluster.",
    )
    workers: PositiveInt = Field(
        2,
        description="Number of processes with multi_processing; number of parallel tasks with flink and spark, each of"
        " which takes a slot.",
    )
    flink: FlinkSettings = Field(FlinkSettings(), description="The Flink cluster, for runner flink.")
    spark: SparkSettings | None = Field(None, description="The Spark cluster, required for runner spark.")
    dataflow: DataflowSettings | None = Field(None, description="Dataflow, required for runner dataflow.")
    pipeline_args: list[str] = Field(
        [],
        description="Further arguments of every Beam pipeline, as on Beam's command line. If one of them is --runner,"
        " they replace all other arguments.",
    )

    @property
    def is_expert(self) -> bool:
        """Whether `pipeline_args` replace all other arguments."""
        return any(argument == "--runner" or argument.startswith("--runner=") for argument in self.pipeline_args)

    @property
    def takes_code(self) -> bool:
        """Whether workers elsewhere read this project's code from the working directory."""
        return self.runner in ("flink", "spark") and not self.is_expert

    @model_validator(mode="after")
    def _has_what_the_runner_needs(self) -> Self:
        for name in ("spark", "dataflow"):
            if self.runner == name and getattr(self, name) is None:
                raise ValueError(f"runner is {name}, but there is no beam.{name}; add it")
        if self.is_expert and self.runner != "local":
            raise ValueError(f"runner is {self.runner}, and pipeline_args has a --runner too; remove one of them")
        return self
