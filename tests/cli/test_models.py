"""Tests of `models list`, `models verify` and `models rollback`."""

import resource
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

import pytest

from components.example_gen.report import SpanCount
from components.registry import ModelRecord, TrainedOn, Version, latest, push, remove_versions, versions
from tests.components.registry.test_registry import make_model, record_of
from tests.end_to_end.command import command


@pytest.fixture(autouse=True)
def wide_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "200")


@pytest.fixture
def base(tmp_path: Path) -> str:
    return str(tmp_path / "registry")


@pytest.fixture
def pushed(tmp_path: Path, base: str) -> list[Version]:
    """Two versions; the record of the second says what it was trained on."""
    trained_on = TrainedOn(rows={"train": 8, "test": 2}, spans=[SpanCount(span=7, rows=5), SpanCount(span=8, rows=5)])
    records: list[ModelRecord] = [
        record_of("old"),
        record_of("new").model_copy(update={"trained_on": trained_on, "macro_f1": 0.4567}),
    ]
    return [push(make_model(tmp_path / record.model_id, record.model_id), base, record) for record in records]


def row_of(text: str, version: Version) -> list[str]:
    """Return the cells of a version's row."""
    rows = ([cell.strip() for cell in line.strip("│").split("│")] for line in text.splitlines())
    (row,) = (row for row in rows if row[0] == str(version.number))
    return row


def test_lists_what_is_known_of_each_version_and_which_one_is_served(
    base: str, pushed: list[Version], capsys: pytest.CaptureFixture[str]
) -> None:
    assert command("models", "list", "--registry", base) == 0
    printed = capsys.readouterr().out
    old, new = (row_of(printed, version) for version in pushed)
    assert old[2:] == ["2", "bert", "", "", ""]
    assert new[2:] == ["2", "bert", "10 rows, spans 7 to 8", "0.457", "served"]
    assert new[1].startswith("20")


def test_lists_a_copy_and_a_withdrawn_version_after_a_rollback(
    base: str, pushed: list[Version], capsys: pytest.CaptureFixture[str]
) -> None:
    old, new = pushed
    assert command("models", "rollback", "--registry", base) == 0
    copy = latest(base)
    assert copy is not None
    printed = capsys.readouterr().out
    assert f"version {copy.number}, a copy of {old.number}, is served now; withdrawn: {new.number}" in printed
    assert command("models", "list", "--registry", base) == 0
    printed = capsys.readouterr().out
    assert [row_of(printed, version)[-1] for version in versions(base)] == [
        "", "withdrawn", f"served, copy of {old.number}",
    ]  # fmt: skip


def test_verify_names_differences_and_ends_with_status_1(
    base: str, pushed: list[Version], capsys: pytest.CaptureFixture[str]
) -> None:
    assert command("models", "verify", "--registry", base) == 0
    assert capsys.readouterr().out == "2 of 2 versions as they were pushed\n"
    Path(base, ".incoming-1").mkdir()
    Path(pushed[0].path, "assets", "vocab.txt").write_text("other")
    assert command("models", "verify", "--registry", base) == 1
    note, broken, count = capsys.readouterr().out.splitlines()
    assert note.startswith("note: .incoming-1: a push in progress, or a killed one")
    assert broken == f"broken: {pushed[0].number}: assets/vocab.txt has changed since the push"
    assert count == "1 of 2 versions as they were pushed"


@pytest.mark.parametrize(
    ("arguments", "printed"),
    [
        (["list"], "give either --registry FOLDER or --config FILE"),
        (["verify", "--registry", "nowhere"], "nowhere: no model was pushed there"),
        (["rollback", "--registry", "nowhere"], "nowhere: no model was pushed there"),
        (["list", "--config", "nowhere.yaml"], "nowhere.yaml: no such configuration"),
    ],
)
def test_refuses_in_one_line(arguments: list[str], printed: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert command("models", *arguments) == 2
    assert capsys.readouterr().err == f"error: {printed}\n"


def test_lists_within_two_seconds_and_without_tensorflow(base: str, pushed: list[Version]) -> None:
    code = (
        "import sys; from cli import main as cli\n"
        "try: cli.main()\n"
        "finally: assert not {'tensorflow', 'tfx', 'apache_beam', 'keras'} & set(sys.modules)"
    )
    before = resource.getrusage(resource.RUSAGE_CHILDREN).ru_utime
    ended = subprocess.run(
        [sys.executable, "-c", code, "models", "list", "--registry", base], capture_output=True, text=True, check=False
    )
    assert ended.returncode == 0, ended.stderr
    assert str(pushed[1].number) in ended.stdout
    assert resource.getrusage(resource.RUSAGE_CHILDREN).ru_utime - before < 2


def test_lists_removed_versions_on_demand(
    tmp_path: Path, base: str, pushed: list[Version], capsys: pytest.CaptureFixture[str]
) -> None:
    old, new = pushed
    push(make_model(tmp_path / "newest", "newest"), base, record_of("newest"))
    assert remove_versions(base, 1, datetime.max.replace(tzinfo=UTC)) == [old]
    assert command("models", "list", "--registry", base) == 0
    printed = capsys.readouterr().out
    assert str(old.number) not in printed
    assert "note: 1 older versions were removed; --all lists them" in printed
    assert command("models", "list", "--registry", base, "--all") == 0
    printed = capsys.readouterr().out
    assert row_of(printed, old)[2:] == ["2", "bert", "", "", "removed"]
    assert row_of(printed, new)[-1] == ""
