"""Which files a run reads: the patterns of the configuration, with their spans resolved.

The same function answers for the configuration check, for the driver where there is one, and for the executor where
there is none (open-source Kubeflow).
"""

import difflib
import glob
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from components.common.files import display, is_remote, list_files, literal, size_of
from components.example_gen.formats.values import shown
from components.example_gen.settings import ExamplesSettings
from components.example_gen.sources.bigquery.queries import Query, find_queries, has_span
from components.example_gen.sources.spans import (
    SpanPattern,
    SpanVersion,
    choose_spans,
    days_available,
    in_words,
    newest,
    parse_pattern,
)
from schema.errors import Refused

_MOST_FILES_COMPARED = 1_000
_Editions = dict[int, dict[int | None, list[str]]]  # span -> version -> its files


@dataclass(frozen=True, slots=True)
class InputFile:
    """One file to read, or one query to run.

    Attributes:
        order: Its position among all files; the first occurrence of anything is told by it.
        input: The index of its entry in `settings.inputs`.
        path: What to open; of a query, its SQL.
        name: The path relative to input_base, for ids and reports, which should not depend on the machine.
        size: Bytes, as stored; of a query 0, until it was checked.
        span: The span that it belongs to, None if its pattern has none.
    """

    order: int
    input: int
    path: str
    name: str
    size: int
    span: int | None = None


@dataclass(frozen=True, slots=True)
class Sources:
    """What a run reads.

    Attributes:
        files: In the order of the inputs, then of spans, then of paths.
        spans: The spans that they belong to, ascending; empty where no input has spans.
        incomplete: Spans that would be read, were they not left out because one of the inputs has no file of theirs
            (yet).
    """

    files: tuple[InputFile, ...]
    spans: tuple[SpanVersion, ...] = ()
    incomplete: tuple[int, ...] = ()

    @property
    def queries(self) -> tuple[Query, ...]:
        """The files as queries."""
        return tuple(Query(file.order, file.input, file.name, file.path, file.span) for file in self.files)

    @property
    def newest(self) -> tuple[int, int]:
        """As `components.training_log.log.Trained.newest`, which it is compared with."""
        return newest(self.spans)


def find_sources(settings: ExamplesSettings, decided: Sequence[SpanVersion] | None = None) -> Sources:
    """Finds every file of every input; where inputs have spans, of the spans that `settings.spans` asks for.

    Args:
        settings: The configuration.
        decided: The spans to read, where that was decided before; their files must be there.

    Raises:
        Refused: A pattern matches no file, or one that another pattern matches too, or no span can be read.
    """
    if settings.format == "bigquery":
        return _find_queries(settings, decided)
    _check_folder(settings)
    patterns = [_parse(settings, index) for index in range(len(settings.inputs))]
    editions = {index: _editions(settings, index, found) for index, found in enumerate(patterns) if found is not None}
    complete, incomplete = _complete_spans(list(editions.values()))
    chosen = choose_spans(complete, settings.spans)
    if decided is not None:
        chosen = [span for span, _ in decided]
        if gone := sorted(set(chosen).difference(complete)):
            raise Refused(f"{display(settings.input_base)}: span {gone[0]} is no longer there; run again")
    if editions and not chosen:
        raise Refused(f"{display(settings.input_base)}: {_why_none(settings, complete, incomplete)}")
    versions = {span: _newest_version([entry[span] for entry in editions.values()]) for span in chosen}
    versions |= dict(decided or ())
    files: list[InputFile] = []
    for index, found in enumerate(patterns):
        if found is None:
            matches: list[tuple[int | None, str]] = [(None, path) for path in _matching(settings, index)]
        else:
            matches = [(span, path) for span in chosen for path in _files_of(editions[index][span], versions[span])]
        for span, path in matches:
            name = path.removeprefix(settings.input_base.rstrip("/") + "/")
            _refuse_unnameable(name)
            files.append(InputFile(len(files), index, path, name, size_of(path), span))
    _refuse_shared_files(files, settings)
    wanted = choose_spans({*complete, *incomplete}, settings.spans)
    left_out = tuple(span for span in wanted if span in incomplete)
    return Sources(tuple(files), tuple(SpanVersion(span, versions[span]) for span in chosen), left_out)


def has_spans(settings: ExamplesSettings) -> bool:
    """Whether any input comes in spans."""
    if settings.format == "bigquery":
        return any(has_span(entry.source) for entry in settings.inputs)
    return any(parse_pattern(entry.source) is not None for entry in settings.inputs)


def has_dates(settings: ExamplesSettings) -> bool:
    """Whether spans are days."""
    return settings.format == "bigquery" or any("{YYYY}" in entry.source for entry in settings.inputs)


def _find_queries(settings: ExamplesSettings, decided: Sequence[SpanVersion] | None) -> Sources:
    spans = [span for span, _ in decided or ()]
    if decided is None and has_spans(settings):
        spans = choose_spans(days_available(settings.spans), settings.spans)
    files = [
        InputFile(query.order, query.input, query.sql, query.name, 0, query.span)
        for query in find_queries(settings, spans)
    ]
    return Sources(tuple(files), tuple(SpanVersion(span, None) for span in spans))


def _check_folder(settings: ExamplesSettings) -> None:
    base = settings.input_base.rstrip("/")
    if not is_remote(base) and not Path(base).is_dir():
        raise Refused(f"{display(base)}: no such folder; set examples.input_base")


def _parse(settings: ExamplesSettings, index: int) -> SpanPattern | None:
    pattern = settings.inputs[index].source
    if Path(pattern).is_absolute():
        raise Refused(f"'{pattern}' is not relative to examples.input_base; set examples.inputs[{index}].pattern")
    try:
        return parse_pattern(pattern)
    except Refused as refused:
        raise Refused(f"examples.inputs[{index}].pattern: {refused}") from None


def _matching(settings: ExamplesSettings, index: int, pattern: str | None = None) -> list[str]:
    base, own = settings.input_base.rstrip("/"), settings.inputs[index].source
    paths = list_files(f"{literal(base)}/{pattern or own}")
    if not paths and not is_remote(base) and Path(base, own).is_dir():
        raise Refused(f"{display(f'{base}/{own}')}: is a folder; set examples.inputs[{index}].pattern to its files")
    if not paths:
        raise Refused(
            f"{display(base)}: no file matches '{own}'{_nearest_file(base, own)}; set examples.inputs[{index}].pattern"
        )
    return paths


def _editions(settings: ExamplesSettings, index: int, pattern: SpanPattern) -> _Editions:
    base = settings.input_base.rstrip("/") + "/"
    found: _Editions = defaultdict(lambda: defaultdict(list))
    for path in _matching(settings, index, pattern.glob):
        edition = pattern.span_of(path.removeprefix(base))
        if edition is not None:
            found[edition.span][edition.version].append(path)
    return found


def _complete_spans(entries: Sequence[_Editions]) -> tuple[list[int], tuple[int, ...]]:
    """The spans that every input with spans has, in one version; and those that only some have."""
    every = {span for entry in entries for span in entry}
    complete = [
        span
        for span in every
        if all(span in entry for entry in entries) and _common_versions([entry[span] for entry in entries])
    ]
    return complete, tuple(sorted(every.difference(complete)))


def _common_versions(spans: Sequence[dict[int | None, list[str]]]) -> set[int]:
    """Versions that all inputs have of a span; {-1} where none of them has versions."""
    versioned = [{version for version in span if version is not None} for span in spans if None not in span]
    return set.intersection(*versioned) if versioned else {-1}


def _newest_version(spans: Sequence[dict[int | None, list[str]]]) -> int | None:
    newest = max(_common_versions(spans))
    return None if newest == -1 else newest


def _files_of(versions: dict[int | None, list[str]], version: int | None) -> list[str]:
    return versions[None] if None in versions else versions[version]


def _why_none(settings: ExamplesSettings, complete: Sequence[int], incomplete: Sequence[int]) -> str:
    if complete:
        spans = in_words([SpanVersion(span, None) for span in sorted(complete)[-3:]], dates=has_dates(settings))
        return f"no span is within examples.spans (the newest: {spans}); widen it"
    if incomplete:
        return f"no span has files of every input (incomplete: {len(incomplete)}); set examples.inputs"
    return "what stands in the place of the span is never a number or a date; set examples.inputs"


def _nearest_file(base: str, pattern: str) -> str:
    if is_remote(base):
        return ""
    there = glob.iglob("**", root_dir=base, recursive=True)  # noqa: PTH207 - of names relative to base
    names = [name for name, _ in zip(there, range(_MOST_FILES_COMPARED), strict=False) if Path(base, name).is_file()]
    nearest = difflib.get_close_matches(pattern, names, n=1)
    return f" (there is '{nearest[0]}')" if nearest else ""


def _refuse_unnameable(name: str) -> None:
    try:
        name.encode()
    except UnicodeEncodeError:  # no example could be named after it
        raise Refused(f"{shown(name)}: the file's name is not UTF-8; rename it") from None


def _refuse_shared_files(files: Sequence[InputFile], settings: ExamplesSettings) -> None:
    first: dict[str, InputFile] = {}
    for file in files:
        other = first.setdefault(file.path, file)
        if other is not file:
            both = f"'{settings.inputs[other.input].source}' and '{settings.inputs[file.input].source}'"
            raise Refused(
                f"{display(file.path)}: matches both {both}; give examples.inputs patterns that share no file"
            )
