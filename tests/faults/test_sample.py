"""A sample of the matrix of faults, which `make test-faults` tries as a whole."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.faults import clean_cases, record_cases, registry_cases
from tests.faults.__main__ import _PARTS, _part_of
from tests.faults.injection import Server, compile_library
from tests.faults.run_cases import check_stopped_by, kinds_of_files
from tests.faults.run_child import exit_status
from tests.faults.run_server import NOT_REACHED, START, STOPPED
from tests.faults.table import HEAD, Row, group, read_rows, read_table, tried, write_table


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    folder = tmp_path_factory.mktemp("server")
    library = compile_library(folder)
    if library is None:
        pytest.skip("no C compiler (cc): file operations cannot be made to fail")
    with Server(library, folder) as server:
        yield server


def test_a_push_or_rollback_that_fails_anywhere_leaves_whole_versions(server: Server, tmp_path: Path) -> None:
    rows = list(registry_cases.fault_rows(server, tmp_path, every=9))
    assert registry_cases.untrue(rows) == []
    assert {row.served for row in rows} <= {"the old version, whole", "the new version, whole"}
    assert {row.next_run for row in rows} <= {"succeeds", _NOTHING_TO_ROLL_BACK}
    full = {row.said for row in rows if row.fault.startswith("ENOSPC") and row.status != "0"}
    assert full == {"error: FILE: No space left on device; free some disk space, then run again"}


_NOTHING_TO_ROLL_BACK = "status 2: error: registry: there is no other model to roll back to"


def test_damaged_versions_are_found_and_can_be_rolled_back(server: Server, tmp_path: Path) -> None:
    rows = list(registry_cases.damage_rows(server, tmp_path))
    assert {row.status for row in rows if row.fault != "of a newer schema"} == {"1"}
    assert {row.status for row in rows if row.fault == "of a newer schema"} == {"0"}
    unreadable = {row.next_run for row in rows if "model.json" in row.what and row.status == "1"}
    assert all("rollback --to VERSION" in next_run for next_run in unreadable)
    assert {row.next_run for row in rows} - unreadable == {"`models rollback`: succeeds"}


def test_two_commands_at_once_leave_whole_versions(server: Server, tmp_path: Path) -> None:
    rows = list(registry_cases.pair_rows(server, tmp_path, rounds=1))
    rows += registry_cases.owner_rows(server, tmp_path, rounds=3)
    assert registry_cases.untrue(rows) == []
    assert {row.status for row in rows if row.what.startswith("first pushes")} == {"0 and 2"}


def test_a_clean_up_that_fails_anywhere_leaves_nothing_that_is_believed_whole(server: Server, tmp_path: Path) -> None:
    rows = list(clean_cases.fault_rows(server, tmp_path, every=17))
    assert registry_cases.untrue(rows) == []
    assert {row.served for row in rows} == {"the old version, whole"}
    assert {row.next_run for row in rows} == {"succeeds"}


def test_a_clean_up_disturbs_no_other_command(server: Server, tmp_path: Path) -> None:
    rows = list(clean_cases.pair_rows(server, tmp_path, rounds=1))
    assert registry_cases.untrue(rows) == []
    (refused,) = (row for row in rows if row.what == "clean and a run in progress")
    assert (refused.status, refused.said) == ("2 and 0", "error: work_dir work: another run")


def test_clock_and_memory_do_not_harm_a_push(server: Server, tmp_path: Path) -> None:
    for row in (registry_cases.clock_row(server, tmp_path), registry_cases.memory_row(server, tmp_path)):
        assert (row.status, row.served, row.next_run) == ("0", "the new version, whole", "succeeds")


def test_damaged_records_end_in_one_line(server: Server, tmp_path: Path) -> None:
    rows = list(record_cases.record_rows(server, tmp_path))
    assert len(rows) > 20
    for row in rows:
        if row.what.startswith("`models verify`"):
            assert row.status == ("0" if row.fault == "of a newer schema" else "1"), row
        else:
            assert row.status in ("0", "2"), row


def test_writes_a_table_that_it_reads(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text("# Head\n")
    rows = group([Row("push", "EIO", "a | b", "", "1", "<x>")] * 3 + [Row("push", "EIO", "c", "", "1", "d")])
    for _ in range(2):
        write_table(rows, page)
    assert read_table(page) == [
        ["push", "EIO", "a \\| b", "-", "1", "&lt;x>", "3"],
        ["push", "EIO", "c", "-", "1", "d", "1"],
    ]
    assert page.read_text().startswith("# Head\n")


def test_files_of_a_run_that_differ_in_numbers_and_endings_are_of_one_kind(tmp_path: Path) -> None:
    trace = tmp_path / "trace"
    artifacts = "work/artifacts"
    trace.write_text(
        "\n".join((
            "registry/.lock",
            "== Trainer",
            "work/metadata.sqlite",
            "work/metadata.sqlite",
            f"{artifacts}/Trainer/.system/executor_execution/7/executor_output.pb",
            f"{artifacts}/Trainer/model/7",
            f"{artifacts}/Trainer/model/7/Format-Serving/variables/part-00000-of-00001.index.tempstate123",
            f"{artifacts}/Trainer/model/7/Format-Serving/variables/part-00000-of-00001.index",
            f"{artifacts}/Trainer/model/7/Split-train/model.json.0123456789abcdef0123456789abcdef.partial",
            f"{artifacts}/Trainer/model/7/Split-eval/model.json",
            "== Canary",
            "work/metadata.sqlite",
            f"{artifacts}/Canary/blessing/9",
            f"{artifacts}/Canary/blessing/9/canary.json",
            "== RegistryPusher",
            "work/metadata.sqlite",
        ))
    )  # fmt: skip
    trace.write_text(f"== {START}\n{trace.read_text()}\n")
    assert kinds_of_files(trace) == {
        START: ["registry/.lock"],
        "Trainer": [
            "work/metadata.sqlite",
            f"{artifacts}/Trainer/.system/executor_execution/*/executor_output.pb",
            f"{artifacts}/Trainer/model/*",
            f"{artifacts}/Trainer/model/*/Format-Serving/variables/part-*-of-*.index.tempstate*",
            f"{artifacts}/Trainer/model/*/Split-*/model.json.*.partial",
        ],
        "Canary": [f"{artifacts}/Canary/blessing/*/canary.json"],
        "RegistryPusher": ["work/metadata.sqlite"],
    }


def test_a_run_that_an_earlier_fault_stops_again_is_wrong() -> None:
    said = ["error: Trainer: work/model: No space left on device; free some disk space, then run again"]
    assert exit_status(1, has_begun=True) == 1
    check_stopped_by("ENOSPC", "work/model", 1, said)
    assert exit_status(1, has_begun=False) == STOPPED
    with pytest.raises(AssertionError, match=r"work/other: an earlier fault stops the run again: .*No space left"):
        check_stopped_by("EIO", "work/other", STOPPED, said)
    with pytest.raises(AssertionError, match=r"work/other: EIO is not why it stopped: .*No space left"):
        check_stopped_by("EIO", "work/other", 1, said)
    assert exit_status(0, has_begun=False) == NOT_REACHED, "the run has not written the file this time"


def test_every_row_is_of_a_part_of_the_matrix_that_exists() -> None:
    assert {_part_of(row) for row in read_rows()} <= set(_PARTS)


def test_a_case_that_goes_wrong_is_a_row() -> None:
    def case() -> Row:
        raise AssertionError("a webhook\nis owed")

    row = tried("run", "EIO", case)
    assert (row.served, row.next_run) == ("BROKEN: AssertionError: a webhook is owed", "-")
    assert registry_cases.untrue([row]) == [row]


def test_the_documented_table_is_whole() -> None:
    rows = read_table()
    assert {len(row) for row in rows} == {len(HEAD)}
    assert {"push", "rollback", "remove", "clean"} <= {row[0] for row in rows}
    assert not [row for row in rows if "BROKEN" in row[2] or "LEAVES" in row[5]]
