"""The `runner.vertex.push` part of the configuration: Vertex AI's Model Registry, and an endpoint that serves."""

from typing import Annotated, Literal

from pydantic import Field, PositiveInt

from components.common.settings import Settings

LabelKey = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_-]{0,62}$")]
LabelValue = Annotated[str, Field(pattern=r"^[a-z0-9_-]{0,63}$")]


class ServingSettings(Settings):
    """The container that serves the model."""

    image: str = Field(description="In Artifact Registry.")
    kind: Literal["prebuilt", "tensorflow_serving"] = Field(
        "prebuilt",
        description="prebuilt: one of Vertex AI's own, which is given the SavedModel; tensorflow_serving: a copy of"
        " tensorflow/serving, which is given a folder with the model as version 1.",
    )
    env: dict[str, str] = Field({}, description="Environment variables that are no secret.")


class EndpointSettings(Settings):
    """An endpoint, and the machines behind it, which cost by the hour whether asked or not."""

    name: str = Field(min_length=1, max_length=128, description="Display name; made if there is none.")
    machine_type: str = Field("n1-standard-4", description="As Compute Engine names it.")
    accelerator_type: str | None = Field(None, description="Such as NVIDIA_TESLA_T4; null: none.")
    accelerator_count: PositiveInt = 1
    min_replicas: PositiveInt = 1
    max_replicas: PositiveInt = 1
    traffic: int = Field(
        100, ge=1, le=100, description="Percent for the new version; the rest stays with the one that has most now."
    )
    service_account: str | None = Field(None, description="That the container acts as; null: Vertex AI's own.")


class VertexPushSettings(Settings):
    """What a blessed and pushed model becomes in Vertex AI besides."""

    model: str = Field(
        pattern=r"^[a-z_][a-z0-9_-]{0,62}$",
        description="ID in the Model Registry; each push adds a version, with the alias registry-NUMBER.",
    )
    serving: ServingSettings
    endpoint: EndpointSettings | None = Field(None, description="null: the Model Registry only.")
    timeout_s: PositiveInt = Field(3600, description="Of the upload, and of the deployment.")


class VertexPlace(Settings):
    """Where in Vertex AI, and as what.

    Attributes:
        project: ID.
        location: Region.
        api_endpoint: https:// address of the service; None: the location's own.
        kms_key: What is made there is encrypted with it; None: with Google's.
        labels: Of what is made there.
    """

    project: str
    location: str
    api_endpoint: str | None = None
    kms_key: str | None = None
    labels: dict[str, str] = Field({})

    @property
    def parent(self) -> str:
        """Resource name of the location."""
        return f"projects/{self.project}/locations/{self.location}"

    @property
    def address(self) -> str:
        """Of the service."""
        return self.api_endpoint or f"https://{self.location}-aiplatform.googleapis.com"
