"""A new input format takes one module and one entry in the table.

The first half of this file is such a module, for lines of fields separated by pipes.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

import pytest
from pydantic import ValidationError

from cli.init.hints import Hints
from cli.init.project import write_project
from components.example_gen.check import check_inputs
from components.example_gen.formats import formats
from components.example_gen.formats.format import FileOptions, Format
from components.example_gen.formats.rows import Reason, Rejected, Row, Table
from components.example_gen.formats.sniffing import sniff_text
from pipeline.config.loading import load_configuration
from schema.errors import Refused
from tests.components.example_gen.support import settings_for, write_file
from tests.components.example_gen.test_executor import Ingested


def _sniff(head: bytes, _: FileOptions) -> str:
    if b"|" not in head:
        return "has no pipes; check examples.format"
    return sniff_text(head, has_header=True)


def _read_table(stream: BinaryIO, _: FileOptions) -> Table:
    columns = tuple(stream.readline().decode().strip().split("|"))
    return Table(columns, _read_rows(stream, len(columns)))


def _read_rows(stream: BinaryIO, width: int) -> Iterator[Row | Rejected]:
    for number, line in enumerate(stream, start=2):
        row = Row(number, [*line.decode().strip().split("|")], line)
        yield row if len(row.cells) == width else row.reject(Reason.WRONG_FIELDS)


PIPES = Format(
    name="pipes",
    description="fields separated by pipes",
    suffixes=(".psv",),
    sniff=_sniff,
    read_table=_read_table,
    has_header=True,
)

LINES = ["text|labels|channel", *(f"text {n}|{'joy' if n % 2 else 'anger'}|mail" for n in range(60)), "no label"]
CONTENT = "\n".join(LINES) + "\n"
INPUTS = [{"pattern": "*.psv*", "split": {"train": 2, "eval": 1, "test": 1}}]


@pytest.fixture(autouse=True)
def with_pipes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(formats, "FORMATS", (*formats.FORMATS, PIPES))


def test_ingests_the_format(tmp_path: Path) -> None:
    write_file(tmp_path / "data" / "a.psv", CONTENT)
    ingested = Ingested(tmp_path, settings_for(tmp_path / "data", format="pipes", inputs=INPUTS))
    assert (ingested.report.accepted, ingested.report.labels["joy"].count) == (60, 30)
    assert [(row.line, row.reason, row.raw) for row in ingested.quarantined] == [
        (62, "wrong number of fields", "no label")
    ]


def test_sniffs_the_format(tmp_path: Path) -> None:
    write_file(tmp_path / "a.psv", "text,labels\nsome text,joy\n")
    with pytest.raises(Refused, match=r"a\.psv: has no pipes; check examples\.format"):
        check_inputs(settings_for(tmp_path, format="pipes", inputs=INPUTS))


def test_infers_a_configuration_from_a_file_of_the_format(tmp_path: Path) -> None:
    written = write_project(write_file(tmp_path / "a.PSV", "\n".join(LINES[:-1])), tmp_path / "out", Hints())
    examples = load_configuration(written.configuration).examples
    assert (examples.format, examples.text, written.trial.accepted) == ("pipes", "text", 60)
    assert check_inputs(examples).files[0].name == "a.PSV"


def test_names_the_format_in_messages(tmp_path: Path) -> None:
    with pytest.raises(Refused, match=r"no format has this suffix; rename it to end in one of .*, \.psv\[\.gz\]"):
        formats.format_of_file("a.txt")
    with pytest.raises(ValidationError, match=r"no format 'pipe'; did you mean 'pipes'\?"):
        settings_for(tmp_path, format="pipe")
