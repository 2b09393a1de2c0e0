"""Ingestion by the real executor: the same examples from every format; labels, groups and copies."""

from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tfx.dsl.components.base.base_beam_executor import BaseBeamExecutor
from tfx.types.standard_artifacts import Examples

from components.example_gen.artifacts import Quarantine
from components.example_gen.executor import Executor
from components.example_gen.parsing.label_changes import LabelChanges
from components.example_gen.report import IngestReport, LabelCount
from components.example_gen.sources.settings import SPLITS
from schema.errors import Refused
from tests.components.example_gen import encoders
from tests.components.example_gen.support import csv_text, distinct_rows, settings_for, write_file
from tests.components.example_gen.test_executor import Ingested, examples_in, files_in
from tests.support.beam import BEAM_ARGUMENTS
from tests.support.bigquery.clients import point_clients_at
from tests.support.bigquery.read_api import ReadApi
from tests.support.bigquery.server import BigQueryServer, Table

VALID_ROWS = 60
SHARED = {"train": 2, "eval": 1, "test": 1}
ROWS: list[dict[str, Any]] = [
    *(
        {"id": f"k{n}", "text": f"text {n} \u00e9", "labels": "joy|anger" if n % 2 else "fear"}
        for n in range(VALID_ROWS)
    ),
    {"id": "k_blank", "text": "  ", "labels": "joy"},
    {"id": " ", "text": "no id", "labels": "joy"},
]
FORMATS = [
    (name, suffix) for name in encoders.SUFFIXES for suffix in ("", ".gz") if (name, suffix) != ("parquet", ".gz")
]


def all_examples(ingested: Ingested) -> list[tuple[str, str, str, tuple[str, ...]]]:
    """Return (split, id, text, labels) of all examples."""
    return sorted(
        (split, example["id"][0], example["text"][0], tuple(example["labels"]))
        for split in SPLITS
        for example in ingested.split(split)
    )


def settings_of(base: Path, name: str, **changes: Any) -> Any:
    inputs = [{"pattern": "data*", "split": SHARED}]
    return settings_for(base / "data", **({"format": name, "id": "id", "inputs": inputs} | changes))


def write_data(base: Path, name: str, content: bytes, suffix: str = "") -> None:
    write_file(
        base / "data" / f"data{encoders.SUFFIXES[name]}{suffix}", encoders.gzipped(content) if suffix else content
    )


@pytest.fixture(scope="module")
def expected(tmp_path_factory: pytest.TempPathFactory) -> list[tuple[str, str, str, tuple[str, ...]]]:
    base = tmp_path_factory.mktemp("csv")
    write_data(base, "csv", encoders.encode(ROWS, "csv"))
    found = all_examples(Ingested(base, settings_of(base, "csv")))
    assert {split for split, *_ in found} == set(SPLITS)
    return found


@pytest.mark.parametrize(("name", "suffix"), FORMATS)
def test_reads_the_same_examples_from_every_format_and_loses_no_row(
    tmp_path: Path, name: str, suffix: str, expected: list[tuple[str, str, str, tuple[str, ...]]]
) -> None:
    write_data(tmp_path, name, encoders.encode(ROWS, name), suffix)
    ingested = Ingested(tmp_path, settings_of(tmp_path, name))
    assert all_examples(ingested) == expected
    assert (ingested.report.rows_read, ingested.report.accepted, ingested.report.quarantined) == (
        VALID_ROWS + 2,
        VALID_ROWS,
        2,
    )
    first_line = 2 if name in ("csv", "tsv") else 1  # below the header
    assert [(row.line, row.reason) for row in ingested.quarantined] == [
        (first_line + VALID_ROWS, "blank text"),
        (first_line + VALID_ROWS + 1, "blank id"),
    ]
    assert "k_blank" in ingested.quarantined[0].raw


@pytest.mark.parametrize("method", ["EXPORT", "DIRECT_READ"])
def test_reads_the_same_examples_from_queries(
    tmp_path: Path,
    method: str,
    bigquery: BigQueryServer,
    expected: list[tuple[str, str, str, tuple[str, ...]]],
) -> None:
    fields = [{"name": name, "type": "STRING", "mode": "NULLABLE"} for name in ("id", "text", "labels")]
    bigquery.tables["shop.texts.comments"] = Table(fields, ROWS)
    query = {"query": "SELECT * FROM `shop.texts.comments`", "split": SHARED}
    config = settings_for("", format="bigquery", id="id", inputs=[query], read_method=method)
    examples, quarantined = Examples(), Quarantine()
    examples.uri, quarantined.uri = str(tmp_path / "examples"), str(tmp_path / "quarantine")
    arguments = [*BEAM_ARGUMENTS, "--project=shop", "--temp_location=gs://bucket/temp"]
    executor = Executor(BaseBeamExecutor.Context(beam_pipeline_args=arguments))
    properties = {"settings": config.model_dump_json(), "project": "shop"}
    executor.Do({}, {"examples": [examples], "quarantine": [quarantined]}, properties)
    found = sorted(
        (split, example["id"][0], example["text"][0], tuple(example["labels"]))
        for split in SPLITS
        for example in examples_in(tmp_path / "examples", split)
    )
    assert found == expected
    report = IngestReport.read(quarantined.uri)
    assert (report.rows_read, report.accepted, report.quarantined) == (VALID_ROWS + 2, VALID_ROWS, 2)


@pytest.fixture
def bigquery(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[BigQueryServer]:
    with BigQueryServer() as server, ReadApi(server) as read_api:
        point_clients_at(server, read_api, monkeypatch, tmp_path)
        yield server


@pytest.mark.parametrize("name", ["jsonl", "parquet", "tfrecord"])
def test_reads_lists_of_labels_and_pairs(tmp_path: Path, name: str) -> None:
    rows = [{"text": f"a {n}", "reply": f"b {n}", "tags": ["joy", "fear"][: n % 3]} for n in range(40)]
    write_data(tmp_path, name, encoders.encode(rows, name))
    labels = {"kind": "list", "column": "tags"}
    ingested = Ingested(tmp_path, settings_of(tmp_path, name, id=None, text_pair="reply", labels=labels))
    assert ingested.report.accepted == 40
    examples = [example for split in SPLITS for example in ingested.split(split)]
    assert {example["text"][0]: example["text_pair"][0] for example in examples} == {
        f"a {n}": f"b {n}" for n in range(40)
    }
    assert ingested.report.labels["joy"].count == 26


def test_renames_labels_and_drops_retired_ones(tmp_path: Path) -> None:
    write_data(tmp_path, "csv", encoders.encode(ROWS, "csv"))
    changes = LabelChanges(renamed={"joy": "delight"}, retired=("anger",))
    ingested = Ingested(tmp_path, settings_of(tmp_path, "csv"), label_changes=changes.model_dump_json())
    assert {label: seen.count for label, seen in ingested.report.labels.items()} == {"fear": 30, "delight": 30}
    assert ingested.report.retired_labels == {"anger": 30}


def test_writes_what_nobody_knows_beside_the_labels_and_counts_it(tmp_path: Path) -> None:
    rows = [
        *(f"text {n},{n % 2},{('', '-1', '0', '1')[n % 4]}" for n in range(40)),
        *(f"unlabelled {n},-1," for n in range(20)),
        "copy,1,-1", "copy,1,0", "copy,,0", "differs,1,-1", "differs,0,", "unlike,1,1", "unlike,-1,0",
    ]  # fmt: skip
    write_file(tmp_path / "data" / "a.csv", csv_text(rows, "text,joy,fear"))
    labels = {"kind": "indicators", "columns": ["joy", "fear"], "unknown": [-1, ""]}
    changes = LabelChanges(names=("joy", "fear")).model_dump_json()
    ingested = Ingested(tmp_path, settings_for(tmp_path / "data", labels=labels), label_changes=changes)
    found = {
        example["text"][0]: (example["labels"], example.get("unknown_labels"))
        for split in SPLITS
        for example in ingested.split(split)
    }
    assert [found[f"text {n}"] for n in range(4)] == [
        ([], ["fear"]), (["joy"], ["fear"]), ([], None), (["joy", "fear"], None),
    ]  # fmt: skip
    report = ingested.report
    assert report.reasons == {"no label is known": 20}
    assert report.unusable_share == 0.0
    assert report.unknown == {"fear": 20 + 3, "joy": 2}
    # Of "copy", all that two rows know is equal; "differs" and "unlike" each have a label that one has and one has not.
    assert (report.duplicates.texts, report.duplicates.contradictory) == (3, 2)


def test_writes_the_same_examples_if_unknown_values_are_possible_but_do_not_occur(tmp_path: Path) -> None:
    write_file(tmp_path / "data" / "a.csv", csv_text((f"text {n},{n % 2},{n % 3 % 2}" for n in range(40)), "text,a,b"))
    plain, partial = (
        Ingested(tmp_path / name, settings_for(tmp_path / "data", labels=labels), label_changes=changes)
        for name, labels, changes in (
            ("plain", {"kind": "indicators", "columns": ["a", "b"]}, "{}"),
            ("partial", {"kind": "indicators", "columns": ["a", "b"], "unknown": [-1]}, '{"names": ["a", "b"]}'),
        )
    )
    assert partial.report == plain.report
    for split in SPLITS:
        assert partial.split(split) == plain.split(split)


def test_writes_soft_labels_beside_those_above_the_cut(tmp_path: Path) -> None:
    rows = [f"text {n},{n / 40:g},1" for n in range(41)]
    write_file(tmp_path / "data" / "a.csv", csv_text(rows, "text,joy,fear"))
    labels = {"kind": "indicators", "columns": ["joy", "fear"], "soft": True, "cut": 0.75}
    ingested = Ingested(tmp_path, settings_for(tmp_path / "data", labels=labels))
    found = {example["text"][0]: example for split in SPLITS for example in ingested.split(split)}
    assert (found["text 29"]["labels"], found["text 29"]["soft_labels"]) == (["fear"], ["joy"])
    assert (found["text 30"]["labels"], found["text 30"]["soft_labels"]) == (["joy", "fear"], ["joy"])
    assert "soft_labels" not in found["text 0"]
    assert "soft_labels" not in found["text 40"]
    assert (ingested.report.soft, ingested.report.labels["joy"].count) == (39, 11)


def test_merges_what_copies_know(tmp_path: Path) -> None:
    rows = [f"text {n // 2},{'joy' if n % 2 else ''},{'joy' if n % 2 else 'fear'}" for n in range(80)]
    write_file(tmp_path / "data" / "a.csv", csv_text(rows, "text,labels,asked"))
    inputs = [{"pattern": "*.csv", "split": SHARED, "asked": "asked"}]
    changes = LabelChanges(names=("joy", "fear", "hope")).model_dump_json()
    settings = settings_for(tmp_path / "data", inputs=inputs, copies="merge")
    report = Ingested(tmp_path, settings, label_changes=changes).report
    assert (report.accepted, report.merged, report.unknown) == (40, 40, {"hope": 40})
    assert report.labels["joy"].count == 40


def test_keeps_groups_together_and_copies_of_a_text_too(tmp_path: Path) -> None:
    rows = [
        {"id": str(n), "text": f"text {n % 150}", "labels": "joy" if n < 300 else "fear", "user": f"u{n % 20}"}
        for n in range(600)
    ]
    write_data(tmp_path, "csv", encoders.encode(rows, "csv"))
    ingested = Ingested(tmp_path, settings_of(tmp_path, "csv", group="user", split_by="group", slices=["user"]))
    splits_of_text, splits_of_user = defaultdict(set), defaultdict(set)
    for split in SPLITS:
        for example in ingested.split(split):
            splits_of_text[example["text"][0]].add(split)
            splits_of_user[example["user"][0]].add(split)
    assert {len(splits) for splits in splits_of_text.values()} == {1}
    assert {len(splits) for splits in splits_of_user.values()} == {1}
    report = ingested.report
    assert report.rows_read == 600 == report.accepted + report.quarantined
    assert report.reasons == {"a copy of the text is in another split": report.quarantined}
    duplicates = report.duplicates
    assert (duplicates.texts, duplicates.rows, duplicates.contradictory) == (150, 600, 150)
    assert duplicates.contradictions[0].labels in (["joy", "fear"], [["joy"], ["fear"]])
    assert len(ingested.quarantined) == report.quarantined
    assert '"text"' in ingested.quarantined[0].raw


def test_sets_aside_train_rows_whose_text_is_in_the_test_file(tmp_path: Path) -> None:
    write_file(tmp_path / "data" / "train.csv", csv_text([*distinct_rows(), "Seen  TEXT,joy"]))
    write_file(tmp_path / "data" / "test.csv", csv_text(["seen text,joy", "unseen text,"]))
    inputs = [{"pattern": "train.csv", "split": {"train": 2, "eval": 1}}, {"pattern": "test.csv", "split": "test"}]
    ingested = Ingested(tmp_path, settings_for(tmp_path / "data", inputs=inputs))
    assert [(row.file, row.line, row.reason) for row in ingested.quarantined] == [
        ("train.csv", 42, "a copy of the text is in another split: test")
    ]
    assert len(ingested.split("test")) == 2
    assert ingested.report.labels["joy"] == LabelCount(count=21, first="train.csv:3")


def test_reads_the_newest_spans_and_counts_their_rows(tmp_path: Path) -> None:
    for day in (1, 2, 3):
        write_file(tmp_path / "data" / f"{day}" / "a.csv", csv_text(f"text {n} of {day},joy" for n in range(30)))
    inputs = [{"pattern": "{SPAN}/*.csv", "split": SHARED}]
    ingested = Ingested(tmp_path, settings_for(tmp_path / "data", inputs=inputs, spans={"last": 2}))
    assert [(span.span, span.rows) for span in ingested.report.spans] == [(2, 30), (3, 30)]
    assert ingested.examples.span == 3
    assert {example["text"][0].split()[-1] for example in ingested.split("train")} == {"2", "3"}


def test_the_digest_does_not_depend_on_files(tmp_path: Path) -> None:
    rows = [f"{n},text number {n},joy" for n in range(60)]
    write_file(tmp_path / "one" / "a.csv", csv_text(rows, "id,text,labels"))
    write_file(tmp_path / "two" / "b.csv", csv_text(rows[30:], "id,text,labels"))
    write_file(tmp_path / "two" / "c.csv", csv_text(rows[:30], "id,text,labels"))
    write_file(tmp_path / "three" / "a.csv", csv_text([*rows[1:], "0,another text,joy"], "id,text,labels"))
    digests = [
        Ingested(tmp_path / f"d{n}", settings_for(tmp_path / n, id="id")).report.digest for n in ("one", "two", "three")
    ]
    assert digests[0] == digests[1] != digests[2]


NAMES = st.sampled_from([name for name, suffix in FORMATS if not suffix])


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(name=NAMES, cut=st.floats(0, 1), flips=st.lists(st.floats(0, 1), max_size=3), noise=st.binary(max_size=200))
def test_damaged_files_give_rows_quarantined_rows_or_a_refusal(
    tmp_path_factory: pytest.TempPathFactory, name: str, cut: float, flips: list[float], noise: bytes
) -> None:
    content = bytearray(encoders.encode(ROWS, name))
    for flip in flips:
        content[int(flip * (len(content) - 1))] ^= 0x55
    base = tmp_path_factory.mktemp("damaged")
    write_data(base, name, bytes(content[: int(len(content) * cut)]) + noise)
    ingested, refusal = None, ""
    try:
        ingested = Ingested(base, settings_of(base, name))
    except Refused as refused:
        refusal = str(refused)
    if ingested is None:
        assert refusal.isprintable()
        assert files_in(base / "examples") == []
        return
    report = ingested.report
    assert report.rows_read == report.accepted + report.quarantined
    assert sum(len(ingested.split(split)) for split in SPLITS) == report.accepted
    assert len(ingested.quarantined) == report.quarantined
