"""Settings of the server."""

from pydantic import Field

from components.common.settings import Settings
from serving.request_log.settings import RequestLogSettings


class ServerSettings(Settings):
    """What is served, where, and within which limits."""

    model: str = Field(description="A registry, whose newest version is served; or the directory of one model.")
    name: str = Field(
        default="default", min_length=1, pattern=r"^[^/:]+$", description="Name of the model in addresses."
    )
    host: str = Field(default="127.0.0.1", description="Address to listen on.")
    port: int = Field(default=8501, ge=0, le=65535, description="Port of HTTP; 0 for any free one.")
    grpc_port: int = Field(default=8500, ge=0, le=65535, description="Port of gRPC; 0 for any free one.")
    max_batch: int = Field(default=256, ge=1, description="Most texts that the model is called with at once.")
    max_wait_ms: float = Field(
        default=0.0, ge=0, description="Time that an idle server waits for further requests to fill a batch, in ms."
    )
    workers: int = Field(
        default=1, ge=1, description="Batches that the model computes at the same time, each on its share of the cores."
    )
    queue: int = Field(default=1000, ge=1, description="Texts that may wait; requests beyond are answered with 429.")
    max_request_mb: float = Field(
        default=8.0, gt=0, description="Size of a request; larger ones are answered with 413."
    )
    poll_s: float = Field(default=5.0, gt=0, description="Time between two looks for a new version, in seconds.")
    grace_s: float = Field(
        default=30.0, ge=0, description="Time that accepted requests have after SIGTERM, in seconds."
    )
    request_log: RequestLogSettings | None = Field(default=None, description="The request log; None for none.")

    @property
    def max_request_bytes(self) -> int:
        return int(self.max_request_mb * (1 << 20))
