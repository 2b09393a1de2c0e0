"""The `runner.vertex.push` section of the configuration: Vertex AI's Model Registry, and an endpoint that serves."""

from typing import Annotated, Literal

from pydantic import Field, PositiveInt

from components.common.record import Value
from components.common.settings import Settings

LabelKey = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_-]{0,62}$")]
LabelValue = Annotated[str, Field(pattern=r"^[a-z0-9_-]{0,63}$")]


class ServingSettings(Settings):
    """Container that serves the model."""

    image: str = Field(description="Image, in Artifact Registry.")
    kind: Literal["prebuilt", "tensorflow_serving"] = Field(
        "prebuilt",
        description="prebuilt: one of Vertex AI's own, which receives the SavedModel; tensorflow_serving: a copy of"
        " tensorflow/serving, which receives a folder with the model as version 1.",
    )
    env: dict[str, str] = Field({}, description="Environment variables; not for secrets.")


class EndpointSettings(Settings):
    """Endpoint, and the machines behind it, which cost by the hour whether they receive requests or not."""

    name: str = Field(
        min_length=1, max_length=128, description="Display name; the endpoint is created if it does not exist."
    )
    machine_type: str = Field("n1-standard-4", description="Machine type of Compute Engine.")
    accelerator_type: str | None = Field(None, description="Accelerator, such as NVIDIA_TESLA_T4; null: none.")
    accelerator_count: PositiveInt = Field(1, description="Number of accelerators of each machine.")
    min_replicas: PositiveInt = Field(1, description="Lowest number of machines.")
    max_replicas: PositiveInt = Field(1, description="Highest number of machines.")
    traffic: int = Field(
        100,
        ge=1,
        le=100,
        description="Percentage of the traffic for the new version; the rest goes to the version that has most now.",
    )
    service_account: str | None = Field(
        None, description="Service account of the container; null: Vertex AI's default one."
    )


class VertexPushSettings(Settings):
    """Upload of a pushed model to Vertex AI."""

    model: str = Field(
        pattern=r"^[a-z_][a-z0-9_-]{0,62}$",
        description="ID in the Model Registry; each push adds a version, with the alias registry-NUMBER.",
    )
    serving: ServingSettings = Field(description="Container that serves the model.")
    endpoint: EndpointSettings | None = Field(None, description="Endpoint; null: the Model Registry only.")
    timeout_s: PositiveInt = Field(3600, description="Time for the upload, and for the deployment, in seconds.")


class VertexTarget(Value):
    """Project and location of Vertex AI, and what every resource created there gets.

    Attributes:
        project: ID of the project.
        location: Region.
        api_endpoint: https:// address of the service; None for the location's own.
        kms_key: Key that resources are encrypted with; None for Google's.
        labels: Labels of the resources.
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
        """Address of the service."""
        return self.api_endpoint or f"https://{self.location}-aiplatform.googleapis.com"
