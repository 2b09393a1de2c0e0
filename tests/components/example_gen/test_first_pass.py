"""Tests of the first pass over the rows, which needs no TensorFlow."""

import subprocess
import sys
from pathlib import Path

from components.example_gen.first_pass import read_all_rows
from components.example_gen.parsing.label_changes import LabelChanges
from components.example_gen.sources.sources import InputFile, Sources, find_sources
from tests.components.example_gen.support import csv_text, settings_for, write_file


def test_counts_rows_labels_and_what_cannot_be_read(tmp_path: Path) -> None:
    write_file(tmp_path / "a.csv", csv_text(["one,joy|old", "two,joy", " ,anger", "four,gone", "five"]))
    settings = settings_for(tmp_path)
    changes = LabelChanges(renamed={"old": "new"}, retired=("gone",))
    found = read_all_rows(settings, find_sources(settings), changes)
    assert found is not None
    report = found.report
    assert (report.rows_read, report.accepted, report.quarantined) == (5, 3, 2)
    assert {label: (each.count, each.first) for label, each in report.labels.items()} == {
        "joy": (2, "a.csv:2"), "new": (1, "a.csv:2"),
    }  # fmt: skip
    assert report.retired_labels == {"gone": 1}
    assert [(file, row.line) for file, row in found.rejects] == [("a.csv", 4), ("a.csv", 6)]
    assert found.is_complete


def test_ends_when_its_time_is_over(tmp_path: Path) -> None:
    write_file(tmp_path / "a.csv", csv_text([f"text {number},joy" for number in range(3_000)]))
    settings = settings_for(tmp_path)
    found = read_all_rows(settings, find_sources(settings), LabelChanges(), budget_s=0)
    assert found is not None
    assert (found.report.rows_read, found.is_complete) == (1_000, False)


def test_reads_nothing_from_elsewhere(tmp_path: Path) -> None:
    settings = settings_for(tmp_path)
    remote = Sources((InputFile(0, 0, "gs://bucket/a.csv", "a.csv", 1),))
    assert read_all_rows(settings, remote, LabelChanges()) is None


def test_imports_nothing_slow() -> None:
    code = (
        "import sys, pipeline.check, components.example_gen.first_pass\n"
        "assert not {'tensorflow', 'tfx', 'apache_beam', 'keras', 'pyarrow'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
