"""A scoring from beginning to end: what may begin or go on, the job, and the record of what was done."""

import re
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from typing import Any

from components.common import files
from components.common.progress import LASTING, PROGRESS
from components.example_gen import quarantine, runs
from components.example_gen.formats.opening import open_table
from components.example_gen.formats.rows import Reason
from components.example_gen.sources.sources import Sources
from schema.errors import Refused
from serving.scoring import shards
from serving.scoring.chunks import find_plan, is_usable
from serving.scoring.model import check_signature, choose_model, verified_record
from serving.scoring.record import LEFTOVERS, Plan, ScoredWith, ScoringRecord, input_facts
from serving.scoring.settings import ScoringSettings

QUARANTINE = "quarantine"
# Settings that do not change what is in the scores.
_FREE = frozenset({"output", "input_base", "inputs", "spans", "batch_size", "read_method"})
_ID = "id"
_KEY = re.compile(r"\bexamples\.(?=\w)")
_BEAM_SUFFIX = re.compile(r" \[while running .*\]$", re.DOTALL)
_PACKAGES = ("tensorflow-text", "apache-beam")


@contextmanager
def keys_of_scoring() -> Iterator[None]:
    """Name keys of `scoring` in what the block refuses: ExampleGen's readers name those of `examples`."""
    try:
        yield
    except Refused as refused:
        raise Refused(_KEY.sub("scoring.", _BEAM_SUFFIX.sub("", str(refused)))) from refused


def with_id_column(settings: ScoringSettings, sources: Sources) -> ScoringSettings:
    """Take the column `id` for the id of the rows, where nobody said otherwise and all files have it."""
    if "id" in settings.model_fields_set or settings.has_queries:
        return settings
    for file in sources.files:
        with open_table(file.path, settings, file.name) as table:
            if _ID not in table.columns:
                return settings
    return settings.model_copy(update={"id": _ID})


def choose(output: str, registry_or_model: str) -> ScoredWith:
    """Choose the model of a folder: the one asked for or, of a registry, the version that the folder was begun with.

    Args:
        output: Folder of the scoring.
        registry_or_model: Directory of a model, or a registry, which stands for its live version.

    Raises:
        Refused: There is no such model, or its files are not as they were pushed.
    """
    chosen = choose_model(registry_or_model)
    begun = continued_with(output, chosen)
    if begun.path == chosen.path:
        return chosen
    message = "going on with version %s, although %s is live now"
    PROGRESS.info(message, begun.version, chosen.version, extra=LASTING)
    if verified_record(begun.path).model_id != begun.model_id:
        raise Refused(f"{begun.path}: is another model than the scores in {output} are of; give another --output")
    return begun


def begin(settings: ScoringSettings, model: ScoredWith, sources: Sources) -> ScoringRecord:
    """Return the record of a new scoring, or that of the folder if the same one was begun before.

    Args:
        settings: Settings of the scoring.
        model: Model that is asked for.
        sources: Inputs that are asked for.

    Raises:
        Refused: The folder has something else, or scores of another model, other inputs or other options.
    """
    new = ScoringRecord(
        model=model,
        inputs=input_facts(sources, has_queries=settings.has_queries),
        input_base=settings.input_base,
        options=_options(settings),
        started=datetime.now(UTC).isoformat(timespec="seconds"),
        versions={"tensorflow": _tensorflow_version(), **{package: version(package) for package in _PACKAGES}},
    )
    try:
        existing = ScoringRecord.read(settings.output.rstrip("/"))
    except FileNotFoundError:
        names = files.list_folder(settings.output)
        found = [name for name in names if not name.startswith(".") and name.rstrip("/") not in LEFTOVERS]
        if found:
            raise Refused(
                f"{settings.output}: is not empty ('{min(found)}'), and has no {ScoringRecord.FILE}; give an empty or"
                " new folder"
            ) from None
        return new
    if difference := _difference(existing, new):
        raise Refused(f"{settings.output}: {difference}; give another --output, or remove the folder")
    return existing


def continued_with(output: str, model: ScoredWith) -> ScoredWith:
    """Return the model that a scoring goes on with: of a registry, the version that was live when it began.

    Args:
        output: Folder of the scoring.
        model: Model that is asked for, live now.
    """
    try:
        existing = ScoringRecord.read(output.rstrip("/"))
    except FileNotFoundError:
        return model
    same_registry = model.registry is not None and existing.model.registry == model.registry
    return existing.model if same_registry and existing.finished is None else model


def run(
    settings: ScoringSettings,
    record: ScoringRecord,
    sources: Sources,
    make_pipeline: Callable[[], Any],
    processes: int = 1,
) -> ScoringRecord:
    """Score what is not scored yet.

    Args:
        settings: Settings of the scoring.
        record: Its record, from `begin`.
        sources: Its inputs.
        make_pipeline: Function that returns a Beam pipeline.
        processes: Processes that share the cores of a machine.

    Returns:
        The completed record, as it is in the folder now.

    Raises:
        Refused: The model takes pairs and the rows are none, or the other way round; an input is cut short, or has no
            row that can be scored.
    """
    if record.finished is not None:
        return record
    from serving.scoring.job import Job, build, remaining, shards_watched

    check_signature(record.model.path, pair=settings.text_pair is not None)
    started = time.monotonic()
    output = settings.output.rstrip("/")
    job = Job(settings, record.model.path, record.model.version, processes)
    for folder in (f"{output}/{shards.SCORES}", f"{output}/{QUARANTINE}", job.unfinished):
        files.make_private_folder(folder)
    record.write(output)
    plan = find_plan(job.unfinished)
    if plan is not None:
        left = sum(work.chunk.rows for work in remaining(plan, job))
        PROGRESS.info("%d of %d rows were scored before", plan.rows.scored - left, plan.rows.scored, extra=LASTING)
    with shards_watched(job), make_pipeline() as pipeline:
        build(pipeline, job, sources, plan)
    plan = Plan.read(job.unfinished)
    if not is_usable(plan):
        problem = _why_unusable(plan)
        _remove_all(output)
        raise Refused(problem)
    if missing := remaining(plan, job):
        raise RuntimeError(f"{missing[0].shard} was not written")
    return _finish(output, record, plan, time.monotonic() - started)


def _finish(output: str, record: ScoringRecord, plan: Plan, seconds: float) -> ScoringRecord:
    """Write the quarantine and the completed record, then remove what was needed until then."""
    quarantine.write_rows(runs.read_rejects(plan.rejects), f"{output}/{QUARANTINE}")
    finished = record.model_copy(
        update={
            "finished": datetime.now(UTC).isoformat(timespec="seconds"),
            "rows": plan.rows,
            "shards": len(plan.chunks),
            "seconds": round(seconds, 2),
        }
    )
    finished.write(output)
    files.remove_folder(f"{output}/{shards.UNFINISHED}")
    return finished


def _remove_all(output: str) -> None:
    """Remove what a refused scoring has written, so that the inputs are read anew once they are repaired."""
    for name in (shards.UNFINISHED, shards.SCORES, QUARANTINE):
        files.remove_folder(f"{output}/{name}")
    files.remove_file(f"{output}/{ScoringRecord.FILE}")


def _tensorflow_version() -> str:
    """Return the release of TensorFlow, whose package in the container image is the one without GPU kernels."""
    try:
        return version("tensorflow")
    except PackageNotFoundError:
        return version("tensorflow-cpu")


def _options(settings: ScoringSettings) -> dict[str, str]:
    """Return the settings that decide what is in the scores, as text by key."""
    content = settings.model_dump(mode="json")
    return {key: str(value) for key, value in sorted(content.items()) if key not in _FREE}


def _difference(existing: ScoringRecord, new: ScoringRecord) -> str:
    """Return the first difference between a folder's record and what is asked for; empty if there is none."""
    if existing.model.model_id != new.model.model_id:
        return f"has scores of {_named(existing.model)}, not of {_named(new.model)}"
    for key, value in new.options.items():
        if (other := existing.options.get(key)) != value:
            return f"was scored with scoring.{key} {other}, not {value}"
    before, now = {fact.name: fact for fact in existing.inputs}, {fact.name: fact for fact in new.inputs}
    if existing.input_base != new.input_base:
        return f"has scores of what is in {existing.input_base or 'no folder'}, not in {new.input_base or 'no folder'}"
    for name in {**before, **now}:
        if name not in now or name not in before:
            return f"has {'scores of ' if name in before else 'no scores of '}{name}"
        if before[name] != now[name]:
            return f"{name} has changed since it was scored"
    return ""


def _named(model: ScoredWith) -> str:
    return f"version {model.version}" if model.version is not None else f"model {model.model_id[:12]}"


def _why_unusable(plan: Plan) -> str:
    row = next(
        (row for row in runs.read_rejects(plan.rejects) if plan.chunks == [] or row.reason.startswith(Reason.DAMAGED)),
        None,
    )
    if row is None:
        return "the inputs have no row; nothing was scored"
    if row.reason.startswith(Reason.DAMAGED):
        return f"{row.file}:{row.line}: {row.reason}; the rest of it is lost, so replace the file"
    reasons = ", ".join(f"{count} {reason}" for reason, count in plan.rows.reasons.items())
    return f"none of {plan.rows.read} rows can be scored ({reasons}; the first is {row.file}:{row.line})"
