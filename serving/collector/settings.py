"""Settings of the collector."""

from pydantic import Field

from components.common.settings import Settings
from serving.request_log.settings import RequestLogSettings


class CollectorSettings(Settings):
    """Which models' requests are collected, where they arrive, and within which limits."""

    model: str = Field(description="The registry, whose versions say which labels and thresholds an answer has.")
    name: str = Field(
        default="default", min_length=1, description="Name of the model in the log, if an event has none."
    )
    status_url: str | None = Field(
        default=None, description="Model status of TensorFlow Serving, whose answers do not name their version."
    )
    host: str = Field(default="127.0.0.1", description="Address to listen on.")
    port: int = Field(default=8600, ge=0, le=65535, description="Port of HTTP; 0 for any free one.")
    max_request_mb: float = Field(default=8.0, gt=0, description="Size of an event; larger ones are answered with 413.")
    pair_s: float = Field(
        default=300.0, gt=0, description="Time that a request waits for its answer, or the reverse, in seconds."
    )
    waiting_mb: float = Field(
        default=256.0, gt=0, description="Size of all events that wait; above it, the oldest are dropped."
    )
    poll_s: float = Field(default=5.0, gt=0, description="Time between two looks for new versions, in seconds.")
    grace_s: float = Field(default=10.0, ge=0, description="Time that accepted events have after SIGTERM, in seconds.")
    request_log: RequestLogSettings = Field(description="The request log.")

    @property
    def max_request_bytes(self) -> int:
        return int(self.max_request_mb * (1 << 20))
