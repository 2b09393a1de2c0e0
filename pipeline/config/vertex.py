"""The `runner.vertex` part of the configuration: Vertex AI Pipelines."""

from typing import Annotated, Literal
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo

from pydantic import Field, NonNegativeInt, PositiveInt, field_validator

from components.common.settings import Settings
from components.vertex_push.settings import LabelKey, LabelValue, VertexPushSettings
from pipeline.config.kubeflow import Memory, Processors

# The step that accelerator is for, where none is named.
_TRAINER = "Trainer"
_LOCAL_HOSTS = ("localhost", "127.0.0.1", "::1")

BucketPath = Annotated[str, Field(pattern=r"^gs://[a-z0-9][a-z0-9._-]+(/[^\s]*)?$")]


class VertexAccelerator(Settings):
    """A GPU of a step's machine."""

    type: str = Field(pattern=r"^[A-Z][A-Z0-9_]+$", description="As Vertex AI names it: NVIDIA_TESLA_T4, NVIDIA_L4.")
    count: PositiveInt = 1


class VertexStep(Settings):
    """What a step's container gets. What is null is left to Vertex AI, or to what every step gets."""

    image: str | None = Field(None, description="In Artifact Registry, with this project installed in it.")
    cpu: Processors | None = Field(None, description="Processors, at most: 4, 500m. Vertex AI picks the machine.")
    memory: Memory | None = Field(None, description="Likewise: 16Gi.")
    accelerator: VertexAccelerator | None = None
    env: dict[str, str] = Field({}, description="Environment variables that are no secret.")
    timeout_s: PositiveInt | None = Field(None, description="Seconds after which the step is ended, a try each.")
    retries: NonNegativeInt | None = Field(None, description="Of a step that fails; after 60 s, 120 s, 240 s ...")
    cache: bool | None = Field(None, description="false: runs even if nothing has changed. null: true.")


class VertexPaths(Settings):
    """Where the containers find what the configuration names by a path of this machine."""

    registry: BucketPath | None = Field(None, description="gs:// address.")
    input_base: str | None = Field(None, description="Of the examples: a gs:// address.")
    checkpoint: str | None = Field(None, description="A folder with the same files: in the image, or /gcs/BUCKET/...")
    work_dir: BucketPath | None = Field(None, description="gs:// address; for training.checkpoint_every alone.")

    @field_validator("input_base", "checkpoint")
    @classmethod
    def _absolute(cls, value: str | None) -> str | None:
        if value is not None and not value.startswith("/") and "://" not in value:
            raise ValueError(f"{value}: in a container only absolute paths and addresses (gs://) mean something")
        return value


class VertexSettings(VertexStep):
    """Vertex AI Pipelines. What a step can get, every step gets, but for the accelerator: that is the Trainer's."""

    project: str = Field(pattern=r"^[a-z][a-z0-9.:-]{4,}[a-z0-9]$", description="ID of the Google Cloud project.")
    location: str = Field(pattern=r"^[a-z]+-[a-z]+[0-9]+$", description="Region, such as europe-west4.")
    pipeline_root: BucketPath = Field(description="gs:// address for artifacts, in a bucket of the same region.")
    image: str = Field(description="Of every step: what `docker build` makes of the Dockerfile.")
    paths: VertexPaths = VertexPaths()
    service_account: str | None = Field(
        None, pattern=r"^[^@\s]+@[^@\s]+$", description="That the steps act as; null: Compute Engine's default one."
    )
    network: str | None = Field(
        None,
        pattern=r"^projects/[^/]+/global/networks/[^/]+$",
        description="projects/NUMBER/global/networks/NAME, with private services access; null: none.",
    )
    reserved_ip_ranges: list[str] = Field([], description="Of that network, for the steps' machines; empty: any.")
    kms_key: str | None = Field(
        None,
        pattern=r"^projects/[^/]+/locations/[^/]+/keyRings/[^/]+/cryptoKeys/[^/]+$",
        description="Key in Cloud KMS that what Vertex AI keeps of a run is encrypted with; null: Google's.",
    )
    failure_policy: Literal["fast", "slow"] = Field(
        "fast", description="fast: after a step has failed none is begun; slow: those that do not need it are."
    )
    labels: dict[LabelKey, LabelValue] = Field({}, description="Of every run, for the bill.")
    only_new: bool = Field(
        True, description="A run that finds no span newer than the last one trained on ends; false: trains even so."
    )
    time_zone: str = Field("UTC", description="That a schedule's cron fields are in, such as Europe/Berlin.")
    api_endpoint: str | None = Field(
        None, description="https:// address of the service, for Private Service Connect; null: the location's own."
    )
    push: VertexPushSettings | None = Field(
        None, description="Vertex AI's Model Registry, after the push to the registry, and an endpoint; null: neither."
    )
    steps: dict[str, VertexStep] = Field({}, description="Of single steps, besides or instead: Trainer: {...}.")

    @field_validator("time_zone")
    @classmethod
    def _is_known(cls, value: str) -> str:
        try:
            ZoneInfo(value)
        except (KeyError, OSError, ValueError):
            raise ValueError(f"{value}: no such time zone; write it as Europe/Berlin, or UTC") from None
        return value

    @field_validator("api_endpoint")
    @classmethod
    def _keeps_the_token_secret(cls, value: str | None) -> str | None:
        if value is None:
            return None
        url = urlsplit(value)
        if not url.hostname or url.path.strip("/") or url.scheme not in ("https", "http"):
            raise ValueError(f"{value}: write it as https://HOST")
        if url.scheme == "http" and url.hostname not in _LOCAL_HOSTS:
            raise ValueError(
                f"{value}: every request carries a token, and http:// shows it to the network; use https://"
            )
        return value.rstrip("/")

    def of_step(self, name: str) -> VertexStep:
        """What a step gets: its own, where that says something, besides what every step gets."""
        own = self.steps.get(name, VertexStep())
        alone = ("image", "cpu", "memory", "timeout_s", "retries", "cache")
        merged = {key: getattr(self, key) if (value := getattr(own, key)) is None else value for key in alone}
        accelerator = own.accelerator or (self.accelerator if name == _TRAINER else None)
        return VertexStep(**merged, accelerator=accelerator, env=self.env | own.env)
