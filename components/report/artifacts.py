"""Artifact types of the Report."""

from tfx.types.artifact import Artifact


class RunReport(Artifact):  # type: ignore[misc]
    """`summary.json`, a `components.report.summary.Summary`, with report.html and model_card.md."""

    TYPE_NAME = "components.RunReport"
