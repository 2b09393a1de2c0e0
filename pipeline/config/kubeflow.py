"""The `runner:` part of the configuration: what is different where the pipeline runs elsewhere than on this machine."""

from typing import Annotated, Literal, Self

from pydantic import BeforeValidator, Field, NonNegativeInt, PositiveInt, field_validator, model_validator

from components.common.settings import Settings

# The step that accelerator is for, where none is named.
_TRAINER = "Trainer"


def _as_text(value: object) -> object:
    """YAML reads `cpu: 2` as a number."""
    return str(value) if isinstance(value, int | float) and not isinstance(value, bool) else value


Processors = Annotated[str, BeforeValidator(_as_text), Field(pattern=r"^[0-9]*\.?[0-9]+m?$")]
Memory = Annotated[str, BeforeValidator(_as_text), Field(pattern=r"^[0-9]+(M|G|T|Mi|Gi|Ti)$")]
Variable = Annotated[str, Field(pattern=r"^[A-Za-z_][A-Za-z0-9_]*$")]
MountPath = Annotated[str, Field(pattern=r"^/.+")]


class Accelerator(Settings):
    """A GPU, or what else a node offers as a resource."""

    type: str = Field("nvidia.com/gpu", description="As Kubernetes names the resource.")
    count: PositiveInt = 1


class Toleration(Settings):
    """A taint of nodes that a step may run on even so; the fields are Kubernetes' own."""

    key: str | None = None
    operator: Literal["Equal", "Exists"] = "Equal"
    value: str | None = None
    effect: Literal["NoExecute", "NoSchedule", "PreferNoSchedule"] | None = None


class Secret(Settings):
    """A Kubernetes Secret, as environment variables or as files."""

    name: str
    env: dict[str, str] = Field({}, description="Variable: key of the secret.")
    mount_path: MountPath | None = Field(None, description="Folder that has a file for each key.")

    @model_validator(mode="after")
    def _is_used(self) -> Self:
        if not self.env and self.mount_path is None:
            raise ValueError(f"secret {self.name}: give env or mount_path")
        return self


class Volume(Settings):
    """A PersistentVolumeClaim that is there already."""

    claim: str
    mount_path: MountPath
    sub_path: str = Field("", description="Folder of the volume; empty: all of it.")


class StepSettings(Settings):
    """What a step's container gets. What is null is left to the cluster, or to what every step gets."""

    image: str | None = Field(None, description="With this project installed in it.")
    cpu: Processors | None = Field(None, description="Processors, requested and at most: 2, 500m.")
    memory: Memory | None = Field(None, description="Likewise: 8Gi.")
    accelerator: Accelerator | None = None
    node_selector: dict[str, str] = Field({}, description="Labels that a node must have.")
    tolerations: list[Toleration] = Field([], description="Taints that a node may have.")
    env: dict[str, str] = Field({}, description="Environment variables that are no secret.")
    secrets: list[Secret] = Field([], description="Of the namespace that the pipeline runs in.")
    volumes: list[Volume] = Field([], description="Likewise.")
    timeout_s: PositiveInt | None = Field(None, description="Seconds after which the step is ended, a try each.")
    retries: NonNegativeInt | None = Field(None, description="Of a step that fails; after 60 s, 120 s, 240 s ...")
    cache: bool | None = Field(None, description="false: runs even if nothing has changed. null: true.")


class KubeflowPaths(Settings):
    """Where the containers find what the configuration names by a path of this machine."""

    registry: str | None = None
    input_base: str | None = Field(None, description="Of the examples.")
    checkpoint: str | None = Field(None, description="A folder with the same files.")
    work_dir: str | None = Field(None, description="For training.checkpoint_every alone.")

    @field_validator("*")
    @classmethod
    def _absolute(cls, value: str | None) -> str | None:
        if value is not None and not value.startswith("/") and "://" not in value:
            raise ValueError(f"{value}: in a container only absolute paths and addresses (gs://) mean something")
        return value


class KubeflowSettings(StepSettings):
    """Kubeflow Pipelines v2. What a step can get, every step gets, but for the accelerator: that is the Trainer's."""

    endpoint: str | None = Field(None, description="http(s):// address of the API server; compile alone needs none.")
    ui: str | None = Field(None, description="Of the user interface, for links; null: the endpoint's.")
    namespace: str | None = Field(None, description="To run in, where Kubeflow has many users.")
    experiment: str | None = Field(None, description="That runs are listed under; null: named as the pipeline.")
    service_account: str | None = Field(None, description="Of the steps' pods; null: the cluster's default.")
    token_from: Variable | None = Field(None, description="Environment variable that holds the bearer token.")
    token_file: str | None = Field(None, description="Instead: the file that holds it.")
    cookie_from: Variable | None = Field(None, description="Environment variable that holds a session's cookie.")
    verify: bool = Field(True, description="false: any certificate of the endpoint will do.")
    ca_file: str | None = Field(None, description="PEM file of the authority that its certificate is from.")
    request_timeout_s: float = Field(30, gt=0, le=600, description="Seconds that one request may take.")
    request_retries: int = Field(3, ge=0, le=10, description="Of a request, after 1, 2, 4, ... seconds, 10 at most.")
    only_new: bool = Field(
        True, description="A run that finds no span newer than the last one trained on ends; false: trains even so."
    )
    image: str = Field(description="Of every step: what `docker build` makes of the Dockerfile.")
    pipeline_root: str | None = Field(
        None, description="gs://, s3:// or minio:// address for artifacts; null: the cluster's own default."
    )
    paths: KubeflowPaths = KubeflowPaths()
    image_pull_secrets: list[str] = Field([], description="Names of Secrets that the images' registry asks for.")
    steps: dict[str, StepSettings] = Field({}, description="Of single steps, besides or instead: Trainer: {...}.")

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
    def _launcher_knows_it(cls, value: str | None) -> str | None:
        if value is not None and not value.startswith(("gs://", "s3://", "minio://")):
            raise ValueError(f"{value}: Kubeflow's launcher knows gs://, s3:// and minio:// only")
        return value

    def of_step(self, name: str) -> StepSettings:
        """What a step gets: its own, where that says something, besides what every step gets."""
        own = self.steps.get(name, StepSettings())
        alone = {"image", "cpu", "memory", "timeout_s", "retries", "cache"}
        merged = {key: getattr(self, key) if (value := getattr(own, key)) is None else value for key in alone}
        return StepSettings(
            **merged,
            accelerator=own.accelerator or (self.accelerator if name == _TRAINER else None),
            node_selector=self.node_selector | own.node_selector,
            tolerations=[*self.tolerations, *own.tolerations],
            env=self.env | own.env,
            secrets=[*self.secrets, *own.secrets],
            volumes=[*self.volumes, *own.volumes],
        )
