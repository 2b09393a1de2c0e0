"""Log of what was trained on, from one run to the next."""

import uuid
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from tensorflow_metadata.proto.v0 import statistics_pb2

from components.common.files import remove_folder
from components.example_gen.report import IngestReport, LabelCount, SpanCount
from components.registry import versions
from components.training_log.log import (
    TrainingEntry,
    append_entry,
    entry_before,
    last_entry,
    old_entries,
    remove_old_entries,
)
from schema.errors import Refused


def statistics(name: str) -> bytes:
    dataset = statistics_pb2.DatasetFeatureStatistics(name=name)
    return bytes(statistics_pb2.DatasetFeatureStatisticsList(datasets=[dataset]).SerializeToString())


def report(digest: str, *spans: tuple[int, int | None], **labels: int) -> IngestReport:
    return IngestReport(
        read=10,
        accepted=10,
        quarantined=0,
        reasons={},
        splits={"train": 8, "eval": 1, "test": 1},
        labels={label: LabelCount(count=count, first="a.csv:2") for label, count in labels.items()},
        spans=[SpanCount(span=span, version=version, rows=10) for span, version in spans],
        digest=digest,
    )


@pytest.fixture(params=["local", "remote"])
def registry(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    return str(tmp_path / "registry") if request.param == "local" else f"ram://{uuid.uuid4().hex}"


def test_a_new_registry_has_no_entries(registry: str) -> None:
    assert last_entry(registry) is None
    assert entry_before(registry, report("a")) is None


def test_two_runs_at_once_do_not_overwrite_each_others_entries(tmp_path: Path) -> None:
    def append(number: int) -> None:
        append_entry(str(tmp_path), report(str(number)), ["joy"], statistics("x"))

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(append, range(24)))
    entries = list((tmp_path / ".trained_on").iterdir())
    assert {TrainingEntry.read(str(entry)).digest for entry in entries} == {str(number) for number in range(24)}


def test_returns_the_last_run_and_is_not_taken_for_a_model_version(registry: str) -> None:
    append_entry(registry, report("a", (1, None), joy=3), ["joy"], statistics("one"))
    append_entry(registry, report("b", (1, None), (2, 5), joy=4), ["joy"], statistics("two"))
    last = last_entry(registry)
    assert last is not None
    assert (last.newest, last.labels, last.rows) == ((2, 5), {"joy": 4}, 10)
    assert versions(registry) == []


def test_a_repeated_run_adds_no_entry(registry: str) -> None:
    for _ in range(2):
        append_entry(registry, report("a"), ["joy"], statistics("one"))
    remove_folder(f"{registry}/.trained_on/00000001")
    assert last_entry(registry) is None


def test_a_span_is_compared_with_the_span_before_it(registry: str) -> None:
    append_entry(registry, report("a", (1, None)), ["joy"], statistics("of 1"))
    append_entry(registry, report("b", (2, 1)), ["joy"], statistics("of 2"))
    for repeated in (report("b", (2, 1)), report("c", (1, None), (2, 2))):
        found = entry_before(registry, repeated)
        assert found is not None
        assert (found.entry.newest[0], found.statistics) == (1, statistics("of 1"))
    newer = entry_before(registry, report("d", (3, 1)))
    assert newer is not None
    assert newer.statistics == statistics("of 2")


def test_without_spans_data_is_compared_with_the_last_other_data(registry: str) -> None:
    append_entry(registry, report("a"), ["joy"], statistics("a"))
    append_entry(registry, report("b"), ["joy"], statistics("b"))
    for digest, expected in (("c", statistics("b")), ("b", statistics("a"))):
        found = entry_before(registry, report(digest))
        assert found is not None
        assert found.statistics == expected


def test_removes_old_entries_but_the_newest(registry: str) -> None:
    for number in range(4):
        append_entry(registry, report(str(number), (number, None)), ["joy"], statistics(str(number)))
    any_age = datetime.max.replace(tzinfo=UTC)
    assert old_entries(registry, 2, datetime.now(UTC) - timedelta(hours=1)) == []
    assert [folder[-1] for folder in old_entries(registry, 2, any_age)] == ["1", "2"]
    remove_old_entries(registry, 2, any_age)
    assert old_entries(registry, 1, any_age) == [f"{registry}/.trained_on/00000003"]
    append_entry(registry, report("4", (4, None)), ["joy"], statistics("4"))
    last, before = last_entry(registry), entry_before(registry, report("4", (4, None)))
    assert last is not None
    assert before is not None
    assert (last.digest, before.entry.digest) == ("4", "3")


def test_ignores_an_entry_that_was_cut_short(tmp_path: Path) -> None:
    append_entry(str(tmp_path), report("a"), ["joy"], statistics("a"))
    (tmp_path / ".trained_on" / "00000002").mkdir()
    (tmp_path / ".trained_on" / "00000002" / "FeatureStats.pb").write_bytes(statistics("b"))
    last = last_entry(str(tmp_path))
    assert last is not None
    assert last.digest == "a"


@pytest.mark.parametrize("content", [b"", b"\0" * 50, b"[]", b'{"digest": "a"', b"\xff"])
def test_a_damaged_entry_is_named_with_what_to_do(tmp_path: Path, content: bytes) -> None:
    append_entry(str(tmp_path), report("a"), ["joy"], statistics("one"))
    folder = tmp_path / ".trained_on" / "00000001"
    (folder / "entry.json").write_bytes(content)
    for read in (last_entry, lambda registry: entry_before(registry, report("b"))):
        with pytest.raises(Refused) as refused:
            read(str(tmp_path))
        assert str(refused.value).startswith(f"{folder}/entry.json: is damaged (")
        assert str(refused.value).endswith(
            f"; restore it, or delete {folder}: the entry before it then counts as the last"
        )


@pytest.mark.parametrize(("content", "what"), [(b"\xff", "is damaged (not a"), (None, "cannot be read (No such file")])
def test_damaged_statistics_are_named(tmp_path: Path, content: bytes | None, what: str) -> None:
    append_entry(str(tmp_path), report("a"), ["joy"], statistics("one"))
    path = tmp_path / ".trained_on" / "00000001" / "FeatureStats.pb"
    path.unlink()
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(Refused) as refused:
        entry_before(str(tmp_path), report("b"))
    assert str(refused.value).startswith(f"{path}: {what}")


def test_the_log_which_holds_texts_is_readable_by_its_owner_only(tmp_path: Path) -> None:
    append_entry(str(tmp_path), report("a"), ["joy"], statistics("one"))
    assert (tmp_path / ".trained_on").stat().st_mode & 0o777 == 0o700
