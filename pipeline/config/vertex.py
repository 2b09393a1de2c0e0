"""The `runner.vertex` part of the configuration: Vertex AI Pipelines."""

from typing import Annotated, Literal
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo

from pydantic import Field, PositiveInt, field_validator

from components.common.settings import Settings
from components.vertex_push.settings import LabelKey, LabelValue, VertexPushSettings
from pipeline.config.steps import ContainerPath, StepSettings, step_settings

_LOCAL_HOSTS = ("localhost", "127.0.0.1", "::1")

BucketPath = Annotated[str, Field(pattern=r"^gs://[a-z0-9][a-z0-9._-]+(/[^\s]*)?$")]


class VertexAccelerator(Settings):
    """A GPU of a step's machine."""

    type: str = Field(
        pattern=r"^[A-Z][A-Z0-9_]+$", description="Vertex AI's name of the accelerator: NVIDIA_TESLA_T4, NVIDIA_L4."
    )
    count: PositiveInt = Field(1, description="Number of them.")


class VertexStep(StepSettings):
    """What the container of a step gets on Vertex AI, which chooses the machine by it."""

    accelerator: VertexAccelerator | None = Field(
        None, description="Accelerator, for Trainer and Tuner unless set for a step."
    )


class VertexPaths(Settings):
    """Where containers find what the configuration names by a path of this machine."""

    registry: BucketPath | None = Field(None, description="The push destination: a gs:// address.")
    input_base: ContainerPath | None = Field(None, description="Folder of the examples: a gs:// address.")
    checkpoint: ContainerPath | None = Field(
        None, description="Folder with the same files as `checkpoint`: in the image, or /gcs/BUCKET/..."
    )
    work_dir: BucketPath | None = Field(None, description="A gs:// address; needed for training.checkpoint_every only.")
    scoring_input_base: BucketPath | None = Field(None, description="Folder of the rows to score: a gs:// address.")
    scoring_output: BucketPath | None = Field(None, description="Folder of the scores: a gs:// address.")


class VertexSettings(VertexStep):
    """Vertex AI Pipelines. Every step gets what is set here, the accelerator only those that train."""

    project: str = Field(pattern=r"^[a-z][a-z0-9.:-]{4,}[a-z0-9]$", description="ID of the Google Cloud project.")
    location: str = Field(pattern=r"^[a-z]+-[a-z]+[0-9]+$", description="Region, such as europe-west4.")
    pipeline_root: BucketPath = Field(description="gs:// address for artifacts, in a bucket of the same region.")
    image: str = Field(description="Container image of every step: what `docker build` makes of the Dockerfile.")
    paths: VertexPaths = Field(VertexPaths(), description="Paths in containers.")
    service_account: str | None = Field(
        None,
        pattern=r"^[^@\s]+@[^@\s]+$",
        description="E-mail address of the service account that the steps run as; null: Compute Engine's default.",
    )
    network: str | None = Field(
        None,
        pattern=r"^projects/[^/]+/global/networks/[^/]+$",
        description="projects/NUMBER/global/networks/NAME, with private services access; null: none.",
    )
    reserved_ip_ranges: list[str] = Field(
        [], description="Reserved IP ranges of that network, for the steps' machines; empty: any."
    )
    kms_key: str | None = Field(
        None,
        pattern=r"^projects/[^/]+/locations/[^/]+/keyRings/[^/]+/cryptoKeys/[^/]+$",
        description="Cloud KMS key that encrypts what Vertex AI stores of a run; null: Google's own keys.",
    )
    failure_policy: Literal["fast", "slow"] = Field(
        "fast",
        description="fast: start no step after one has failed; slow: start those that do not need the failed one.",
    )
    labels: dict[LabelKey, LabelValue] = Field({}, description="Labels of every run, for the bill.")
    only_new: bool = Field(
        True, description="End a run that finds no span newer than the last one trained on; false: train anyway."
    )
    time_zone: str = Field("UTC", description="Time zone of a schedule's cron fields, such as Europe/Berlin.")
    api_endpoint: str | None = Field(
        None, description="https:// address of the service, for Private Service Connect; null: that of the location."
    )
    push: VertexPushSettings | None = Field(
        None,
        description="Also push to Vertex AI's Model Registry, and to an endpoint; null: to `registry` only.",
    )
    steps: dict[str, VertexStep] = Field(
        {}, description="Settings of single steps, merged into the above: {Trainer: {...}}."
    )

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
        """Return the settings of one step, those of every step included."""
        return step_settings(VertexStep, self, self.steps, name)
