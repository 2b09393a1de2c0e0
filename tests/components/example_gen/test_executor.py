"""Executor, run in process: from files to artifacts."""

import gzip
import os
import re
import uuid
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
import tensorflow as tf
from tfx.components.util import examples_utils
from tfx.dsl.components.base.base_beam_executor import BaseBeamExecutor
from tfx.proto import example_gen_pb2
from tfx.types.artifact_utils import decode_split_names
from tfx.types.standard_artifacts import Examples

from components.common import files
from components.example_gen import quarantine, runs
from components.example_gen.artifacts import Quarantine
from components.example_gen.check import check_inputs
from components.example_gen.executor import Executor
from components.example_gen.formats.delimited import MAX_ROW_BYTES
from components.example_gen.quarantine import QuarantinedRow
from components.example_gen.report import IngestReport, LabelCount
from components.example_gen.settings import ExamplesSettings
from components.example_gen.sources.settings import SPLITS
from schema.errors import Refused
from tests.components.example_gen.support import TRAIN_EVAL_TEST, csv_text, distinct_rows, settings_for, write_file
from tests.support.beam import BEAM_ARGUMENTS

# Without an image, TFX would package its own source for workers, which an in-process runner does not have.

Features = dict[str, list[str]]


class Ingested:
    """Artifacts of one run of the executor."""

    def __init__(self, base: Path, settings: ExamplesSettings, **properties: str) -> None:
        self.examples, self.quarantine = Examples(), Quarantine()
        self.examples.uri, self.quarantine.uri = str(base / "examples"), str(base / "quarantine")
        executor = Executor(BaseBeamExecutor.Context(beam_pipeline_args=list(BEAM_ARGUMENTS)))
        outputs = {"examples": [self.examples], "quarantine": [self.quarantine]}
        executor.Do({}, outputs, {"settings": settings.model_dump_json(), **properties})

    def split(self, name: str) -> list[Features]:
        """Return the examples of a split."""
        return examples_in(Path(self.examples.uri), name)

    @property
    def report(self) -> IngestReport:
        """Report on all rows."""
        return IngestReport.read(self.quarantine.uri)

    @property
    def quarantined(self) -> list[QuarantinedRow]:
        """Quarantined rows, in order."""
        return list(quarantine.read_rows(self.quarantine.uri))


def examples_in(artifact: Path, split: str) -> list[Features]:
    """Return the examples of a split of an artifact."""
    paths = sorted(str(path) for path in (artifact / f"Split-{split}").iterdir())
    return [features_of(record) for record in tf.data.TFRecordDataset(paths, "GZIP").as_numpy_iterator()]


def features_of(record: bytes) -> Features:
    """Return the string features of an example; check that its text_length fits them."""
    features = tf.train.Example.FromString(record).features.feature
    strings = {
        name: [value.decode() for value in feature.bytes_list.value]
        for name, feature in features.items()
        if feature.WhichOneof("kind") == "bytes_list"
    }
    (length,) = features["text_length"].int64_list.value
    assert length == len(strings["text"][0]) + len(strings.get("text_pair", [""])[0])
    return strings


def files_in(folder: Path) -> list[str]:
    """Return the names of all files below a folder."""
    return [path.name for path in folder.rglob("*") if path.is_file()]


def by_file(slices: Sequence[str] = (), **changes: Any) -> dict[str, Any]:
    """Return settings that fill every split from a file of its own."""
    inputs = [{"pattern": f"{split}.csv", "split": split} for split in SPLITS]
    return {"inputs": inputs, "slices": slices, **changes}


def test_writes_rows_as_examples(tmp_path: Path) -> None:
    data = tmp_path / "data"
    header = "id,text,labels,channel"
    write_file(
        data / "train.csv", b"\xef\xbb\xbf" + f'{header}\r\n1,"two\r\nlines, ""quoted""",joy| fear,mail\r\n'.encode()
    )
    write_file(data / "eval.csv", f"{header}\n2,na\u00efve \u2028 text,,\n")
    write_file(data / "test.csv.gz", gzip.compress(f"{header}\n3,c,joy|joy,chat\n".encode()))
    inputs = [{"pattern": f"{split}.csv*", "split": split} for split in SPLITS]
    ingested = Ingested(tmp_path, settings_for(data, id="id", slices=["channel"], inputs=inputs))

    assert ingested.split("train") == [
        {"id": ["1"], "text": ['two\r\nlines, "quoted"'], "labels": ["joy", "fear"], "channel": ["mail"]}
    ]
    assert ingested.split("eval") == [{"id": ["2"], "text": ["na\u00efve \u2028 text"], "labels": [], "channel": [""]}]
    assert ingested.split("test") == [{"id": ["3"], "text": ["c"], "labels": ["joy"], "channel": ["chat"]}]
    assert ingested.report == IngestReport(
        digest=ingested.report.digest,
        read=3,
        accepted=3,
        quarantined=0,
        reasons={},
        splits={"train": 1, "eval": 1, "test": 1},
        labels={
            "fear": LabelCount(count=1, first="train.csv:2"),
            "joy": LabelCount(count=2, first="train.csv:2"),
        },
    )
    assert ingested.quarantined == []


def test_sets_the_properties_that_tfx_expects(tmp_path: Path) -> None:
    write_file(tmp_path / "data" / "a.csv", csv_text(distinct_rows()))
    ingested = Ingested(tmp_path, settings_for(tmp_path / "data"))
    assert decode_split_names(ingested.examples.split_names) == ["train", "eval", "test"]
    assert examples_utils.get_payload_format(ingested.examples) == example_gen_pb2.FORMAT_TF_EXAMPLE
    assert examples_utils.get_file_format(ingested.examples) == "tfrecords_gzip"
    assert sorted(path.name for path in Path(ingested.examples.uri).iterdir()) == [
        f"Split-{name}" for name in sorted(SPLITS)
    ]
    assert files_in(Path(ingested.examples.uri)) == ["data_tfrecord-00000-of-00001.gz"] * 3
    assert sorted(files_in(Path(ingested.quarantine.uri))) == ["report.json", "rows.parquet"]


def test_reads_goemotions(tmp_path: Path) -> None:
    data = tmp_path / "data"
    write_file(data / "labels.txt", "admiration\namusement\nanger\n")
    write_file(data / "train.tsv", '"Hello, [NAME]" she said\t0,2\teebbqej\nWTF\t2\teezlygj\n' * 20)
    settings = settings_for(
        data,
        format="tsv",
        quoting=False,
        columns=["text", "labels", "id"],
        id="id",
        labels={"kind": "indices", "column": "labels", "names": "labels.txt"},
        inputs=[{"pattern": "train.tsv", "split": "train"}, {"pattern": "dev.tsv", "split": {"eval": 1, "test": 1}}],
    )
    write_file(data / "dev.tsv", "".join(f'That\u2019s no "joke {n}\t1\tdev{n}\n' for n in range(20)))
    ingested = Ingested(tmp_path, settings)
    assert {
        "id": ["eebbqej"],
        "text": ['"Hello, [NAME]" she said'],
        "labels": ["admiration", "anger"],
    } in ingested.split("train")
    assert ingested.report.splits["train"] == 40
    assert ingested.report.labels["amusement"] == LabelCount(count=20, first="dev.tsv:1")
    assert ingested.report.quarantined == 0


def test_accepts_or_quarantines_every_row_with_file_line_and_reason(tmp_path: Path) -> None:
    data = tmp_path / "data"
    header = "id,text,labels\n"
    write_file(data / "eval.csv", header + "e,good for eval,joy\n")
    write_file(data / "test.csv", header + "t,good for test,\n,no id,joy\n")
    long = b"7," + b"x" * MAX_ROW_BYTES + b",joy\n"
    write_file(
        data / "train.csv",
        header.encode()
        + b"1,good,joy\n"
        + b"2,caf\xe9,joy\n"
        + b"3,too few\n"
        + b'4,"said "hi" there",joy\n'
        + b'5,"never closed,joy\n'
        + b'6,"two\nlines",joy\n'
        + long
        + b"8,  ,joy\n",
    )
    ingested = Ingested(tmp_path, settings_for(data, **by_file(id="id")))
    assert [(row.file, row.line, row.reason) for row in ingested.quarantined] == [
        ("train.csv", 3, "invalid UTF-8: byte 0xe9 on line 3"),
        ("train.csv", 4, "wrong number of fields: 2 instead of 3"),
        ("train.csv", 5, "malformed quote: ',' expected after '\"'"),
        ("train.csv", 6, "malformed quote: ',' expected after '\"'"),
        ("train.csv", 9, f"row too long: more than {MAX_ROW_BYTES} bytes"),
        ("train.csv", 10, "blank text"),
        ("test.csv", 3, "blank id"),
    ]
    assert ingested.quarantined[0].raw == "2,caf\\xe9,joy"
    assert len(ingested.quarantined[4].raw) == 2000
    assert ingested.report.model_dump(include={"rows_read", "accepted", "quarantined", "reasons", "splits"}) == {
        "read": 11,
        "accepted": 4,
        "quarantined": 7,
        "reasons": {
            "malformed quote": 2,
            "blank id": 1,
            "blank text": 1,
            "invalid UTF-8": 1,
            "row too long": 1,
            "wrong number of fields": 1,
        },
        "splits": {"train": 2, "eval": 1, "test": 1},
    }
    assert ingested.report.labels["joy"] == LabelCount(count=3, first="train.csv:2")
    assert sum(len(ingested.split(name)) for name in SPLITS) == ingested.report.accepted


def test_quarantines_rows_with_invalid_labels(tmp_path: Path) -> None:
    for split in SPLITS:
        bad = "bad,-1,0\n" if split == "train" else ""
        write_file(tmp_path / "a" / f"{split}.csv", f"text,toxic,insult\n{split},1,0\n{bad}")
    indicators = {"kind": "indicators", "columns": ["toxic", "insult"]}
    ingested = Ingested(tmp_path / "1", settings_for(tmp_path / "a", **by_file(labels=indicators)))
    assert [row.reason for row in ingested.quarantined] == ["label column is neither 0 nor 1: '-1' in column 'toxic'"]
    assert ingested.split("eval") == [{"id": ["eval.csv:2"], "text": ["eval"], "labels": ["toxic"]}]

    write_file(tmp_path / "b" / "names.txt", "joy\nfear\n")
    for split in ("eval", "test"):
        write_file(tmp_path / "b" / f"{split}.csv", csv_text([f"{split},1"]))
    write_file(tmp_path / "b" / "train.csv", csv_text(["train,0", "bad,2", "bad,joy"]))
    indices = {"kind": "indices", "column": "labels", "names": "names.txt"}
    ingested = Ingested(tmp_path / "2", settings_for(tmp_path / "b", **by_file(labels=indices)))
    assert [row.reason for row in ingested.quarantined] == [
        "label index out of range: 2 is not in 0 to 1",
        "label index is not a number: 'joy'",
    ]


def test_an_unterminated_quote_costs_no_other_row(tmp_path: Path) -> None:
    write_file(tmp_path / "data" / "a.csv", csv_text([*distinct_rows(), '"never closed,joy', *distinct_rows()]))
    ingested = Ingested(tmp_path, settings_for(tmp_path / "data"))
    (row,) = ingested.quarantined
    assert (row.line, row.reason) == (42, "unterminated quote: no quote closes it before the end of the file")
    assert ingested.report.accepted == 80


def test_order_and_bytes_are_the_same_in_every_run_and_shuffled(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(runs, "_RUN_BYTES", 300)
    for name in "abc":
        write_file(tmp_path / "data" / f"{name}.csv", csv_text(distinct_rows()))
    settings = settings_for(tmp_path / "data")
    first, second = Ingested(tmp_path / "1", settings), Ingested(tmp_path / "2", settings)
    for split in SPLITS:
        name = f"Split-{split}/data_tfrecord-00000-of-00001.gz"
        assert (tmp_path / "1/examples" / name).read_bytes() == (tmp_path / "2/examples" / name).read_bytes()
    ids = [features["id"][0] for features in first.split("train")]
    assert len(ids) == len(set(ids)) == first.report.splits["train"]
    assert ids != sorted(ids)
    assert second.report == first.report


def test_reads_a_folder_that_is_named_like_a_pattern(tmp_path: Path) -> None:
    write_file(tmp_path / "data [v1]*" / "a.csv", csv_text(distinct_rows()))
    assert Ingested(tmp_path, settings_for(tmp_path / "data [v1]*")).report.rows_read == 40


def test_shards_large_splits(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_file(tmp_path / "data" / "a.csv", csv_text(distinct_rows(200)))
    monkeypatch.setattr(runs, "_PARTITION_BYTES", 2000)
    ingested = Ingested(tmp_path, settings_for(tmp_path / "data"))
    assert sorted(files_in(Path(ingested.examples.uri) / "Split-train")) == [
        f"data_tfrecord-{shard:05d}-of-00003.gz" for shard in range(3)
    ]
    assert len(ingested.split("train")) == ingested.report.splits["train"]


@pytest.mark.parametrize(
    ("rows", "changes", "message"),
    [
        (["a,b"], {"text": "txt"}, "no column 'txt'"),
        ([" ,joy", "a,b,c"], {}, "all 2 rows were quarantined: 1 blank text (first at a.csv:2), 1 wrong number"),
        (["one,joy"], {}, "no row in the split '"),
        (
            ["one,joy"],
            {"inputs": [{"pattern": "*.tsv", "split": {"train": 1, "eval": 1, "test": 1}}]},
            "no file matches",
        ),
    ],
)
def test_a_refusal_leaves_no_files(tmp_path: Path, rows: list[str], changes: dict[str, Any], message: str) -> None:
    write_file(tmp_path / "data" / "a.csv", csv_text(rows))
    with pytest.raises(Refused, match=re.escape(message)) as refused:
        Ingested(tmp_path, settings_for(tmp_path / "data", **changes))
    assert "\n" not in str(refused.value)
    assert files_in(tmp_path / "examples") == files_in(tmp_path / "quarantine") == []


def test_refuses_compressed_data_that_ends_early(tmp_path: Path) -> None:
    body = csv_text(f"{os.urandom(30).hex()},joy" for _ in range(2000))
    write_file(tmp_path / "data" / "a.csv.gz", gzip.compress(body.encode())[:-2000])
    inputs = [{"pattern": "*.gz", "split": {"train": 1, "eval": 1, "test": 1}}]
    with pytest.raises(Refused, match=r"a.csv.gz:\d+: damaged data: .*replace the file$"):
        Ingested(tmp_path, settings_for(tmp_path / "data", inputs=inputs))


def test_reads_remote_files(tmp_path: Path) -> None:
    base = f"ram://{uuid.uuid4().hex}"  # TensorFlow's file system in memory, whose paths have a scheme
    content = csv_text(distinct_rows())
    files.write_whole(f"{base}/a.csv", content.encode())
    files.write_whole(f"{base}/b.csv.gz", gzip.compress(content.encode()))
    inputs = [{"pattern": "*.csv*", "split": {"train": 2, "eval": 1, "test": 1}}]
    ingested = Ingested(tmp_path, settings_for(base, inputs=inputs))
    assert ingested.report.rows_read == 80
    assert ingested.report.labels["joy"].first == "a.csv:3"

    files.make_folder(f"{base}/folder")
    files.write_whole(f"{base}/folder/x", b"x")
    files.rename(f"{base}/folder/x", f"{base}/folder/y")
    assert files.list_files(f"{base}/folder/*") == [f"{base}/folder/y"]
    files.remove_folder(f"{base}/folder")
    files.remove_folder(f"{base}/folder")
    assert files.list_files(f"{base}/folder/*") == []
    with pytest.raises(Refused, match="no such list of labels"):
        check_inputs(settings_for(base, labels={"kind": "indices", "column": "labels", "names": "none.txt"}))


def test_merges_rows_in_long_form(tmp_path: Path) -> None:
    rows = [f"Text {number},{label}" for number in range(40) for label in ("joy", "anger", "joy")[: 1 + number % 3]]
    write_file(tmp_path / "data" / "a.csv", csv_text(rows))
    write_file(tmp_path / "data" / "b.csv", csv_text(["text 1,fear", "other,fear"]))
    inputs = [TRAIN_EVAL_TEST[0] | {"pattern": "a.csv"}, {"pattern": "b.csv", "split": "test"}]
    ingested = Ingested(tmp_path, settings_for(tmp_path / "data", copies="merge", inputs=inputs))
    report = ingested.report
    assert (report.rows_read, report.merged, report.quarantined) == (81, 39, 0)
    labels = {
        example["text"][0]: sorted(example["labels"])
        for split in ("train", "eval", "test")
        for example in ingested.split(split)
        if example["labels"] != ["fear"]
    }
    assert labels == {f"Text {number}": ["joy"] if number % 3 == 0 else ["anger", "joy"] for number in range(40)}
    assert report.labels["joy"].count == 40
    # Copies of two entries are never merged, since one may be the test split.
    assert report.duplicates.contradictory == 1


def test_merges_rows_by_a_key_and_names_those_with_another_text(tmp_path: Path) -> None:
    rows = [f"{n},text number {n},{label}" for n in range(80) for label in ("joy", "anger")]
    rows[1] = "0,another text,anger"
    rows[41:43] = ["20,text number 19,anger", "21,text number 19,joy"]
    rows[43] = "21,text number 19,anger"
    write_file(tmp_path / "data" / "a.csv", csv_text(rows, "ticket,text,labels"))
    settings = settings_for(tmp_path / "data", copies="merge", merge_by="ticket", id="ticket")
    ingested = Ingested(tmp_path, settings)
    report = ingested.report
    assert (report.rows_read, report.merged, report.quarantined) == (160, 78, 2)
    examples = {e["id"][0]: e for split in ("train", "eval", "test") for e in ingested.split(split)}
    assert len(examples) == 80
    assert [sorted(examples[name]["labels"]) for name in ("0", "1", "20")] == [["joy"], ["anger", "joy"], ["joy"]]
    # Two tickets with the same text are two examples in one split.
    assert sorted(examples["19"]["labels"]) == sorted(examples["21"]["labels"]) == ["anger", "joy"]
    assert report.duplicates.texts == 1
    quarantined = sorted((row.line, row.reason) for row in ingested.quarantined)
    other = "a row with the same key has another text"
    assert quarantined == [(3, f"{other}: a.csv:2"), (43, f"{other}: a.csv:42")]


def test_reads_other_dialects_and_objects(tmp_path: Path) -> None:
    lines = ["sep=;", "text;labels"]
    lines += [f"\"\u00e9t\u00e9 {number} \\\"no\\\"\";{{'joy': {number % 2}, 'anger': 0}}" for number in range(60)]
    lines.insert(8, '"a text;[]\nanother";joy')
    write_file(tmp_path / "data" / "a.csv", "\n".join(lines).encode("cp1252"))
    settings = settings_for(
        tmp_path / "data", encoding="cp1252", separator=";", escape="\\", labels={"kind": "list", "column": "labels"}
    )
    ingested = Ingested(tmp_path, settings)
    assert (ingested.report.accepted, ingested.report.swallowed) == (61, 1)
    assert ingested.report.labels["joy"].count == 31
    texts = {example["text"][0] for split in ("train", "eval", "test") for example in ingested.split(split)}
    assert '\u00e9t\u00e9 7 "no"' in texts
