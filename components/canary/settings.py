"""What a person can choose about the trial that a model stands before it may be pushed."""

from typing import Literal

from pydantic import Field, PositiveFloat, PositiveInt

from components.common.settings import Settings


class CanarySettings(Settings):
    """What the exported model is asked, in a process of its own, and what it may take to answer."""

    requests: list[str | tuple[str, str]] = Field(
        [], description="Texts of your own that it must answer, besides the built-in ones; [first, second] of pairs."
    )
    memory_limit_mb: PositiveInt | None = Field(
        4096, description="MiB that the model's process may hold at its peak, TensorFlow's own included; null: any."
    )
    latency_ratio: PositiveFloat | None = Field(
        1.5, description="So many times the live model's time a request may take, at the median; null: not asked."
    )
    latency_tolerance_ms: float = Field(
        10.0, ge=0, description="Milliseconds on top of that, so that noise does not decide."
    )
    timeout_s: PositiveInt = Field(120, description="Seconds for loading the model, and for each request.")


class InfraValidatorSettings(Settings):
    """TFX's own InfraValidator, which starts TensorFlow Serving; asked besides the canary."""

    platform: Literal["docker", "kubernetes"] = Field(
        description="docker: on the machine that runs the pipeline; kubernetes: beside the pipeline, in its namespace."
    )
    image: str = Field("tensorflow/serving", description="Without a tag.")
    tags: list[str] = Field(["latest"], min_length=1, description="Each is tried.")
    examples: PositiveInt = Field(8, description="Of the eval split, sent to serving_default one by one.")
    timeout_s: PositiveInt = Field(300, description="Seconds for the server to load the model.")
    tries: PositiveInt = Field(3, description="The model is refused when so many in a row fail.")
