"""Section of the report on the run itself: the model, durations, versions and the configuration."""

from collections.abc import Iterator
from dataclasses import dataclass

from components.report.drawing.tables import Cell, Head, Table, text
from components.report.summary import Summary
from components.report.views.material import Material


@dataclass(frozen=True)
class RunView:
    """Content of the section.

    Attributes:
        facts: (name, value) pairs.
        tables: Tables of the steps' durations and of the packages' versions.
        configuration: The configuration as YAML; empty if it is not known.
    """

    facts: list[tuple[str, str]]
    tables: list[Table]
    configuration: str


def run_view(material: Material) -> RunView:
    """Return the content of the section."""
    return RunView(list(_facts(material)), list(_tables(material.summary)), material.configuration)


def _facts(material: Material) -> Iterator[tuple[str, str]]:
    model = material.model
    if model is not None:
        yield "checkpoint", model.checkpoint
        yield "exported", model.created
        if model.started_from:
            yield "started from version", model.started_from
        yield "model", model.model_id[:16]
    if material.summary.peak_memory_mb is not None:
        yield "peak memory", f"{material.summary.peak_memory_mb:,} MiB"


def _tables(summary: Summary) -> Iterator[Table]:
    if summary.durations_s:
        durations = [[text(step), Cell(f"{seconds:,.1f}", seconds)] for step, seconds in summary.durations_s.items()]
        durations.append([text("all steps"), Cell(f"{sum(summary.durations_s.values()):,.1f}", None, "sum")])
        yield Table("Duration", [Head("step", False), Head("seconds")], durations, "durations")
    if summary.versions:
        rows = [[text(package), text(version)] for package, version in summary.versions.items()]
        yield Table("Versions", [Head("package", False), Head("version")], rows, "versions")
