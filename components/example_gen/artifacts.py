"""What the ExampleGen makes besides Examples."""

from tfx.types.artifact import Artifact


class Quarantine(Artifact):  # type: ignore[misc]
    """Rows turned away, and the count of all.

    `rows.parquet` has a row for each: file, line (1-based, on which it begins), reason, raw (its first characters).
    `report.json` is an `IngestReport`.
    """

    # Kubeflow wants "namespace.Name" and, in a container, imports the class by it.
    TYPE_NAME = "components.Quarantine"
