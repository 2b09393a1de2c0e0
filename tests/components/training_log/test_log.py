"""Log of what was trained on, from one run to the next."""

import uuid
from pathlib import Path

import pytest

from components.common.files import remove_folder
from components.example_gen.report import IngestReport, LabelCount, SpanCount
from components.registry import versions
from components.training_log.log import append_entry, entry_before, last_entry


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


def test_returns_the_last_run_and_is_not_taken_for_a_model_version(registry: str) -> None:
    append_entry(registry, report("a", (1, None), joy=3), ["joy"], b"one")
    append_entry(registry, report("b", (1, None), (2, 5), joy=4), ["joy"], b"two")
    last = last_entry(registry)
    assert last is not None
    assert (last.newest, last.labels, last.rows) == ((2, 5), {"joy": 4}, 10)
    assert versions(registry) == []


def test_a_repeated_run_adds_no_entry(registry: str) -> None:
    for _ in range(2):
        append_entry(registry, report("a"), ["joy"], b"one")
    remove_folder(f"{registry}/.trained_on/00000001")
    assert last_entry(registry) is None


def test_a_span_is_compared_with_the_span_before_it(registry: str) -> None:
    append_entry(registry, report("a", (1, None)), ["joy"], b"of 1")
    append_entry(registry, report("b", (2, 1)), ["joy"], b"of 2")
    for repeated in (report("b", (2, 1)), report("c", (1, None), (2, 2))):
        found = entry_before(registry, repeated)
        assert found is not None
        assert (found.entry.newest[0], found.statistics) == (1, b"of 1")
    newer = entry_before(registry, report("d", (3, 1)))
    assert newer is not None
    assert newer.statistics == b"of 2"


def test_without_spans_data_is_compared_with_the_last_other_data(registry: str) -> None:
    append_entry(registry, report("a"), ["joy"], b"a")
    append_entry(registry, report("b"), ["joy"], b"b")
    for digest, statistics in (("c", b"b"), ("b", b"a")):
        found = entry_before(registry, report(digest))
        assert found is not None
        assert found.statistics == statistics


def test_ignores_an_entry_that_was_cut_short(tmp_path: Path) -> None:
    append_entry(str(tmp_path), report("a"), ["joy"], b"a")
    (tmp_path / ".trained_on" / "00000002").mkdir()
    (tmp_path / ".trained_on" / "00000002" / "FeatureStats.pb").write_bytes(b"b")
    last = last_entry(str(tmp_path))
    assert last is not None
    assert last.digest == "a"
