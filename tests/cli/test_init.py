"""Tests of `init`: how it finds text and labels, and that a run accepts what it writes."""

import csv
import io
import json
import random
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from rich.console import Console

from cli.init import command
from cli.init.hints import Hints
from cli.init.project import write_project
from cli.init.reading import AmbiguousError
from components.example_gen.check import check_inputs
from components.example_gen.parsing.settings import IndicatorLabels, ListLabels
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
    assert config.examples.labels == ListLabels(kind="list", column="labels")
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
    assert config.examples.labels == IndicatorLabels(kind="indicators", columns=("insult", "rude"))
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
    assert load_configuration(path).examples.labels == ListLabels(kind="list", column="tags")


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("a.txt", b"text,labels\na,b\n", r"no format has this suffix; rename it to end in one of .csv\[.gz\], .tsv"),
        ("a.parquet", b"text,labels\na,b\n", "is not a Parquet file"),
        ("a.csv", encoders.parquet([{"text": "a"}]), "is Parquet"),
        ("a.csv", b"text,text\na,b\n", "two columns are named 'text'"),
        ("a.csv.gz", b"text,labels\na,b\n", "cannot be decompressed"),
        ("a.json", b'[["a", ["x"]]]', "its rows are no objects; write each as"),
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
        ("text,labels\n", {}, "there is no row below the header"),
        ("text,other\nx,z\n", {}, "name the one with the labels by --labels"),
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


LABELS = ["billing", "refund", "login", "shipping"]


def _rows(labels: list[str], count: int = 40, most: int = 3) -> list[tuple[str, list[str]]]:
    """Return texts with several labels each, the same every time; with `most` 1, every text has one."""
    generator = random.Random(1)
    sizes = [1] if most == 1 else range(1, most + 1)
    return [(f"case {number}, please", generator.sample(labels, generator.choice(sizes))) for number in range(count)]


def _csv(rows: list[list[str]], header: str = "text,labels", **dialect: Any) -> str:
    stream = io.StringIO()
    if header:
        stream.write(header.replace(",", dialect.get("delimiter", ",")) + "\n")
    csv.writer(stream, lineterminator="\n", **dialect).writerows(rows)
    return stream.getvalue()


def _names(path: Path) -> list[str]:
    return sorted(label_list(read_schema(load_configuration(path).schema_file)).names)


@pytest.mark.parametrize("mark", ["|", ";", "#", "\n", "\u3001", ",", "/", " ", "\uff1b", ", "])
def test_finds_the_mark_between_labels(tmp_path: Path, mark: str) -> None:
    path, _ = _init(tmp_path, "a.csv", _csv([[text, mark.join(labels)] for text, labels in _rows(LABELS)]))
    assert _names(path) == sorted(LABELS)


@pytest.mark.parametrize(
    "names",
    [
        ["account access", "account closure", "card access", "card closure", "login access"],
        ["Payday loan, title loan, or personal loan", "Money transfer, virtual currency", "Mortgage"],
        ["R&D", "AC/DC", "C#"],
    ],
)
def test_does_not_split_labels_whose_parts_are_no_labels(tmp_path: Path, names: list[str]) -> None:
    path, _ = _init(tmp_path, "a.csv", _csv([[text, labels[0]] for text, labels in _rows(names, most=1)]))
    assert _names(path) == sorted(names)


def test_takes_the_brackets_off_tags(tmp_path: Path) -> None:
    names = ["python", "c#", "asp.net"]
    path, _ = _init(tmp_path, "a.csv", _csv([[text, f"<{'><'.join(labels)}>"] for text, labels in _rows(names)]))
    assert _names(path) == sorted(names)


def test_refuses_what_can_be_read_in_two_ways_and_names_the_options(tmp_path: Path) -> None:
    names = ["Credit reporting, repair, or other reports", "Credit reporting", "Debt collection"]
    content = _csv([[text, labels[0]] for text, labels in _rows(names, most=1)])
    with pytest.raises(AmbiguousError, match=r"can be read in 2 ways; .*--label-kind single") as error:
        _init(tmp_path, "a.csv", content)
    assert {"label_kind": "single"} in [options for _, options in error.value.choices]
    path, _ = _init(tmp_path, "a.csv", content, label_kind="single")
    assert _names(path) == sorted(names)


@pytest.mark.parametrize(
    "show",
    [
        str,
        json.dumps,
        lambda labels: str(set(labels)),
        lambda labels: "[" + " ".join(map(repr, labels)) + "]",
        lambda labels: "[" + ", ".join(labels) + "]",
        lambda labels: str([{"id": 1, "name": label} for label in labels]),
        lambda labels: str({label: int(label in labels) for label in LABELS}),
    ],
)
def test_reads_printed_lists_and_objects(tmp_path: Path, show: Callable[[list[str]], str]) -> None:
    path, printed = _init(tmp_path, "a.csv", _csv([[text, show(labels)] for text, labels in _rows(LABELS)]))
    assert load_configuration(path).examples.labels == ListLabels(kind="list", column="labels")
    assert _names(path) == sorted(LABELS)
    assert "labels in printed lists in 'labels'" in printed


@pytest.mark.parametrize("file_format", ["jsonl", "parquet"])
def test_reads_objects(tmp_path: Path, file_format: str) -> None:
    rows = [{"text": text, "cats": {name: 0.9 * (name in labels) for name in LABELS}} for text, labels in _rows(LABELS)]
    path, printed = _init(tmp_path, f"a.{file_format}", encoders.encode(rows, file_format))
    check_configuration(load_configuration(path))
    assert _names(path) == sorted(LABELS)
    assert "with scores, given from 0.5 on (examples.labels.soft: true trains on the scores)" in printed


@pytest.mark.parametrize(
    ("name", "show"),
    [
        ("a.jsonl", list),
        ("a.parquet", list),
        ("a.csv", str),
        ("b.csv", lambda vector: str(vector).replace(",", ".")),
        ("c.csv", lambda vector: " ".join(map(str, vector))),
    ],
)
def test_never_takes_vectors_for_labels(tmp_path: Path, name: str, show: Callable[[list[int]], Any]) -> None:
    rows = [
        {"text": text, "labels": show([int(label in labels) for label in LABELS])} for text, labels in _rows(LABELS)
    ]
    content = encoders.encode(rows, name.partition(".")[2])
    with pytest.raises(Refused, match=r"holds vectors of 4 values 0 or 1: give the names .* by --label-names"):
        _init(tmp_path, name, content)
    (tmp_path / "names.txt").write_text("\n".join([*LABELS, "other"]))
    with pytest.raises(Refused, match=r"holds vectors of 4 values, but .* has 5 names"):
        _init(tmp_path, name, content, label_names=tmp_path / "names.txt")
    (tmp_path / "names.txt").write_text("\n".join(LABELS))
    path, _ = _init(tmp_path, name, content, label_names=tmp_path / "names.txt")
    assert load_configuration(path).examples.labels.kind == "multihot"


def test_asks_whether_numbers_are_positions(tmp_path: Path) -> None:
    content = _csv([[text, str(number % 5)] for number, (text, _) in enumerate(_rows(LABELS))])
    with pytest.raises(AmbiguousError, match=r"holds only numbers .*--label-names FILE.*--label-kind delimited"):
        _init(tmp_path, "a.csv", content)
    assert _names(_init(tmp_path, "a.csv", content, label_kind="delimited")[0]) == list("01234")


def _flags(yes: str, no: str) -> list[list[str]]:
    return [[text, *(yes if name in labels else no for name in LABELS)] for text, labels in _rows(LABELS)]


@pytest.mark.parametrize(("yes", "no"), [("True", "False"), ("yes", "no"), ("1.0", "0.0"), ("Y", "N")])
def test_reads_flags_in_words(tmp_path: Path, yes: str, no: str) -> None:
    path, _ = _init(tmp_path, "a.csv", _csv(_flags(yes, no), f"text,{','.join(LABELS)}"))
    labels = load_configuration(path).examples.labels
    assert labels == IndicatorLabels(kind="indicators", columns=tuple(LABELS))


def test_refuses_a_column_that_is_nearly_of_flags_by_name(tmp_path: Path) -> None:
    rows = _flags("1", "0")
    rows[3][3] = "2"
    with pytest.raises(Refused, match=r"1 of 40 rows cannot .*'2' in column 'login' \(first at a\.csv:5\)"):
        _init(tmp_path, "a.csv", _csv(rows, f"text,{','.join(LABELS)}"))


@pytest.mark.parametrize(("value", "shown"), [("", "a blank"), ("-1", "'-1'"), ("NaN", "'NaN'"), ("-1.0", "'-1.0'")])
def test_takes_values_beside_flags_for_unknown_and_doubts_it(tmp_path: Path, value: str, shown: str) -> None:
    rows = _flags("1", "0")
    rows[3][3] = rows[8][3] = value
    rows[5][1:] = [value] * len(LABELS)  # nothing is known: left out
    path, printed = _init(tmp_path, "a.csv", _csv(rows, f"text,{','.join(LABELS)}"))
    labels = load_configuration(path).examples.labels
    assert labels == IndicatorLabels(kind="indicators", columns=tuple(LABELS), unknown=(value,))
    assert f"Unknown: {shown} beside yes and no is taken for a label that nobody knows (login in 2 rows)" in printed
    assert "1 row without any known label is left out. If it means no, write 0" in printed


def test_proposes_soft_labels_where_columns_of_flags_have_fractions(tmp_path: Path) -> None:
    rows = _flags("1", "0")
    rows[3][3] = "0.25"
    path, printed = _init(tmp_path, "a.csv", _csv(rows, f"text,{','.join(LABELS)}"))
    labels = load_configuration(path).examples.labels
    assert isinstance(labels, IndicatorLabels)
    assert (labels.soft, labels.cut, labels.unknown) == (True, 0.5, ())
    assert "Soft: values between 0 and 1 are taken for the share of annotators who gave a label; from 0.5 on" in printed


def test_does_not_take_a_blank_for_unknown_if_no_row_says_no(tmp_path: Path) -> None:
    rows = [[text, "1", "0" if number % 2 else "1"] for number, (text, _) in enumerate(_rows(LABELS))]
    rows[4][1] = ""
    with pytest.raises(Refused, match=r"'' in column 'login'"):
        _init(tmp_path, "a.csv", _csv(rows, "text,login,speed"))


def test_one_column_of_flags_is_one_label_and_a_letter_is_no_flag(tmp_path: Path) -> None:
    rows = [[text, str(number % 2), "fm"[number % 2]] for number, (text, _) in enumerate(_rows(LABELS))]
    path, _ = _init(tmp_path, "a.csv", _csv(rows, "text,toxic,gender"))
    config = load_configuration(path)
    assert config.examples.labels == IndicatorLabels(kind="indicators", columns=("toxic",))
    assert config.examples.slices == ("gender",)


def test_reads_labels_in_numbered_columns(tmp_path: Path) -> None:
    rows = [[text, *([*labels, "", ""][:3])] for text, labels in _rows(LABELS)]
    path, _ = _init(tmp_path, "a.csv", _csv(rows, "text,label_1,label_2,label_3"))
    assert load_configuration(path).examples.labels.model_dump() == {
        "kind": "columns", "columns": ("label_1", "label_2", "label_3"),
    }  # fmt: skip
    assert _names(path) == sorted(LABELS)


def test_merges_a_row_per_text_and_label(tmp_path: Path) -> None:
    content = _csv([[text, label] for text, labels in _rows(LABELS) for label in labels])
    path, printed = _init(tmp_path, "a.csv", content)
    assert load_configuration(path).examples.copies == "merge"
    assert "rows with the same text become one example (examples.copies: merge)" in printed
    assert "several rows have other labels" not in printed
    (tmp_path / "other").mkdir()
    path, printed = _init(tmp_path / "other", "a.csv", content, label_kind="single")
    assert load_configuration(path).examples.copies == "keep"
    assert "if there is a row per text and label" in printed


PLAIN = [[text, "|".join(labels)] for text, labels in _rows(LABELS)]


@pytest.mark.parametrize(
    ("content", "key", "value"),
    [
        (_csv(PLAIN, delimiter=";").encode(), "separator", ";"),
        (b"\xef\xbb\xbf" + _csv(PLAIN, delimiter=";").encode(), "separator", ";"),
        (b"sep=;\r\n" + _csv(PLAIN, delimiter=";").encode(), "separator", ";"),
        (_csv(PLAIN, delimiter="\t").encode(), "separator", "\t"),
        (_csv(PLAIN).encode("utf-16"), "encoding", "utf-16"),
        (_csv(PLAIN).encode("utf-16-le"), "encoding", "utf-16-le"),
        (_csv([[f'{a} "so", he', b] for a, b in PLAIN], doublequote=False, escapechar="\\").encode(), "escape", "\\"),
    ],
)
def test_finds_the_dialect(tmp_path: Path, content: bytes, key: str, value: str) -> None:
    path, printed = _init(tmp_path, "a.csv", content)
    config = load_configuration(path)
    check_configuration(config)
    assert getattr(config.examples, key) == value
    assert _names(path) == sorted(LABELS)
    assert printed.startswith("40 rows")
    assert "File: " in printed


def test_takes_stray_quotes_that_swallow_rows_for_ordinary_characters(tmp_path: Path) -> None:
    stray = {2: '"{}', 4: '{}"'}
    lines = [f"{stray.get(n % 10, '{}').format(text)}\t{labels}\t{n}" for n, (text, labels) in enumerate(PLAIN)]
    path, printed = _init(tmp_path, "a.tsv", "\n".join(["text\tlabels\tn", *lines]))
    assert not load_configuration(path).examples.quoting
    assert printed.startswith("40 rows")


def test_keeps_texts_over_several_lines(tmp_path: Path) -> None:
    rows = [[f"Dear Sir,\n{text}\nYours", labels] for text, labels in PLAIN]
    path, printed = _init(tmp_path, "a.csv", _csv(rows))
    assert load_configuration(path).examples.quoting
    assert printed.startswith("40 rows")


def test_names_encodings_that_a_file_may_have(tmp_path: Path) -> None:
    content = _csv([[text, "Éloge|Accès" if n % 2 else "Éloge"] for n, (text, _) in enumerate(PLAIN)]).encode("cp1252")
    with pytest.raises(AmbiguousError, match=r"40 of 42 lines are not UTF-8; .*--encoding windows-1252 reads 'Éloge'"):
        _init(tmp_path, "a.csv", content)
    path, _ = _init(tmp_path, "a.csv", content, encoding="windows-1252")
    assert _names(path) == ["Accès", "Éloge"]


def test_asks_for_the_columns_of_a_file_without_a_header(tmp_path: Path) -> None:
    content = _csv([[str(n), *row] for n, row in enumerate(PLAIN)], "")
    with pytest.raises(Refused, match=r"looks like data, .*name the columns in order by --columns"):
        _init(tmp_path, "a.csv", content)
    path, printed = _init(tmp_path, "a.csv", content, columns=("id", "text", "labels"))
    assert load_configuration(path).examples.columns == ("id", "text", "labels")
    assert printed.startswith("40 rows")


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("a.json", b'{"text": {"0": "a", "1": "b"}}', r"object of columns, .*orient='records', lines=True"),
        ("a.json", b'{"0": {"text": "a"}}', "object of rows"),
        ("a.json", b'{"columns": ["text"], "data": []}', "orient='split' or 'table'"),
        ("a.json", b'{"data": [{"text": "a"}]}', "holds its rows in an array"),
        ("a.json", b'{"meta": {"v": 1}, "my rows": [{"text": "a"}]}', r"""jq -c '\.\["my rows"\]\[\]'"""),
        ("a.json", b'{"text": ["a", "b"], "labels": ["x", "y"]}', "one JSON object of columns, not an object per line"),
        ("a.jsonl", b'{"text": "a"},\n{"text": "b"},\n', "a comma ends each line; remove it: sed"),
        ("a.jsonl", b"{'text': 'a'}\n", "printed by Python; write each row by json.dumps"),
        ("a.jsonl", b"text,labels\na,b\n", "looks like CSV"),
        ("a.csv", b"<!DOCTYPE html>\n<html></html>\n", "is a web page"),
        ("a.csv", b"version https://git-lfs.github.com/spec/v1\noid sha256:4d7a\n", "git lfs pull"),
        ("a.csv", b"Export of 2024\n\nid,text,labels\n1,a,b\n", r"the first line \(Export of 2024\) is taken for"),
        ("a.csv", b"Export of 2024,,\nid,text,labels\n1,a,b\n", "names 1 of 3 columns .* as a title does"),
        ("a.csv", b"some words,0,1,0\nother words,1,0,0\n", "has '0' twice, as data has; .* --columns"),
        ("a.csv.zip", b"PK", "is a ZIP archive; unpack it"),
        ("a.xlsx", b"PK", "is a workbook; save the sheet as CSV"),
        ("a.txt", b"__label__a b", "fastText's lines become objects"),
        ("a.jsonl", b'{"text": "a", "labels": {"x": "y"}}\n', r"neither scores nor a key .*\(its keys: x; 'x' has y\)"),
    ],
)
def test_names_the_cause_of_a_file_that_cannot_be_read(tmp_path: Path, name: str, content: bytes, message: str) -> None:
    with pytest.raises(Refused, match=message):
        _init(tmp_path, name, content)
    assert not (tmp_path / "out").exists()


def test_never_writes_what_the_configuration_cannot_say(tmp_path: Path) -> None:
    rows = [[*row, "ab"[n % 2]] for n, row in enumerate(PLAIN)]
    path, printed = _init(tmp_path, "tickets {2024} [1].csv", _csv(rows, "text,labels,Region*"))
    config = load_configuration(path)
    check_configuration(config)
    assert config.examples.slices == ()
    assert "Left out: 'Region*' has a name that evaluation.slices cannot say" in printed


def test_shows_odd_labels_as_they_are(tmp_path: Path) -> None:
    names = ["[red]x[/red]", "a/b", "a.b", "\U0001f600", "z" * 300]
    path, printed = _init(tmp_path, "a.csv", _csv([[text, "|".join(labels)] for text, labels in _rows(names)]))
    check_configuration(load_configuration(path))
    assert _names(path) == sorted(names)
    assert "[red]x[/red]" in printed


def test_warns_of_odd_labels(tmp_path: Path) -> None:
    rows = [[text, "|".join(["all", "Joy" if n % 2 else "joy", *(["nan"] if n == 1 else [])])]
            for n, (text, _) in enumerate(PLAIN)]  # fmt: skip
    _, printed = _init(tmp_path, "a.csv", _csv(rows))
    assert "Warning: labels differ by case or Unicode form only: 'joy' (20 rows) and 'Joy' (20 rows)" in printed
    assert "Warning: label 'nan' (1 row) may stand for a missing value" in printed
    assert "Warning: label 'all' (40 rows) is in every row" in printed
    assert "labels have no row in test: 'nan'" in printed or "labels have no row in eval: 'nan'" in printed
    assert "'nan'; examples.split_by: stratified shares rare labels out" in printed


def test_asks_on_a_terminal(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    console = Console(file=io.StringIO(), force_terminal=True)
    monkeypatch.setattr("sys.stdin", SimpleNamespace(isatty=lambda: True))
    monkeypatch.setattr("typer.prompt", lambda *_, **__: 1)
    data = tmp_path / "a.csv"
    data.write_text(_csv([[text, str(number % 5)] for number, (text, _) in enumerate(PLAIN)]))
    project = command._write(data, tmp_path / "out", Hints(), console)
    assert list(project.labels.names) == list("01234")


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        ([{"text": t, "y": [0, 1, 0]} for t, _ in PLAIN], "holds vectors of 3 values 0 or 1"),
        ([{"text": t, " a ": n % 2, "b": 1} for n, (t, _) in enumerate(PLAIN)], "has blanks at its ends"),
        ([{"text": t, "a": "x" * (n % 2), "b": "x" * (n % 3 // 2)} for n, (t, _) in enumerate(PLAIN)],
         "columns a, b hold only '', 'x': if they are labels, write 1 for yes and 0 for no"),
        ([{"text": t, "labels": labels.replace("|", "|;"[n % 2])} for n, (t, labels) in enumerate(PLAIN)],
         "labels look like others joined by '.', such as"),
    ],
)  # fmt: skip
def test_says_why_there_are_no_labels(tmp_path: Path, rows: list[dict[str, Any]], message: str) -> None:
    with pytest.raises(Refused, match=message):
        _init(tmp_path, "a.jsonl", encoders.encode(rows, "jsonl"))


def test_codes_are_labels_and_lists_of_one_may_be_delimited(tmp_path: Path) -> None:
    rows = [{"text": text, "labels": [labels.replace("billing", "100163")]} for text, labels in PLAIN]
    path, _ = _init(tmp_path, "a.jsonl", encoders.encode(rows, "jsonl"))
    assert _names(path) == sorted(["100163", *LABELS[1:]])
    assert load_configuration(path).examples.labels.kind == "delimited"


def test_takes_the_questions_of_a_survey_for_a_header(tmp_path: Path) -> None:
    header = "What would you like to tell us about your last order?,Reasons"
    path, _ = _init(
        tmp_path, "a.csv", _csv([[f"{text} {text}", labels] for text, labels in PLAIN], header), labels="Reasons"
    )
    assert load_configuration(path).examples.text == header.partition(",")[0]


def test_names_a_header_that_is_repeated(tmp_path: Path) -> None:
    with pytest.raises(Refused, match="1 row below repeats the header, as in files that were joined"):
        _init(tmp_path, "a.csv", _csv([*PLAIN, ["text", "labels"], *PLAIN[:3]]))


def test_writes_what_is_used_and_a_gate_on_every_label(tmp_path: Path) -> None:
    path, _ = _init(tmp_path, "a.csv", _csv([[text, labels] for text, labels in PLAIN]))
    written = path.read_text()
    for default in ("read_method", "quoting", "encoding", "copies"):
        assert default not in written
    assert "format: csv" in written
    config = load_configuration(path)
    assert "f1[*] >= 0.05 where support >= 30" in [gate.text for gate in config.evaluation.gates]
    assert "then raise the bounds to a little below that" in written
