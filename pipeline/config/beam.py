"""The `beam:` part of the configuration: where the components' Beam work runs."""

from typing import Annotated, Literal, Self

from pydantic import Field, PositiveInt, field_validator, model_validator

from components.common.settings import Settings

Bucket = Annotated[str, Field(pattern=r"^gs://[^/]+(/.*)?$")]


class WorkerSettings(Settings):
    """Python on machines that have no containers: how a TaskManager, or a Spark executor, starts its workers."""

    worker: str | None = Field(
        None,
        description="Path, over there, of the command that starts a Python worker; null: the bert-multilabel-worker of"
        " the environment that this runs in, where that is at the same path over there.",
    )
    worker_env: dict[str, str] = Field({}, description="Environment variables of the workers.")

    @field_validator("worker")
    @classmethod
    def _absolute(cls, value: str | None) -> str | None:
        if value is not None and not value.startswith("/"):
            raise ValueError(f"{value}: another machine knows absolute paths only")
        return value


class FlinkSettings(WorkerSettings):
    """A Flink cluster that is there already."""

    address: str = Field(
        "http://localhost:8081", pattern=r"^https?://[^/]+$", description="Of the JobManager's REST API."
    )
    job_server_jar: str | None = Field(
        None,
        description="What a job goes to the cluster in; null: what `scripts/flink.sh fetch` leaves, for a cluster that"
        " has Beam's classes in Flink's lib folder; else Beam's whole job server, for any other.",
    )
    check_s: float = Field(10, gt=0, description="Seconds in which the JobManager has to answer.")


class SparkSettings(WorkerSettings):
    """A Spark cluster that is there already, with its REST submission server on."""

    master: str = Field("spark://localhost:7077", pattern=r"^spark://[^/]+$")
    rest: str = Field("http://localhost:6066", pattern=r"^https?://[^/]+$", description="Of the submission server.")
    job_server_jar: str = Field(description="Beam's job server for Spark 3, of the version of apache-beam here.")


class DataflowSettings(Settings):
    """Google Cloud Dataflow."""

    project: str
    region: str
    temp_location: Bucket = Field(description="Folder of a bucket for what jobs need while they run.")
    staging_location: Bucket | None = Field(None, description="Likewise, for what they are made of; null: the same.")
    image: str = Field(
        description="Of the workers: Beam's for Python 3.11 and this version, with this project installed in it."
    )
    max_workers: PositiveInt = Field(4, description="Machines at most.")
    machine_type: str | None = Field(None, description="Such as n1-standard-4; null: Dataflow's choice.")
    disk_gb: PositiveInt | None = Field(None, description="Of each machine; null: Dataflow's choice.")
    service_account: str | None = Field(None, description="E-mail address; null: Compute Engine's default account.")
    subnetwork: str | None = None
    public_ips: bool = True


class BeamSettings(Settings):
    """Where the components' Beam work runs."""

    runner: Literal["local", "multi_processing", "flink", "spark", "dataflow"] = Field(
        "local", description="local: in the process of the run; multi_processing: in several on this machine."
    )
    workers: PositiveInt = Field(
        2, description="multi_processing: processes; flink, spark: tasks at a time, of which each takes a slot."
    )
    flink: FlinkSettings = FlinkSettings()
    spark: SparkSettings | None = None
    dataflow: DataflowSettings | None = None
    pipeline_args: list[str] = Field(
        [],
        description="Further arguments of every Beam pipeline, as Beam's own command line takes them; with a --runner"
        " among them, they are all there are.",
    )

    @property
    def is_expert(self) -> bool:
        """Whether `pipeline_args` says it all."""
        return any(argument == "--runner" or argument.startswith("--runner=") for argument in self.pipeline_args)

    @property
    def takes_code(self) -> bool:
        """Whether what runs elsewhere reads this project's code from the working directory."""
        return self.runner in ("flink", "spark") and not self.is_expert

    @model_validator(mode="after")
    def _has_what_the_runner_needs(self) -> Self:
        for name in ("spark", "dataflow"):
            if self.runner == name and getattr(self, name) is None:
                raise ValueError(f"runner is {name}, but there is no beam.{name}; say where that is")
        if self.is_expert and self.runner != "local":
            raise ValueError(f"runner is {self.runner}, and pipeline_args has a --runner too; remove one of them")
        return self
