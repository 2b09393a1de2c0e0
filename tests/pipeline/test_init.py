"""`init`: where text and labels are found, and that what it writes runs as it stands."""

from pathlib import Path

import pytest

from pipeline.check import check_configuration
from pipeline.init import write_project
from pipeline.loading import load_configuration
from schema.errors import Refused
from schema.label_list import label_list, read_schema


def _init(tmp_path: Path, name: str, content: str, **options: str) -> tuple[Path, str]:
    data = tmp_path / name
    data.write_text(content, encoding="utf-8")
    written = write_project(data, tmp_path / "out", **options)
    return written.configuration, written.in_words()


def test_delimited_labels(tmp_path: Path) -> None:
    path, words = _init(
        tmp_path, "tickets.csv",
        'id,body,tags,channel\n1,"refund, please",billing;refund,chat\n2,it is slow,speed,mail\n3,hello there,,chat\n',
    )  # fmt: skip
    config = load_configuration(path)
    check_configuration(config)
    assert config.examples.text == "body"
    assert config.examples.id == "id"
    assert config.examples.labels.model_dump() == {"kind": "delimited", "column": "tags", "delimiter": ";"}
    assert config.examples.slices == ("channel",)
    assert label_list(read_schema(config.schema_file)) == ("billing", "refund", "speed")
    assert "3 rows" in words


def test_indicator_columns(tmp_path: Path) -> None:
    path, _ = _init(tmp_path, "toxic.tsv", "id\tcomment_text\ttoxic\tinsult\na1\tyou are kind\t0\t0\na2\tfool\t1\t1\n")
    config = load_configuration(path)
    check_configuration(config)
    assert config.examples.format == "tsv"
    assert config.examples.text == "comment_text"
    assert label_list(read_schema(config.schema_file)) == ("toxic", "insult")


def test_labels_with_blanks_inside_are_not_cut_at_them(tmp_path: Path) -> None:
    path, _ = _init(tmp_path, "a.csv", "text,labels\nx y z,account access|late delivery\nq r s,late delivery\n")
    assert label_list(read_schema(load_configuration(path).schema_file)) == ("account access", "late delivery")


def test_columns_can_be_named(tmp_path: Path) -> None:
    path, _ = _init(
        tmp_path, "a.csv", "title,story,kind\nx,y y y,a+b\nx,z z z,a\n", text="title", labels="kind", delimiter="+"
    )
    config = load_configuration(path)
    assert config.examples.text == "title"
    assert label_list(read_schema(config.schema_file)) == ("a", "b")


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
def test_what_cannot_be_told_is_refused(tmp_path: Path, content: str, options: dict[str, str], message: str) -> None:
    with pytest.raises(Refused, match=message):
        _init(tmp_path, "a.csv", content, **options)
    assert not (tmp_path / "out").exists(), "nothing half-written"


def test_curated_files_are_never_overwritten(tmp_path: Path) -> None:
    content = "text,labels\nx,a\n"
    _init(tmp_path, "a.csv", content)
    with pytest.raises(Refused, match="already there"):
        _init(tmp_path, "a.csv", content)
