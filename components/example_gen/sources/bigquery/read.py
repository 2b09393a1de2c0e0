"""Has Beam run the queries, the way TFX's BigQueryExampleGen does."""

import uuid
from collections.abc import Sequence
from typing import Any

import apache_beam as beam

from components.example_gen.settings import ExamplesSettings
from components.example_gen.sources.bigquery.queries import Query


class ReadRows(beam.PTransform):  # type: ignore[misc]
    """A pipeline -> (order of the query, fields by column) of every row of every query, in no order.

    The pipeline's options say which project pays (--project) and where exports go (--temp_location).
    """

    def __init__(self, queries: Sequence[Query], settings: ExamplesSettings) -> None:
        super().__init__()
        self._queries = queries
        self._settings = settings

    def expand(self, pipeline: Any) -> beam.PCollection:
        # Google's clients take a while to import; only this format pays for them.
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
        # Beam 2.77 names the jobs of a direct read after the second and a number below 1000, and takes a job that is
        # there already for its own: two queries that start together would now and then read one result, or none.
        return {"method": "DIRECT_READ", "unique_id": uuid.uuid4().hex[:10]}
