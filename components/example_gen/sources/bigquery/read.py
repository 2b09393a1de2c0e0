"""Reading of queries' rows with Beam, the way TFX's BigQueryExampleGen does it."""

import uuid
from collections.abc import Sequence
from typing import Any

import apache_beam as beam

from components.example_gen.sources.bigquery.queries import Query
from components.example_gen.sources.bigquery.settings import BigQuerySettings


class ReadRows(beam.PTransform):  # type: ignore[misc]
    """Transform of a pipeline into (order of the query, values by column) for every row of every query, unordered.

    The options of the pipeline name the project that pays (--project) and the folder of exports (--temp_location).
    """

    def __init__(self, queries: Sequence[Query], settings: BigQuerySettings) -> None:
        super().__init__()
        self._queries = queries
        self._settings = settings

    def expand(self, pipeline: Any) -> beam.PCollection:
        """Run every query."""
        # Here, because Google's clients take a while to import and only this format needs them.
        from tfx.extensions.google_cloud_big_query.utils import ReadFromBigQuery

        rows = [
            pipeline
            | f"Query {query.name}" >> ReadFromBigQuery(query=query.sql, big_query_custom_config=self._options())
            | f"Tag {query.name}" >> beam.Map(lambda fields, order=query.order: (order, fields))
            for query in self._queries
        ]
        return rows | beam.Flatten()

    def _options(self) -> dict[str, Any]:
        if self._settings.read_method == "EXPORT":
            return {"method": "EXPORT"}
        # Beam 2.77 names the jobs of a direct read after the second and a number below 1000, and takes an existing job
        # for its own: two queries that start together would now and then read the same result, or none.
        return {"method": "DIRECT_READ", "unique_id": uuid.uuid4().hex[:10]}
