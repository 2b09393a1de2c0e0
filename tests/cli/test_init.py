"""Tests of `init`: how it finds text and labels, and that a run accepts what it writes."""

import json
from pathlib import Path
from typing import Any

import pytest

from cli.init.columns import Hints
from cli.init.project import write_project
from components.example_gen.check import check_inputs
from pipeline.check import check_configuration
from pipeline.config.json_schema import json_schema
from pipeline.config.loading import load_configuration
from schema.errors import Refused
from schema.label_list import label_list, read_schema
from tests.components.example_gen import encoders


def _init(tmp_path: Path, name: str, content: str | bytes, **options: Any) -> tuple[Path, str]:
    """Run init on a file with this content; return the path of the configuration, and what init prints."""
    data = tmp_path / name
    data.write_bytes(content.encode() if isinstance(content, str) else content)
    project = write_project(data, tmp_path / "out", Hints(**options))
    return project.configuration, project.describe()


def test_finds_delimited_labels_and_their_delimiter(tmp_path: Path) -> None:
    path, printed = _init(
        tmp_path, "tickets.csv",
        'id,body,tags,channel\n1,"refund, please",billing;refund,chat\n2,it is slow,speed,mail\n3,hello there,,chat\n',
    )  # fmt: skip
    config = load_configuration(path)
    check_configuration(config)
    assert config.examples.text == "body"
    assert config.examples.id == "id"
    assert config.examples.labels.model_dump() == {"kind": "delimited", "column": "tags", "delimiter": ";"}
    assert config.examples.slices == ("channel",)
    assert label_list(read_schema(config.schema_file)).names == ("billing", "refund", "speed")
    assert "3 rows" in printed


def test_finds_indicator_columns(tmp_path: Path) -> None:
    path, _ = _init(tmp_path, "toxic.tsv", "id\tcomment_text\ttoxic\tinsult\na1\tyou are kind\t0\t0\na2\tfool\t1\t1\n")
    config = load_configuration(path)
    check_configuration(config)
    assert config.examples.format == "tsv"
    assert config.examples.text == "comment_text"
    assert label_list(read_schema(config.schema_file)).names == ("toxic", "insult")


def test_does_not_split_labels_at_blanks_if_there_is_another_delimiter(tmp_path: Path) -> None:
    path, _ = _init(tmp_path, "a.csv", "text,labels\nx y z,account access|late delivery\nq r s,late delivery\n")
    assert label_list(read_schema(load_configuration(path).schema_file)).names == ("account access", "late delivery")


def test_uses_the_columns_and_the_delimiter_of_hints(tmp_path: Path) -> None:
    path, _ = _init(
        tmp_path, "a.csv", "title,story,kind\nx,y y y,a+b\nx,z z z,a\n", text="title", labels="kind", delimiter="+"
    )
    config = load_configuration(path)
    assert config.examples.text == "title"
    assert label_list(read_schema(config.schema_file)).names == ("a", "b")


TYPED = [
    {"id": 1, "text": "some text", "labels": ["joy", "anger"], "channel": "mail", "score": 0.5},
    {"id": 2, "text": "more text", "labels": [], "channel": "chat", "score": 1.5},
    {"id": 3, "text": "other text", "labels": ["joy"], "channel": "chat", "score": 2.5},
]


@pytest.mark.parametrize("file_format", ["jsonl", "parquet", "tfrecord"])
@pytest.mark.parametrize("suffix", ["", ".gz"])
def test_finds_lists_of_labels(tmp_path: Path, file_format: str, suffix: str) -> None:
    if suffix and file_format == "parquet":
        return
    content = encoders.encode(TYPED, file_format)
    name = f"data [1]{encoders.SUFFIXES[file_format]}{suffix}"
    path, printed = _init(tmp_path, name, encoders.gzipped(content) if suffix else content)
    config = load_configuration(path)
    check_configuration(config)
    assert len(check_inputs(config.examples).files) == 1
    assert config.examples.format == file_format
    assert config.examples.labels.model_dump() == {"kind": "list", "column": "labels"}
    assert config.examples.id == "id"
    assert config.examples.slices == ("channel", "score")
    assert label_list(read_schema(config.schema_file)).names == ("anger", "joy")
    assert "3 rows; text in 'text'" in printed


@pytest.mark.parametrize("file_format", ["csv", "tsv", "jsonl", "parquet", "tfrecord"])
def test_finds_indicator_columns_of_any_type(tmp_path: Path, file_format: str) -> None:
    typed = file_format not in ("csv", "tsv")
    values = [(True, 1.0), (False, 0.0), (True, 0.0)] if typed else [("1", "1"), ("0", "0"), ("1", "0")]
    rows = [{"body": f"some text {a}", "insult": a, "rude": b} for a, b in values]
    path, _ = _init(tmp_path, f"data{encoders.SUFFIXES[file_format]}", encoders.encode(rows, file_format))
    config = load_configuration(path)
    check_configuration(config)
    assert config.examples.labels.model_dump() == {"kind": "indicators", "columns": ("insult", "rude")}
    assert label_list(read_schema(config.schema_file)).names == ("insult", "rude")


@pytest.mark.parametrize(
    ("file_format", "indices", "delimiter"),
    [
        ("csv", ["2,0", "", "1"], ","),
        ("tsv", ["2|0", "", "1"], "|"),
        ("jsonl", [[2, 0], [], [1]], ","),
        ("jsonl", ["2 0", "", 1], " "),
        ("parquet", [[2, 0], None, [1]], ","),
        ("tfrecord", [[2, 0], [], [1]], ","),
        ("tfrecord", ["2;0", "", "1"], ";"),
    ],
)
def test_finds_labels_given_as_line_numbers(
    tmp_path: Path, file_format: str, indices: list[Any], delimiter: str
) -> None:
    rows = [{"text": f"text {n}", "label": value} for n, value in enumerate(indices)]
    names = tmp_path / "lists" / "names.txt"
    names.parent.mkdir()
    names.write_text("joy\nanger\nfear\n")
    name = f"data{encoders.SUFFIXES[file_format]}"
    path, _ = _init(tmp_path, name, encoders.encode(rows, file_format), label_names=names)
    config = load_configuration(path)
    check_configuration(config)
    assert config.examples.labels.model_dump() == {
        "kind": "indices", "column": "label", "delimiter": delimiter, "names": "lists/names.txt",
    }  # fmt: skip
    assert label_list(read_schema(config.schema_file)).names == ("joy", "anger", "fear")


@pytest.mark.parametrize(
    ("labels", "names", "message"),
    [
        ("3", "names.txt", "column 'labels' holds '3', not a line number of "),
        ("joy", "names.txt", "column 'labels' holds 'joy', not a line number of "),
        ("1", "none.txt", "no such list of labels"),
        ("1", "../names.txt", "must be in .*, beside the data, or below"),
    ],
)
def test_refuses_line_numbers_that_the_file_does_not_have(
    tmp_path: Path, labels: str, names: str, message: str
) -> None:
    base = tmp_path / "data"
    base.mkdir()
    for folder in (base, tmp_path):
        (folder / "names.txt").write_text("joy\nanger\n")
    with pytest.raises(Refused, match=message):
        _init(base, "a.csv", f"text,labels\nsome text,{labels}\n", label_names=base / names)


def test_a_column_that_is_not_in_every_row_or_has_a_reserved_name_is_not_a_slice(tmp_path: Path) -> None:
    rows: list[dict[str, Any]] = [{"text": f"text {n}", "labels": ["a"], "span": str(n), "": "x"} for n in range(4)]
    rows[0]["channel"] = "mail"
    rows[1]["channel"] = "chat"
    rows[2]["meta"] = {"a": 1}
    path, _ = _init(tmp_path, "a.json", encoders.encode(rows, "jsonl"))
    config = load_configuration(path)
    check_configuration(config)
    assert config.examples.slices == ()


@pytest.mark.parametrize(
    ("values", "kind", "names"),
    [
        (["account access", "late delivery", []], "list", ("account access", "late delivery")),
        (["joy|anger", "joy", "fear"], "delimited", ("anger", "fear", "joy")),
    ],
)
def test_lists_of_one_in_every_example_hold_labels_or_delimited_labels(
    tmp_path: Path, values: list[Any], kind: str, names: tuple[str, ...]
) -> None:
    rows = [{"text": f"text {n}", "labels": value} for n, value in enumerate(values)]
    path, _ = _init(tmp_path, "a.tfrecord", encoders.encode(rows, "tfrecord"))
    config = load_configuration(path)
    check_configuration(config)
    assert config.examples.labels.kind == kind
    assert label_list(read_schema(config.schema_file)).names == names


def test_prefers_lists_to_indicator_columns(tmp_path: Path) -> None:
    rows = [{"text": f"text {n}", "tags": ["a"], "x": True, "y": n % 2} for n in range(2)]
    path, _ = _init(tmp_path, "a.ndjson", encoders.encode(rows, "jsonl"))
    assert load_configuration(path).examples.labels.model_dump() == {"kind": "list", "column": "tags"}


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("a.txt", b"text,labels\na,b\n", r"no format has this suffix; rename it to end in one of .csv\[.gz\], .tsv"),
        ("a.parquet", b"text,labels\na,b\n", "is not a Parquet file"),
        ("a.csv", encoders.parquet([{"text": "a"}]), "is Parquet"),
        ("a.csv", b"text,text\na,b\n", "two columns are named 'text'"),
        ("a.csv.gz", b"text,labels\na,b\n", "cannot be decompressed"),
        ("a.json", b'[{"text": "a"}]', "is a JSON array"),
        ("a.tfrecord", b"text,labels\na,b\n", "is not a TFRecord file"),
        ("a.jsonl", b'{"text": "a"}\n', "the columns are text: name the one with the labels by --labels"),
    ],
)
def test_refuses_a_file_that_is_not_a_table(tmp_path: Path, name: str, content: bytes, message: str) -> None:
    with pytest.raises(Refused, match=message):
        _init(tmp_path, name, content)


def test_refuses_a_folder_and_a_missing_file(tmp_path: Path) -> None:
    for data, message in ((tmp_path, "is a folder"), (tmp_path / "none.csv", "no such file")):
        with pytest.raises(Refused, match=message):
            write_project(data, tmp_path / "out")


@pytest.mark.parametrize(
    ("content", "options", "message"),
    [
        ("", {}, "empty"),
        ("text,labels\n", {}, "no row could be read"),
        ("text,other\nx,y\n", {}, "name the one with the labels by --labels"),
        ("text,labels\nx,a\n", {"labels": "tags"}, "no such column"),
        ("text,labels\nx,\n", {}, "holds no label"),
    ],
)
def test_refuses_data_that_nothing_can_be_inferred_from(
    tmp_path: Path, content: str, options: dict[str, str], message: str
) -> None:
    with pytest.raises(Refused, match=message):
        _init(tmp_path, "a.csv", content, **options)
    assert not (tmp_path / "out").exists(), "nothing half-written"


def test_never_overwrites_curated_files(tmp_path: Path) -> None:
    content = "text,labels\nx,a\n"
    _init(tmp_path, "a.csv", content)
    with pytest.raises(Refused, match="exists already"):
        _init(tmp_path, "a.csv", content)


def test_editors_find_the_json_schema_beside_the_configuration(tmp_path: Path) -> None:
    path, _ = _init(tmp_path, "a.csv", "text,labels\nx,a\n")
    prefix, _, name = path.read_text().splitlines()[0].partition("=")
    assert prefix == "# yaml-language-server: $schema"
    assert json.loads((path.parent / name).read_text()) == json_schema()
