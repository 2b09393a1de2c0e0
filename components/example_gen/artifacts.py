"""Artifact that TextExampleGen writes besides Examples."""

from tfx.types.artifact import Artifact


class Quarantine(Artifact):  # type: ignore[misc]
    """Rows that were rejected, and a report on all rows.

    `rows.parquet` has one row per rejected row: file, line (1-based, on which it begins), reason, raw (its first
    characters). `report.json` is an `IngestReport`.
    """

    # Kubeflow requires "namespace.Name" and, in a container, imports the class by this name.
    TYPE_NAME = "components.Quarantine"
