"""What is refused before anything runs."""

import gzip
from pathlib import Path
from typing import Any

import pytest

from components.example_gen.inputs import check_inputs
from schema.errors import Refused
from tests.components.example_gen.support import csv_of, many_rows, settings_for, write

GOOD = csv_of(many_rows(3))


def refusal(base: Path, **changes: Any) -> str:
    with pytest.raises(Refused) as refused:
        check_inputs(settings_for(base, **changes))
    message = str(refused.value)
    assert "\n" not in message
    return message


def test_files_come_in_the_order_of_inputs_and_names(tmp_path: Path) -> None:
    for name in ("train/b.csv", "train/a.csv", "held_out.csv"):
        write(tmp_path / name, GOOD)
    (tmp_path / "train" / "folder.csv").mkdir()
    inputs = [
        {"pattern": "train/*.csv", "split": {"train": 9, "eval": 1}},
        {"pattern": "held_out.csv", "split": "test"},
    ]
    files = check_inputs(settings_for(tmp_path, inputs=inputs))
    assert [(file.order, file.input, file.name) for file in files] == [
        (0, 0, "train/a.csv"),
        (1, 0, "train/b.csv"),
        (2, 1, "held_out.csv"),
    ]
    assert files[0].size == len(GOOD)


def test_gzip_is_decompressed(tmp_path: Path) -> None:
    write(tmp_path / "a.csv.gz", gzip.compress(GOOD.encode()))
    inputs = [{"pattern": "*.gz", "split": {"train": 1, "eval": 1, "test": 1}}]
    assert [file.name for file in check_inputs(settings_for(tmp_path, inputs=inputs))] == ["a.csv.gz"]


def test_no_such_folder(tmp_path: Path) -> None:
    assert refusal(tmp_path / "nowhere") == f"{tmp_path}/nowhere: no such folder; set examples.input_base"


def test_no_such_file(tmp_path: Path) -> None:
    write(tmp_path / "train" / "a.csv", GOOD)
    inputs = [{"pattern": "trian/a.csv", "split": {"train": 1, "eval": 1, "test": 1}}]
    assert refusal(tmp_path, inputs=inputs) == (
        f"{tmp_path}: no file matches 'trian/a.csv' (there is 'train/a.csv'); set examples.inputs[0].pattern"
    )


def test_a_pattern_outside_the_folder(tmp_path: Path) -> None:
    inputs = [{"pattern": "/etc/*.csv", "split": {"train": 1, "eval": 1, "test": 1}}]
    assert "'/etc/*.csv' is not relative to examples.input_base" in refusal(tmp_path, inputs=inputs)


def test_a_file_of_two_inputs(tmp_path: Path) -> None:
    write(tmp_path / "test.csv", GOOD)
    inputs = [{"pattern": "*.csv", "split": {"train": 1, "eval": 1}}, {"pattern": "test.csv", "split": "test"}]
    assert "test.csv: matches both '*.csv' and 'test.csv'" in refusal(tmp_path, inputs=inputs)


def test_files_below_the_working_directory_are_named_from_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    write(tmp_path / "data" / "x.csv", "txt,labels\na,b\n")
    assert refusal(tmp_path / "data").startswith("data/x.csv: no column 'text'")


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "x.csv: the file is empty; remove it or fill it"),
        (b"text,labels\n", "x.csv: there is no row below the header; remove it or fill it"),
        (b"id,labels\n1,a\n", "x.csv: no column 'text' (it has: id, labels); set examples.text"),
        (b"text,labels,text\na,b,c\n", "x.csv: two columns are named 'text'; rename one"),
        (b"t\xe9xt,labels\na,b\n", "x.csv:1: the header cannot be read (invalid UTF-8: byte 0xe9 on line 1)"),
        (GOOD.encode("utf-16"), "x.csv: is UTF-16; save it as UTF-8"),
        (GOOD.encode("utf-16-be"), "x.csv: is UTF-16 or binary (it has NUL bytes)"),
        (b"\x7fELF\0\0text,labels\n", "x.csv: is UTF-16 or binary (it has NUL bytes)"),
        (b"PK\x03\x04rest", "x.csv: is a ZIP archive or an Excel workbook; export it as text in UTF-8"),
        (gzip.compress(GOOD.encode()), "x.csv: is compressed with gzip; give it a name that ends in .gz"),
    ],
)
def test_a_file_that_is_no_table(tmp_path: Path, content: bytes, message: str) -> None:
    write(tmp_path / "x.csv", content)
    assert message in refusal(tmp_path)


def test_a_headerless_file_in_utf_16(tmp_path: Path) -> None:
    write(tmp_path / "x.csv", GOOD.encode("utf-16-le"))
    assert "x.csv: is UTF-16 or binary" in refusal(tmp_path, columns=["text", "labels"])


def test_a_headerless_file_that_is_empty(tmp_path: Path) -> None:
    write(tmp_path / "x.csv", b"\n")
    assert "x.csv: the file is empty" in refusal(tmp_path, columns=["text", "labels"])


@pytest.mark.parametrize("content", [b"no gzip", gzip.compress(GOOD.encode())[:-12]])
def test_a_gzip_file_that_is_none(tmp_path: Path, content: bytes) -> None:
    write(tmp_path / "x.csv.gz", content)
    inputs = [{"pattern": "*.gz", "split": {"train": 1, "eval": 1, "test": 1}}]
    assert "x.csv.gz: cannot be decompressed" in refusal(tmp_path, inputs=inputs)


def test_a_list_of_labels_that_is_missing(tmp_path: Path) -> None:
    write(tmp_path / "x.csv", GOOD)
    labels = {"kind": "indices", "column": "labels", "names": "names.txt"}
    assert f"{tmp_path}/names.txt: no such list of labels" in refusal(tmp_path, labels=labels)


def test_nul_in_a_row_is_no_reason(tmp_path: Path) -> None:
    write(tmp_path / "x.csv", csv_of(["a\0b,joy"]))
    assert len(check_inputs(settings_for(tmp_path))) == 1
