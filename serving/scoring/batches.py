"""Batches: the parts of the inputs that are scored each into a folder of its own, and which of them are left.

Inputs in spans make a batch per span, in `<output>/2026-11-28` or `<output>/span-7`, with `-v2` for its version. Inputs
without spans make one batch, named after their state, so that changed files are another batch.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from hashlib import sha256

from components.example_gen.sources.sources import InputFile, Sources, find_sources, has_dates
from components.example_gen.sources.spans import SpanVersion, describe_spans
from schema.errors import Refused
from serving.scoring.record import ScoringRecord, input_facts
from serving.scoring.settings import ScoringSettings

_DIGITS = 12


@dataclass(frozen=True)
class Batch:
    """Part of the inputs, and the folder of its scores.

    Attributes:
        name: Name of the folder, below `output`.
        settings: Settings of the scoring, with this folder as `output`.
        sources: Files or queries of this part.
    """

    name: str
    settings: ScoringSettings
    sources: Sources


@dataclass(frozen=True)
class Batches:
    """Batches that the settings ask for.

    Attributes:
        due: Those that are not scored, or not to the end.
        done: Names of those that are.
        left_out: Spans that are left out, since an input has no file of them (yet), in words; empty if there are none.
    """

    due: list[Batch]
    done: list[str]
    left_out: str = ""

    @property
    def nothing_new(self) -> str | None:
        """Why there is nothing to score, in one sentence; None if there is."""
        if self.due:
            return None
        without = f"; left out, as not every input has files of them: {self.left_out}" if self.left_out else ""
        return f"everything was scored before: {', '.join(self.done)}{without}"


def find_batches(settings: ScoringSettings, project: str = "") -> Batches:
    """Find the batches that `spans` asks for, the oldest first.

    Args:
        settings: Settings of the scoring; `output` is the folder of all batches.
        project: Google Cloud project that pays for queries; "" if there are none.

    Raises:
        Refused: As for `find_sources`.
    """
    sources = find_sources(settings)
    due: list[Batch] = []
    done: list[str] = []
    for name, part in _parts(settings, sources, project):
        own = settings.model_copy(update={"output": f"{settings.output.rstrip('/')}/{name}"})
        if _is_scored(own.output):
            done.append(name)
        else:
            due.append(Batch(name, own, part))
    incomplete = [SpanVersion(span, None) for span in sources.incomplete]
    return Batches(due, done, describe_spans(incomplete, dates=has_dates(settings)))


def _parts(settings: ScoringSettings, sources: Sources, project: str) -> list[tuple[str, Sources]]:
    parts = []
    dates = has_dates(settings)
    for span in sources.spans:
        files = tuple(file for file in sources.files if file.span == span.span)
        name = describe_spans([SpanVersion(span.span, None)], dates=dates)
        name = (name if dates else f"span-{name}") + ("" if span.version is None else f"-v{span.version}")
        parts.append((name, replace(sources, files=_renumbered(files), spans=(span,))))
    others = tuple(file for file in sources.files if file.span is None)
    if others:
        rest = replace(sources, files=_renumbered(others), spans=())
        parts.append((f"inputs-{_state(settings, rest, project)[:_DIGITS]}", rest))
    return parts


def _renumbered(files: Sequence[InputFile]) -> tuple[InputFile, ...]:
    return tuple(replace(file, order=order) for order, file in enumerate(files))


def _state(settings: ScoringSettings, sources: Sources, project: str) -> str:
    """Return a digest that changes with the inputs."""
    if settings.has_queries:
        from components.example_gen.sources.bigquery.check import fingerprint

        return fingerprint(sources.queries, project)
    facts = input_facts(sources, has_queries=False)
    return sha256("\n".join(fact.model_dump_json() for fact in facts).encode()).hexdigest()


def _is_scored(output: str) -> bool:
    try:
        return ScoringRecord.read(output).finished is not None
    except FileNotFoundError:
        return False


def refuse_force(batches: Batches) -> None:
    """Refuse to score again what is scored, since its folder would have to be removed.

    Raises:
        Refused: Every batch is scored.
    """
    if not batches.due:
        raise Refused(f"--force: {batches.nothing_new}; remove a folder below scoring.output to score it again")
