"""Files that a run reads."""

from pathlib import Path
from typing import Any

import pytest

from components.example_gen.sources.sources import Sources, find_sources
from components.example_gen.sources.spans import SpanVersion
from schema.errors import Refused
from tests.components.example_gen.support import csv_text, distinct_rows, settings_for, write_file

SHARED = {"train": 8, "eval": 1, "test": 1}


def find(base: Path, *patterns: str, spans: dict[str, Any] | None = None) -> Sources:
    inputs = [{"pattern": pattern, "split": SHARED} for pattern in patterns]
    return find_sources(settings_for(base, inputs=inputs, spans=spans or {}))


def write_csv_files(base: Path, *names: str) -> None:
    for name in names:
        write_file(base / name, csv_text(distinct_rows(3)))


def names(found: Sources) -> list[str]:
    return [file.name for file in found.files]


def test_reads_the_last_spans_each_in_its_newest_version(tmp_path: Path) -> None:
    write_csv_files(tmp_path, "1/v1/a.csv", "2/v1/a.csv", "2/v2/a.csv", "3/v1/a.csv", "3/v1/b.csv", "tmp/v1/a.csv")
    found = find(tmp_path, "{SPAN}/v{VERSION}/*.csv", spans={"last": 2})
    assert found.spans == ((2, 2), (3, 1))
    assert names(found) == ["2/v2/a.csv", "3/v1/a.csv", "3/v1/b.csv"]
    assert [file.span for file in found.files] == [2, 3, 3]


def test_reads_a_span_only_if_every_input_has_it(tmp_path: Path) -> None:
    write_csv_files(tmp_path, "train/1/a.csv", "train/2/a.csv", "eval/1/a.csv", "test/a.csv")
    found = find(tmp_path, "train/{SPAN}/*.csv", "eval/{SPAN}/*.csv", "test/*.csv")
    assert found.spans == ((1, None),)
    assert found.incomplete == (2,)
    assert names(found) == ["train/1/a.csv", "eval/1/a.csv", "test/a.csv"]
    assert found.files[2].span is None


def test_reports_incomplete_spans_within_the_wanted_range(tmp_path: Path) -> None:
    write_csv_files(
        tmp_path, *(f"train/{span}/a.csv" for span in range(1, 7)), "eval/2/a.csv", "eval/4/a.csv", "eval/5/a.csv"
    )
    patterns = ("train/{SPAN}/*.csv", "eval/{SPAN}/*.csv")
    assert find(tmp_path, *patterns, spans={"last": 4}).incomplete == (3, 6)
    assert find(tmp_path, *patterns, spans={"last": 2, "not_after": 5}).incomplete == ()
    assert find(tmp_path, *patterns, spans={"last": None}).incomplete == (1, 3, 6)


def test_reads_a_version_that_all_inputs_have(tmp_path: Path) -> None:
    write_csv_files(tmp_path, "train/1/v1/a.csv", "train/1/v2/a.csv", "eval/1/v1/a.csv")
    found = find(tmp_path, "train/{SPAN}/v{VERSION}/*.csv", "eval/{SPAN}/v{VERSION}/*.csv")
    assert found.spans == ((1, 1),)
    assert names(found) == ["train/1/v1/a.csv", "eval/1/v1/a.csv"]


def test_reads_resolved_spans_although_newer_ones_exist(tmp_path: Path) -> None:
    write_csv_files(tmp_path, "1/a.csv", "2/a.csv")
    settings = settings_for(tmp_path, inputs=[{"pattern": "{SPAN}/*.csv", "split": SHARED}])
    assert names(find_sources(settings, [SpanVersion(1, None)])) == ["1/a.csv"]
    with pytest.raises(Refused, match="span 3 no longer exists"):
        find_sources(settings, [SpanVersion(3, None)])


@pytest.mark.parametrize(
    ("files", "spans", "message"),
    [
        (["a/x.csv"], {}, "no file has a number or a date"),
        (["7/x.csv"], {"not_before": 8}, "no span is within examples.spans (the newest: 7)"),
        (["7/x.csv"], {"skip_newest": 1}, "no span is within examples.spans"),
        (["7/x.txt"], {}, "no file matches '{SPAN}/*.csv'"),
    ],
)
def test_refuses_inputs_without_a_readable_span(
    tmp_path: Path, files: list[str], spans: dict[str, Any], message: str
) -> None:
    write_csv_files(tmp_path, *files)
    with pytest.raises(Refused) as refused:
        find(tmp_path, "{SPAN}/*.csv", spans=spans)
    assert message in str(refused.value)


def test_names_the_key_of_an_invalid_pattern(tmp_path: Path) -> None:
    write_csv_files(tmp_path, "a.csv")
    with pytest.raises(Refused, match=r"^examples.inputs\[0\].pattern: '\{VERSION\}.csv' has \{VERSION\} without"):
        find(tmp_path, "{VERSION}.csv")


@pytest.mark.parametrize("pattern", ["../*.csv", "a/../../b.csv", ".."])
def test_refuses_a_pattern_that_leaves_the_folder(tmp_path: Path, pattern: str) -> None:
    write_csv_files(tmp_path, "data/a.csv", "b.csv")
    with pytest.raises(Refused, match=r"leaves examples\.input_base"):
        find(tmp_path / "data", pattern)
