"""The `runner.kubeflow` part of the configuration: Kubeflow Pipelines v2."""

from typing import Annotated, Literal, Self

from pydantic import Field, PositiveInt, field_validator, model_validator

from components.common.settings import Settings
from pipeline.config.steps import ContainerPath, StepSettings, step_settings

Variable = Annotated[str, Field(pattern=r"^[A-Za-z_][A-Za-z0-9_]*$")]
MountPath = Annotated[str, Field(pattern=r"^/.+")]


class Accelerator(Settings):
    """A GPU, or another resource that nodes offer."""

    type: str = Field("nvidia.com/gpu", description="Kubernetes' name of the resource.")
    count: PositiveInt = Field(1, description="Number of them.")


class Toleration(Settings):
    """A taint of nodes that a step may run on all the same. The fields are those of Kubernetes."""

    key: str | None = Field(None, description="Key of the taint; null: any, where operator is Exists.")
    operator: Literal["Equal", "Exists"] = Field("Equal", description="How key and value are compared.")
    value: str | None = Field(None, description="Value of the taint, where operator is Equal.")
    effect: Literal["NoExecute", "NoSchedule", "PreferNoSchedule"] | None = Field(
        None, description="Effect of the taint; null: any."
    )


class Secret(Settings):
    """A Kubernetes Secret, as environment variables or as files."""

    name: str = Field(description="Name of the Secret, in the namespace that the pipeline runs in.")
    env: dict[str, str] = Field({}, description="Environment variables: {VARIABLE: key of the Secret}.")
    mount_path: MountPath | None = Field(None, description="Folder in which each key becomes a file.")

    @model_validator(mode="after")
    def _is_used(self) -> Self:
        if not self.env and self.mount_path is None:
            raise ValueError(f"secret {self.name}: give env or mount_path")
        return self


class Volume(Settings):
    """An existing PersistentVolumeClaim."""

    claim: str = Field(description="Name of the claim, in the namespace that the pipeline runs in.")
    mount_path: MountPath = Field(description="Folder of the container to mount it at.")
    sub_path: str = Field("", description="Folder of the volume to mount; empty: the whole volume.")


class KubeflowStep(StepSettings):
    """What the container of a step gets on Kubeflow."""

    accelerator: Accelerator | None = Field(
        None, description="Accelerator, for Trainer and Tuner unless set for a step."
    )
    node_selector: dict[str, str] = Field({}, description="Labels that a node must have.")
    tolerations: list[Toleration] = Field([], description="Taints that a node may have.")
    secrets: list[Secret] = Field([], description="Kubernetes Secrets, as variables or files.")
    volumes: list[Volume] = Field([], description="PersistentVolumeClaims to mount.")


class KubeflowPaths(Settings):
    """Where containers find what the configuration names by a path of this machine."""

    registry: ContainerPath | None = Field(None, description="The push destination: gs://, or below a volume.")
    input_base: ContainerPath | None = Field(None, description="Folder of the examples.")
    checkpoint: ContainerPath | None = Field(None, description="Folder with the same files as `checkpoint`.")
    work_dir: ContainerPath | None = Field(None, description="Needed for training.checkpoint_every only.")
    scoring_input_base: ContainerPath | None = Field(None, description="Folder of the rows to score.")
    scoring_output: ContainerPath | None = Field(None, description="Folder of the scores: gs://, or below a volume.")


class KubeflowSettings(KubeflowStep):
    """Kubeflow Pipelines v2. Every step gets what is set here, the accelerator only those that train."""

    endpoint: str | None = Field(
        None, description="http:// or https:// address of the API server; not needed for `compile`."
    )
    ui: str | None = Field(None, description="Address of the user interface, for links; null: the endpoint.")
    namespace: str | None = Field(None, description="Namespace to run in, where Kubeflow has several users.")
    experiment: str | None = Field(None, description="Experiment to list runs under; null: the pipeline's name.")
    service_account: str | None = Field(
        None, description="Kubernetes service account of the steps' pods; null: the cluster's default."
    )
    token_from: Variable | None = Field(None, description="Environment variable that holds the bearer token.")
    token_file: str | None = Field(None, description="File that holds the bearer token, instead of token_from.")
    cookie_from: Variable | None = Field(None, description="Environment variable that holds a session cookie.")
    verify: bool = Field(True, description="false: accept any certificate of the endpoint.")
    ca_file: str | None = Field(
        None, description="PEM file of the certificate authority that signed the endpoint's certificate."
    )
    request_timeout_s: float = Field(30, gt=0, le=600, description="Seconds that one request may take.")
    request_retries: int = Field(
        3, ge=0, le=10, description="Number of retries of a request, after 1, 2, 4, ... seconds, at most 10."
    )
    only_new: bool = Field(
        True, description="End a run that finds no span newer than the last one trained on; false: train anyway."
    )
    image: str = Field(description="Container image of every step: what `docker build` makes of the Dockerfile.")
    pipeline_root: str | None = Field(
        None, description="gs://, s3:// or minio:// address for artifacts; null: the cluster's default."
    )
    paths: KubeflowPaths = Field(KubeflowPaths(), description="Paths in containers.")
    image_pull_secrets: list[str] = Field([], description="Names of the Secrets that the image registry needs.")
    steps: dict[str, KubeflowStep] = Field(
        {}, description="Settings of single steps, merged into the above: {Trainer: {...}}."
    )

    @field_validator("endpoint", "ui")
    @classmethod
    def _is_an_address(cls, value: str | None) -> str | None:
        if value is not None and not value.startswith(("http://", "https://")):
            raise ValueError(f"{value}: write it with http:// or https://")
        return value

    @model_validator(mode="after")
    def _has_one_token(self) -> Self:
        if self.token_from is not None and self.token_file is not None:
            raise ValueError("give one of token_from and token_file")
        return self

    @field_validator("pipeline_root")
    @classmethod
    def _is_known_to_the_launcher(cls, value: str | None) -> str | None:
        if value is not None and not value.startswith(("gs://", "s3://", "minio://")):
            raise ValueError(f"{value}: Kubeflow's launcher knows gs://, s3:// and minio:// only")
        return value

    def of_step(self, name: str) -> KubeflowStep:
        """Return the settings of one step, those of every step included."""
        return step_settings(KubeflowStep, self, self.steps, name)
