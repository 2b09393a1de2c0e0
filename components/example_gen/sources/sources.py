"""Files or queries that a run reads: the inputs of the configuration, with their spans resolved.

`find_sources` is called by the configuration check, by the driver, and by the executor if no driver has run (on
open-source Kubeflow).
"""

import glob
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from components.common.files import display, escape_glob, file_size, is_remote, list_files
from components.example_gen.formats.values import printable
from components.example_gen.sources.bigquery.queries import Query, find_queries, has_span
from components.example_gen.sources.settings import InputSettings
from components.example_gen.sources.spans import (
    SpanPattern,
    SpanVersion,
    choose_spans,
    days_available,
    describe_spans,
    newest,
    parse_pattern,
)
from schema.errors import Refused
from schema.nearest import close_match

_MOST_FILES_COMPARED = 1_000
_NO_VERSION = -1
_Editions = dict[int, dict[int | None, list[str]]]  # paths of files by span and version


@dataclass(frozen=True, slots=True)
class InputFile:
    """File to read, or query to run.

    Attributes:
        order: Index among all files. First occurrences in reports are by this order.
        input: Index of the entry in `settings.inputs`.
        path: Path to open; for a query, its SQL.
        name: Path relative to input_base, for ids and reports, which should not depend on the machine.
        size: Size in bytes, as stored; for a query 0, until BigQuery has checked it.
        span: Span that the file belongs to; None if its pattern has none.
    """

    order: int
    input: int
    path: str
    name: str
    size: int
    span: int | None = None


@dataclass(frozen=True, slots=True)
class Sources:
    """Files or queries that a run reads.

    Attributes:
        files: Files in the order of the inputs, then of spans, then of paths.
        spans: Spans that the files belong to, ascending; empty if no input has spans.
        incomplete: Spans that the settings ask for, but that are left out because an input has no file of them (yet).
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
        """Newest span and version, to be compared with `components.training_log.log.TrainingEntry.newest`."""
        return newest(self.spans)


def find_sources(settings: InputSettings, resolved: Sequence[SpanVersion] | None = None) -> Sources:
    """Find every file of every input; if inputs have spans, the files of the spans that `settings.spans` asks for.

    Args:
        settings: Inputs and spans to read.
        resolved: Spans to read, if they were resolved before; their files must exist.

    Raises:
        Refused: A pattern matches no file, or one that another pattern matches too; or no span can be read.
    """
    if settings.has_queries:
        return _find_queries(settings, resolved)
    _check_folder(settings)
    patterns = [_parse(settings, index) for index in range(len(settings.inputs))]
    editions = {
        index: _find_editions(settings, index, pattern) for index, pattern in enumerate(patterns) if pattern is not None
    }
    complete, incomplete = _complete_spans(list(editions.values()))
    if resolved is None:
        chosen = choose_spans(complete, settings.spans)
        spans = tuple(
            SpanVersion(span, _newest_version([entry[span] for entry in editions.values()])) for span in chosen
        )
    else:
        spans = tuple(resolved)
    if missing := sorted({span for span, _ in spans}.difference(complete)):
        raise Refused(f"{display(settings.input_base)}: span {missing[0]} no longer exists; run again")
    if editions and not spans:
        raise Refused(f"{display(settings.input_base)}: {_why_no_span(settings, complete, incomplete)}")
    files = _input_files(settings, editions, spans)
    _refuse_shared_files(files, settings)
    wanted = choose_spans({*complete, *incomplete}, settings.spans)
    return Sources(tuple(files), spans, tuple(span for span in wanted if span in incomplete))


def has_spans(settings: InputSettings) -> bool:
    """Return whether any input comes in spans."""
    if settings.has_queries:
        return any(has_span(entry.source) for entry in settings.inputs)
    return any(parse_pattern(entry.source) is not None for entry in settings.inputs)


def has_dates(settings: InputSettings) -> bool:
    """Return whether spans are days."""
    return settings.has_queries or any("{YYYY}" in entry.source for entry in settings.inputs)


def _find_queries(settings: InputSettings, resolved: Sequence[SpanVersion] | None) -> Sources:
    spans = [span for span, _ in resolved or ()]
    if resolved is None and has_spans(settings):
        spans = choose_spans(days_available(settings.spans), settings.spans)
    files = [
        InputFile(query.order, query.input, query.sql, query.name, 0, query.span)
        for query in find_queries([entry.source for entry in settings.inputs], spans)
    ]
    return Sources(tuple(files), tuple(SpanVersion(span, None) for span in spans))


def _check_folder(settings: InputSettings) -> None:
    base = settings.input_base.rstrip("/")
    if not is_remote(base) and not Path(base).is_dir():
        raise Refused(f"{display(base)}: no such folder; set examples.input_base")


def _parse(settings: InputSettings, index: int) -> SpanPattern | None:
    pattern = settings.inputs[index].source
    if Path(pattern).is_absolute():
        raise Refused(f"'{pattern}' is not relative to examples.input_base; set examples.inputs[{index}].pattern")
    if settings.inputs[index].query is None and ".." in pattern.split("/"):
        raise Refused(
            f"'{pattern}' leaves examples.input_base; set that to the folder above, and"
            f" examples.inputs[{index}].pattern to what is below"
        )
    try:
        return parse_pattern(pattern)
    except Refused as refused:
        raise Refused(f"examples.inputs[{index}].pattern: {refused}") from None


def _matching_files(settings: InputSettings, index: int, pattern: str | None = None) -> list[str]:
    base, own = settings.input_base.rstrip("/"), settings.inputs[index].source
    paths = list_files(f"{escape_glob(base)}/{pattern or own}")
    if not paths and not is_remote(base) and Path(base, own).is_dir():
        raise Refused(f"{display(f'{base}/{own}')}: is a folder; set examples.inputs[{index}].pattern to its files")
    if not paths:
        raise Refused(
            f"{display(base)}: no file matches '{own}'{_suggestion(base, own)}; set examples.inputs[{index}].pattern"
        )
    return paths


def _find_editions(settings: InputSettings, index: int, pattern: SpanPattern) -> _Editions:
    base = settings.input_base.rstrip("/") + "/"
    editions: _Editions = defaultdict(lambda: defaultdict(list))
    for path in _matching_files(settings, index, pattern.glob):
        edition = pattern.span_of(path.removeprefix(base))
        if edition is not None:
            editions[edition.span][edition.version].append(path)
    return editions


def _complete_spans(inputs: Sequence[_Editions]) -> tuple[list[int], tuple[int, ...]]:
    """Return the spans that every input with spans has in a common version, and those that only some inputs have."""
    every = {span for editions in inputs for span in editions}
    complete = [
        span
        for span in every
        if all(span in editions for editions in inputs) and _common_versions([editions[span] for editions in inputs])
    ]
    return complete, tuple(sorted(every.difference(complete)))


def _common_versions(inputs: Sequence[dict[int | None, list[str]]]) -> set[int]:
    """Return the versions that all inputs have of a span; {_NO_VERSION} if none of them has versions."""
    versioned = [
        {version for version in versions if version is not None} for versions in inputs if None not in versions
    ]
    return set.intersection(*versioned) if versioned else {_NO_VERSION}


def _newest_version(inputs: Sequence[dict[int | None, list[str]]]) -> int | None:
    version = max(_common_versions(inputs))
    return None if version == _NO_VERSION else version


def _input_files(
    settings: InputSettings, editions: dict[int, _Editions], spans: Sequence[SpanVersion]
) -> list[InputFile]:
    files: list[InputFile] = []
    for index in range(len(settings.inputs)):
        matches: list[tuple[int | None, str]]
        if index in editions:
            matches = [(span, path) for span, version in spans for path in _files_of(editions[index][span], version)]
        else:
            matches = [(None, path) for path in _matching_files(settings, index)]
        for span, path in matches:
            name = path.removeprefix(settings.input_base.rstrip("/") + "/")
            _refuse_undecodable_name(name)
            files.append(InputFile(len(files), index, path, name, file_size(path), span))
    return files


def _files_of(versions: dict[int | None, list[str]], version: int | None) -> list[str]:
    return versions[None] if None in versions else versions[version]


def _why_no_span(settings: InputSettings, complete: Sequence[int], incomplete: Sequence[int]) -> str:
    if complete:
        newest_spans = [SpanVersion(span, None) for span in sorted(complete)[-3:]]
        described = describe_spans(newest_spans, dates=has_dates(settings))
        return f"no span is within examples.spans (the newest: {described}); widen it"
    if incomplete:
        return f"no span has files of every input (incomplete: {len(incomplete)}); set examples.inputs"
    return "no file has a number or a date where the pattern has its span; set examples.inputs"


def _suggestion(base: str, pattern: str) -> str:
    if is_remote(base):
        return ""
    found = glob.iglob("**", root_dir=base, recursive=True)  # noqa: PTH207 - for names relative to base
    names = [name for name, _ in zip(found, range(_MOST_FILES_COMPARED), strict=False) if Path(base, name).is_file()]
    close = close_match(pattern, names)
    return f" (did you mean '{close}'?)" if close else ""


def _refuse_undecodable_name(name: str) -> None:
    try:
        name.encode()
    except UnicodeEncodeError:  # an example could not be named after the file
        raise Refused(f"{printable(name)}: the file's name is not UTF-8; rename it") from None


def _refuse_shared_files(files: Sequence[InputFile], settings: InputSettings) -> None:
    first: dict[str, InputFile] = {}
    for file in files:
        other = first.setdefault(file.path, file)
        if other is not file:
            both = f"'{settings.inputs[other.input].source}' and '{settings.inputs[file.input].source}'"
            raise Refused(
                f"{display(file.path)}: matches both {both}; give examples.inputs patterns that share no file"
            )
