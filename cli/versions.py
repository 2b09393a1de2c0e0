"""Versions in a registry, as a person sees, verifies and rolls them back."""

from pathlib import Path
from typing import TYPE_CHECKING

from rich.console import Console
from rich.table import Table
from rich.text import Text

from components.common.files import display
from components.registry import (
    ModelRecord,
    RemovedVersions,
    Version,
    check_registry,
    check_signatures,
    find_owner,
    originals,
    rollback,
    rollback_target,
    standing,
    variants,
    versions,
)
from runners.registry import PipelineRegistry
from schema.errors import Refused

if TYPE_CHECKING:
    from components.vertex_push.versions import UploadedVersion


def show_versions(console: Console, registry: PipelineRegistry, *, removed: bool = False) -> None:
    """Print a table of the versions, oldest first, and what Vertex AI has of them.

    Args:
        console: Where to print.
        registry: The registry.
        removed: Also list the versions that were removed.

    Raises:
        Refused: The registry has no version, or Vertex AI refuses or does not answer.
    """
    base = registry.base
    existing = versions(base)
    if not existing:
        raise Refused(f"{base}: no model was pushed there")
    on_vertex = _on_vertex(registry)
    names = _variants_of_versions(base)
    columns = ["version", "pushed", "labels", "checkpoint", "trained on", "macro F1", ""]
    columns += [*(["variants"] if names else []), *(["Vertex AI"] if on_vertex is not None else [])]
    table = Table(*columns, title=display(base))
    table.columns[2].justify = table.columns[5].justify = "right"
    try:
        withdrawn, problem = set(existing) - set(standing(base)), ""
    except Refused as refused:  # which versions are withdrawn is unknown; list what can be read all the same
        withdrawn, problem = set(), f"broken: {refused}"
    gone = _removed_versions(base, existing)
    for number, record in gone.items() if removed else ():
        table.add_row(str(number), *_cells(record, "removed"), *[""] * (len(columns) - 7))
    for version in existing:
        state = "served" if version == existing[-1] else "withdrawn" if version in withdrawn else ""
        cells = [str(version.number), *_cells_of(version, state)]
        if names:
            cells.append(", ".join(names.get(version.number, ())))
        if on_vertex is not None:
            cells.append(_find_on_vertex(base, version, on_vertex))
        table.add_row(*cells)
    console.print(table)
    if gone and not removed:
        console.print(Text(f"note: {len(gone)} older versions were removed; --all lists them"), soft_wrap=True)
    _print_owner(console, base)
    _print_note(console, registry)
    if problem:
        console.print(Text(problem), soft_wrap=True)


def verify_versions(console: Console, registry: str, public_key: Path | None = None) -> bool:
    """Compare every file of every version with its checksum, and print what differs.

    Returns:
        Whether every version is as it was pushed.

    Raises:
        Refused: The registry is empty.
    """
    existing, findings = versions(registry), list(check_registry(registry))
    if public_key is not None:
        findings += check_signatures(registry, public_key)
    if not existing and not findings:
        raise Refused(f"{registry}: no model was pushed there")
    for finding in findings:
        kind = "broken" if finding.broken else "note"
        console.print(Text(f"{kind}: {finding.where}: {finding.what}"), soft_wrap=True)
    broken = {finding.where for finding in findings if finding.broken}
    intact = sum(str(version.number) not in broken for version in existing)
    console.print(f"{intact} of {len(existing)} versions as they were pushed", highlight=False)
    return not broken


def roll_back_to(console: Console, registry: PipelineRegistry, number: int | None) -> None:
    """Make an older version the latest again, and print what is served now.

    Vertex AI comes first: if it refuses, the registry is as it was, and the same command can be repeated.

    Args:
        console: Where to print.
        registry: The registry.
        number: Number of the version; None: the newest that is not withdrawn and has another model than the latest.

    Raises:
        Refused: There is no such version, its files are not those that were pushed, or Vertex AI refuses.
    """
    destination = registry.on_vertex
    if destination is not None:
        from components.vertex_push.versions import serve

        target = rollback_target(registry.base, number)
        number = target.number
        wait = "Waiting for Vertex AI, which takes many minutes if a version has to be deployed ..."
        console.print(Text(wait), soft_wrap=True)
        model = serve(destination.settings, destination.target, registry.base, target, destination.serving_root)
        where = f" and served by endpoint {destination.settings.endpoint.name}" if destination.settings.endpoint else ""
        console.print(Text(f"{model} is Vertex AI's default version{where} now"), soft_wrap=True)
    version = rollback(registry.base, number)
    record = ModelRecord.read(version.path)
    withdrawn = ", ".join(str(other) for other in record.withdraws)
    line = f"version {version.number}, a copy of {record.rolled_back_to}, is served now; withdrawn: {withdrawn}"
    console.print(Text(line), soft_wrap=True)
    _print_note(console, registry)


def _variants_of_versions(base: str) -> dict[int, list[str]]:
    """Return the names of variants by the number of their version."""
    names: dict[int, list[str]] = {}
    for name, existing in variants(base).items():
        for version in existing:
            names.setdefault(version.number, []).append(name)
    return names


def _on_vertex(registry: PipelineRegistry) -> dict[int, str] | None:
    """Return a description of each uploaded version by its number in the registry; None if nothing is uploaded."""
    if registry.on_vertex is None:
        return None
    from components.vertex_push.versions import uploaded_versions

    found = uploaded_versions(registry.on_vertex.settings, registry.on_vertex.target)
    return {each.number: _described(each) for each in found if each.number is not None}


def _find_on_vertex(base: str, version: Version, on_vertex: dict[int, str]) -> str:
    try:
        numbers = originals(base, version)
    except Refused:  # shown below the table
        numbers = [version.number]
    return next((on_vertex[each] for each in numbers if each in on_vertex), "")


def _described(uploaded: "UploadedVersion") -> str:
    traffic = f"{uploaded.traffic} % of the traffic" if uploaded.traffic is not None else ""
    default = "default" if uploaded.is_default else ""
    return ", ".join(filter(None, [f"version {uploaded.version_id}", default, traffic]))


def _print_owner(console: Console, base: str) -> None:
    """Print which pipeline the registry belongs to, and which ones it was taken over from."""
    try:
        owner = find_owner(base)
    except Refused as refused:
        console.print(Text(f"broken: {refused}"), soft_wrap=True)
        return
    if owner is None:
        return
    lines = [f"belongs to pipeline '{owner.pipeline}' since {_time(owner.since)}"]
    for former in reversed(owner.former):
        name = "a pipeline whose name was damaged" if former.pipeline is None else f"'{former.pipeline}'"
        lines.append(f"taken over from {name}, {len(former.labels)} labels, at {_time(former.until)}")
    console.print(Text("; ".join(lines)), soft_wrap=True)


def _time(iso: str) -> str:
    return iso.replace("T", " ").removesuffix("+00:00")


def _print_note(console: Console, registry: PipelineRegistry) -> None:
    if registry.note:
        console.print(Text(f"note: {registry.note}"), soft_wrap=True)


def _removed_versions(base: str, existing: list[Version]) -> dict[int, ModelRecord]:
    """Return the records of the versions that were removed, oldest first; none if they cannot be read."""
    numbers = {version.number for version in existing}
    try:
        records = RemovedVersions.find(base).records
    except Refused:  # shown below the table
        return {}
    return {number: records[number] for number in sorted(records) if number not in numbers}


def _cells_of(version: Version, state: str) -> list[str]:
    """Return the cells of a version's row, after its number."""
    try:
        record = ModelRecord.read(version.path)
    except Refused as refused:
        return ["", "", "", str(refused).removeprefix(f"{version.path}/"), "", state]
    return _cells(record, state)


def _cells(record: ModelRecord, state: str) -> list[str]:
    copy = f"copy of {record.rolled_back_to}" if record.rolled_back_to else ""
    return [
        _time(record.pushed or ""),
        str(sum(label is not None for label in record.outputs)),
        display(record.checkpoint) if Path(record.checkpoint).is_absolute() else record.checkpoint,
        _training_data(record),
        "" if record.macro_f1 is None else f"{record.macro_f1:.3f}",
        ", ".join(filter(None, [state, copy])),
    ]


def _training_data(record: ModelRecord) -> str:
    rows = f"{sum(record.trained_on.rows.values())} rows" if record.trained_on.rows else ""
    return ", ".join(filter(None, [rows, _spans([span.span for span in record.trained_on.spans])]))


def _spans(spans: list[int]) -> str:
    if not spans:
        return ""
    return f"span {spans[0]}" if len(spans) == 1 else f"spans {spans[0]} to {spans[-1]}"
