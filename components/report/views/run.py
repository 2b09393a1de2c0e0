"""Section of the report on the run itself: who ran what, the model, what each step took, and the configuration."""

from collections.abc import Iterator
from dataclasses import dataclass

from components.report.drawing.tables import Cell, Head, Table, count, text
from components.report.summary import Provenance, Summary
from components.report.views.material import Material

_SECONDS_PER_HOUR = 3_600


@dataclass(frozen=True)
class RunView:
    """Content of the section.

    Attributes:
        command: Command that started the run; empty if it is not known.
        facts: (name, value) pairs.
        tables: Tables of what the steps took, and of the packages' versions.
        chosen: The configuration as YAML as far as it differs from the defaults; empty if that is not known.
        configuration: The whole configuration as YAML; empty if it is not known.
    """

    command: str
    facts: list[tuple[str, str]]
    tables: list[Table]
    chosen: str
    configuration: str


def run_view(material: Material) -> RunView:
    """Return the content of the section."""
    command = "" if material.provenance is None else material.provenance.command
    facts = [*_facts(material)]
    return RunView(command, facts, list(_tables(material.summary)), material.chosen, material.configuration)


def core_hours(summary: Summary) -> float | None:
    """Return the processor time of all steps, in core-hours; None if it was not measured."""
    return sum(cost.cpu_s for cost in summary.costs.values()) / _SECONDS_PER_HOUR if summary.costs else None


def _facts(material: Material) -> Iterator[tuple[str, str]]:
    if material.provenance is not None:
        yield from _origin(material.provenance)
    model, summary = material.model, material.summary
    if model is not None:
        yield "checkpoint", model.checkpoint
        yield "exported", model.created
        if model.started_from:
            yield "started from version", model.started_from
        yield "model", model.model_id[:16]
    hours = core_hours(summary)
    if hours is not None:
        yield "cost", f"{hours:.2f} core-hours"
    if summary.peak_memory_mb is not None:
        yield "peak memory", f"{summary.peak_memory_mb:,} MiB"
    if summary.disk is not None:
        yield "disk", f"{summary.disk.work_dir_mb:,} MiB, and {summary.disk.registry_mb:,} MiB in the registry"


def _origin(provenance: Provenance) -> Iterator[tuple[str, str]]:
    if provenance.commit is not None:
        yield "git commit", f"{provenance.commit[:12]}{', with changes' if provenance.is_modified else ''}"
    cores = "" if provenance.cores is None else f" ({provenance.cores} core{'s' * (provenance.cores != 1)})"
    yield "submitted from" if provenance.runner else "host", f"{provenance.host}{cores}"
    yield "user", provenance.user
    if provenance.runner:
        yield "ran on", provenance.runner


def _tables(summary: Summary) -> Iterator[Table]:
    if summary.durations_s:
        yield _steps_table(summary)
    if summary.versions:
        rows = [[text(package), text(version)] for package, version in summary.versions.items()]
        yield Table("Versions", [Head("package", False), Head("version")], rows, "versions")


def _steps_table(summary: Summary) -> Table:
    heads = [Head("step", False), Head("seconds")]
    memory = Head("memory, MiB", full="peak memory of the process that ran the step")
    heads += [Head("core-hours"), memory] if summary.costs else []
    rows = []
    for step, seconds in summary.durations_s.items():
        row = [text(step), Cell(f"{seconds:,.1f}", seconds)]
        if summary.costs:
            cost = summary.costs.get(step)
            hours = None if cost is None else cost.cpu_s / _SECONDS_PER_HOUR
            row += [Cell("–" if hours is None else f"{hours:.3f}", hours)]
            row += [count(None if cost is None else cost.peak_memory_mb)]
        rows.append(row)
    total = [text("all steps"), Cell(f"{sum(summary.durations_s.values()):,.1f}", None, "sum")]
    hours = core_hours(summary)
    total += [Cell(f"{hours:.3f}", None, "sum"), count(summary.peak_memory_mb)] if hours is not None else []
    return Table("What each step took", heads, [*rows, total], "durations")
