"""Settings that say how the rows of queries are read."""

from typing import Literal

from pydantic import Field

from components.common.settings import Settings


class BigQuerySettings(Settings):
    """Settings of reading from BigQuery."""

    read_method: Literal["EXPORT", "DIRECT_READ"] = Field(
        default="EXPORT",
        description="bigquery. EXPORT: through files below Beam's --temp_location, as TFX does by default; DIRECT_READ:"
        " from BigQuery's Storage Read API, without a bucket.",
    )
