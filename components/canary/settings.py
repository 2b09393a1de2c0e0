"""The `canary` and `infra_validator` sections of the configuration."""

from typing import Literal

from pydantic import Field, PositiveFloat, PositiveInt

from components.common.settings import Settings


class CanarySettings(Settings):
    """Requests that the exported model must answer in a process of its own, and the time and memory it may take."""

    requests: list[str | tuple[str, str]] = Field(
        [], description="Your own texts that it must answer, besides the built-in ones; [first, second] for pairs."
    )
    memory_limit_mb: PositiveInt | None = Field(
        4096,
        description="Peak memory allowed to the model's process, TensorFlow's own included, in MiB; null: any."
        " Above it, the run ends as untried.",
    )
    latency_ratio: PositiveFloat | None = Field(
        1.5, description="Highest median latency of a request, as a multiple of the live model's; null: not checked."
    )
    latency_tolerance_ms: float = Field(
        10.0, ge=0, description="Latency allowed on top of that, in ms, so that noise does not decide."
    )
    timeout_s: PositiveInt = Field(
        120,
        description="Time to load the model, and for each request, in seconds; after it, the run ends as untried.",
    )


class InfraValidatorSettings(Settings):
    """TFX's own InfraValidator, which starts TensorFlow Serving and runs beside the canary."""

    platform: Literal["docker", "kubernetes"] = Field(
        description="docker: on the machine that runs the pipeline; kubernetes: beside the pipeline, in its namespace."
    )
    image: str = Field("tensorflow/serving", description="Name of the image, without a tag.")
    tags: list[str] = Field(["latest"], min_length=1, description="Tags of the image; each is tried.")
    examples: PositiveInt = Field(
        8, description="Number of examples of the eval split that are sent to serving_default, one by one."
    )
    timeout_s: PositiveInt = Field(300, description="Time for the server to load the model, in seconds.")
    tries: PositiveInt = Field(3, description="Number of failures in a row after which the model is refused.")
