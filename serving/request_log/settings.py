"""Settings of the request log."""

from pydantic import Field

from components.common.settings import Settings


class RequestLogSettings(Settings):
    """What of the answered requests is kept, where, and how much of it."""

    folder: str = Field(description="Local folder of the log; created, readable by its owner only.")
    sample: float = Field(default=1.0, ge=0, le=1, description="Share of the requests that is logged, at random.")
    texts: bool = Field(default=False, description="Whether texts are kept; without, only their lengths are.")
    languages: bool = Field(default=True, description="Whether the languages of the texts are kept.")
    slices: bool = Field(
        default=True, description="Whether the model's slice columns are kept, where clients send them."
    )
    max_mb: int = Field(default=1024, ge=1, description="Size of the log, in MB; above it, the oldest files go.")
    flush_s: float = Field(default=60.0, gt=0, description="Seconds after which rows are written to a file.")
    rows_per_file: int = Field(default=10_000, ge=1, description="Rows after which they are written earlier.")
    queue_rows: int = Field(
        default=50_000, ge=1, description="Rows that may wait to be written; further ones are dropped and counted."
    )
