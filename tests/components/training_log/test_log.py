"""What was trained on, from one run to the next."""

import uuid
from pathlib import Path

import pytest

from components.common.files import remove_folder
from components.example_gen.report import IngestReport, LabelCount, SpanCount
from components.registry import versions
from components.training_log import log as data_log


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


def test_before_the_first_run_there_is_nothing(registry: str) -> None:
    assert data_log.last(registry) is None
    assert data_log.before(registry, report("a")) is None


def test_the_last_run_is_known_and_no_server_takes_it_for_a_model(registry: str) -> None:
    data_log.record(registry, report("a", (1, None), joy=3), ["joy"], b"one")
    data_log.record(registry, report("b", (1, None), (2, 5), joy=4), ["joy"], b"two")
    last = data_log.last(registry)
    assert last is not None
    assert (last.newest, last.labels, last.rows) == ((2, 5), {"joy": 4}, 10)
    assert versions(registry) == []


def test_a_run_repeated_is_recorded_once(registry: str) -> None:
    for _ in range(2):
        data_log.record(registry, report("a"), ["joy"], b"one")
    remove_folder(f"{registry}/.trained_on/00000001")
    assert data_log.last(registry) is None


def test_a_span_is_compared_with_the_one_before_it(registry: str) -> None:
    data_log.record(registry, report("a", (1, None)), ["joy"], b"of 1")
    data_log.record(registry, report("b", (2, 1)), ["joy"], b"of 2")
    for repeated in (report("b", (2, 1)), report("c", (1, None), (2, 2))):
        found = data_log.before(registry, repeated)
        assert found is not None
        assert (found[0].newest[0], found[1]) == (1, b"of 1")
    newer = data_log.before(registry, report("d", (3, 1)))
    assert newer is not None
    assert newer[1] == b"of 2"


def test_without_spans_other_data_is_compared_with(registry: str) -> None:
    data_log.record(registry, report("a"), ["joy"], b"a")
    data_log.record(registry, report("b"), ["joy"], b"b")
    for digest, statistics in (("c", b"b"), ("b", b"a")):
        found = data_log.before(registry, report(digest))
        assert found is not None
        assert found[1] == statistics


def test_an_entry_that_was_cut_short_is_none(tmp_path: Path) -> None:
    data_log.record(str(tmp_path), report("a"), ["joy"], b"a")
    (tmp_path / ".trained_on" / "00000002").mkdir()
    (tmp_path / ".trained_on" / "00000002" / "FeatureStats.pb").write_bytes(b"b")
    last = data_log.last(str(tmp_path))
    assert last is not None
    assert last.digest == "a"
