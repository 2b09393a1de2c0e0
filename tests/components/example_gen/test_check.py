"""Refusals of inputs before anything runs, and the files that are found."""

import gzip
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from components.example_gen.check import check_inputs
from schema.errors import Refused
from tests.components.example_gen import encoders
from tests.components.example_gen.support import csv_text, distinct_rows, settings_for, write_file

VALID_CSV = csv_text(distinct_rows(3))


def refusal(base: Path, **changes: Any) -> str:
    with pytest.raises(Refused) as refused:
        check_inputs(settings_for(base, **changes))
    message = str(refused.value)
    assert "\n" not in message
    return message


def test_orders_files_by_input_and_name(tmp_path: Path) -> None:
    for name in ("train/b.csv", "train/a.csv", "held_out.csv"):
        write_file(tmp_path / name, VALID_CSV)
    (tmp_path / "train" / "folder.csv").mkdir()
    inputs = [
        {"pattern": "train/*.csv", "split": {"train": 9, "eval": 1}},
        {"pattern": "held_out.csv", "split": "test"},
    ]
    files = check_inputs(settings_for(tmp_path, inputs=inputs)).files
    assert [(file.order, file.input, file.name) for file in files] == [
        (0, 0, "train/a.csv"),
        (1, 0, "train/b.csv"),
        (2, 1, "held_out.csv"),
    ]
    assert files[0].size == len(VALID_CSV)


def test_decompresses_gzip(tmp_path: Path) -> None:
    write_file(tmp_path / "a.csv.gz", gzip.compress(VALID_CSV.encode()))
    inputs = [{"pattern": "*.gz", "split": {"train": 1, "eval": 1, "test": 1}}]
    assert [file.name for file in check_inputs(settings_for(tmp_path, inputs=inputs)).files] == ["a.csv.gz"]


def test_refuses_a_missing_folder(tmp_path: Path) -> None:
    assert refusal(tmp_path / "nowhere") == f"{tmp_path}/nowhere: no such folder; set examples.input_base"


def test_refuses_a_pattern_without_files_and_suggests_one(tmp_path: Path) -> None:
    write_file(tmp_path / "train" / "a.csv", VALID_CSV)
    inputs = [{"pattern": "trian/a.csv", "split": {"train": 1, "eval": 1, "test": 1}}]
    assert refusal(tmp_path, inputs=inputs) == (
        f"{tmp_path}: no file matches 'trian/a.csv' (did you mean 'train/a.csv'?); set examples.inputs[0].pattern"
    )


def test_refuses_a_pattern_outside_input_base(tmp_path: Path) -> None:
    inputs = [{"pattern": "/etc/*.csv", "split": {"train": 1, "eval": 1, "test": 1}}]
    assert "'/etc/*.csv' is not relative to examples.input_base" in refusal(tmp_path, inputs=inputs)


def test_refuses_a_file_that_two_inputs_match(tmp_path: Path) -> None:
    write_file(tmp_path / "test.csv", VALID_CSV)
    inputs = [{"pattern": "*.csv", "split": {"train": 1, "eval": 1}}, {"pattern": "test.csv", "split": "test"}]
    assert "test.csv: matches both '*.csv' and 'test.csv'" in refusal(tmp_path, inputs=inputs)


def test_names_files_relative_to_the_working_directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    write_file(tmp_path / "data" / "x.csv", "txt,labels\na,b\n")
    assert refusal(tmp_path / "data").startswith("data/x.csv: no column 'text'")


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "x.csv: the file is empty; remove it or fill it"),
        (b"text,labels\n", "x.csv: there is no row below the header; remove it or fill it"),
        (b"id,labels\n1,a\n", "x.csv: no column 'text' (it has: id, labels); set examples.text"),
        (b"text,labels,text\na,b,c\n", "x.csv: two columns are named 'text'; rename one"),
        (b"t\xe9xt,labels\na,b\n", "x.csv:1: the header cannot be read (invalid UTF-8: byte 0xe9 on line 1)"),
        (VALID_CSV.encode("utf-16"), "x.csv: is UTF-16; set examples.encoding to utf-16"),
        (VALID_CSV.encode("utf-16-be"), "x.csv: is UTF-16 or binary (it has NUL bytes)"),
        (b"\x7fELF\0\0text,labels\n", "x.csv: is UTF-16 or binary (it has NUL bytes)"),
        (
            b"PK\x03\x04rest",
            "x.csv: is a ZIP archive or an Excel workbook; unpack it (python -m zipfile -e FILE FOLDER)",
        ),
        (gzip.compress(VALID_CSV.encode()), "x.csv: is compressed with gzip; give it a name that ends in .gz"),
    ],
)
def test_refuses_a_file_that_is_not_csv(tmp_path: Path, content: bytes, message: str) -> None:
    write_file(tmp_path / "x.csv", content)
    assert message in refusal(tmp_path)


ROWS = [{"text": "a", "labels": "joy"}]
TFRECORD = encoders.encode(ROWS, "tfrecord")
PARQUET = encoders.encode(ROWS, "parquet")
JSON_LINES = encoders.encode(ROWS, "jsonl")


@pytest.mark.parametrize(
    ("file_format", "content", "message"),
    [
        ("csv", PARQUET, "x.csv: is Parquet; set examples.format to parquet"),
        ("csv", b"PARE" + b"x" * 20, "x.csv: is encrypted Parquet"),
        ("csv", TFRECORD, "x.csv: is UTF-16 or binary (it has NUL bytes)"),
        ("csv", JSON_LINES, "x.csv: no column 'text' (it has: {"),
        ("jsonl", b"", "x.csv: the file is empty; remove it or fill it"),
        ("jsonl", b"\n\n", "x.csv: the file is empty; remove it or fill it"),
        (
            "jsonl",
            b'\xef\xbb\xbf\n [["a", "joy"]]',
            "x.csv:2: neither this row nor one after it can be read (not a JSON",
        ),
        ("jsonl", JSON_LINES.decode().encode("utf-16"), "x.csv: is UTF-16; set examples.encoding to utf-16"),
        ("jsonl", JSON_LINES.decode().encode("utf-16-be"), "x.csv: is UTF-16 or binary"),
        ("jsonl", gzip.compress(JSON_LINES), "x.csv: is compressed with gzip; give it a name that ends in .gz"),
        ("jsonl", PARQUET, "x.csv: is Parquet; set examples.format to parquet"),
        ("jsonl", TFRECORD, "x.csv:1: neither this row nor one after it can be read (invalid UTF-8:"),
        ("jsonl", VALID_CSV.encode(), "x.csv:1: neither this row nor one after it can be read (not a JSON object:"),
        ("jsonl", b'{"txt": 1, "labels": []}\n', "x.csv: no column 'text' (it has: labels, txt; did you mean 'txt'?)"),
        ("parquet", b"", "x.csv: the file is empty; remove it or fill it"),
        ("parquet", VALID_CSV.encode(), "x.csv: is not a Parquet file; check examples.format"),
        ("parquet", gzip.compress(PARQUET), "x.csv: is compressed with gzip; decompress it"),
        ("parquet", b"PARE" + b"x" * 20, "x.csv: is encrypted Parquet; decrypt it"),
        ("parquet", PARQUET[:-9], "x.csv: cannot be read as Parquet ("),
        (
            "parquet",
            encoders.parquet([{"text": None, "labels": None}])[:4] + b"PAR1",
            "x.csv: cannot be read as Parquet",
        ),
        ("parquet", encoders.parquet([{"txt": "a", "labels": ""}]), "(it has: labels, txt; did you mean 'txt'?)"),
        ("tfrecord", b"", "x.csv: the file is empty; remove it or fill it"),
        ("tfrecord", VALID_CSV.encode(), "x.csv: is not a TFRecord file; check examples.format"),
        ("tfrecord", PARQUET, "x.csv: is Parquet; set examples.format to parquet"),
        ("tfrecord", gzip.compress(TFRECORD), "x.csv: is compressed with gzip; give it a name that ends in .gz"),
        ("tfrecord", TFRECORD[:-1], "can be read (damaged data: the file ends within a record); replace the file"),
        ("tfrecord", encoders.frame(b"abc"), "can be read (not a tf.Example: it has no features)"),
    ],
)
def test_refuses_a_file_of_another_format(tmp_path: Path, file_format: str, content: bytes, message: str) -> None:
    write_file(tmp_path / "x.csv", content)
    assert message in refusal(tmp_path, format=file_format)


def test_refuses_a_table_without_rows(tmp_path: Path) -> None:
    write_file(
        tmp_path / "x.csv", encoders.parquet_table(pa.table({"text": pa.array([], pa.string()), "labels": pa.nulls(0)}))
    )
    assert refusal(tmp_path, format="parquet") == f"{tmp_path}/x.csv: the file is empty; remove it or fill it"


def test_refuses_a_file_damaged_at_its_first_row(tmp_path: Path) -> None:
    content = bytearray(encoders.parquet([{"text": f"text {n}", "labels": ""} for n in range(9)], compression="none",
                                        use_dictionary=False, write_page_checksum=True))  # fmt: skip
    content[content.index(b"text 3")] ^= 0xFF
    write_file(tmp_path / "x.csv", bytes(content))
    assert "x.csv: nothing in it can be read (damaged data: " in refusal(tmp_path, format="parquet")


def test_refuses_a_folder_in_place_of_files(tmp_path: Path) -> None:
    (tmp_path / "x.csv").mkdir()
    inputs = [{"pattern": "x.csv", "split": {"train": 1, "eval": 1, "test": 1}}]
    assert refusal(tmp_path, inputs=inputs) == (
        f"{tmp_path}/x.csv: is a folder; set examples.inputs[0].pattern to its files"
    )


def test_refuses_a_file_name_that_is_not_utf_8(tmp_path: Path) -> None:
    (tmp_path / os.fsdecode(b"caf\xe9.csv")).write_text(VALID_CSV)
    assert refusal(tmp_path) == r"caf\udce9.csv: the file's name is not UTF-8; rename it"


@pytest.mark.parametrize("file_format", ["csv", "jsonl", "parquet"])
def test_imports_neither_tensorflow_nor_beam(tmp_path: Path, file_format: str) -> None:
    write_file(tmp_path / "x.csv", encoders.encode(ROWS, file_format))
    config = settings_for(tmp_path, format=file_format).model_dump_json()
    code = (
        "import sys; from components.example_gen import check, settings\n"
        f"check.check_inputs(settings.ExamplesSettings.model_validate_json({config!r}))\n"
        "print([name for name in ('tensorflow', 'apache_beam', 'tfx') if name in sys.modules])"
    )
    root = Path(__file__).parents[3]
    process = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=root)
    assert process.stdout.strip() == "[]"


def test_refuses_a_file_without_header_in_utf_16(tmp_path: Path) -> None:
    write_file(tmp_path / "x.csv", VALID_CSV.encode("utf-16-le"))
    assert "x.csv: is UTF-16 or binary" in refusal(tmp_path, columns=["text", "labels"])


def test_refuses_an_empty_file_without_header(tmp_path: Path) -> None:
    write_file(tmp_path / "x.csv", b"\n")
    assert "x.csv: the file is empty" in refusal(tmp_path, columns=["text", "labels"])


@pytest.mark.parametrize("content", [b"no gzip", gzip.compress(VALID_CSV.encode())[:-12]])
def test_refuses_a_gz_file_that_cannot_be_decompressed(tmp_path: Path, content: bytes) -> None:
    write_file(tmp_path / "x.csv.gz", content)
    inputs = [{"pattern": "*.gz", "split": {"train": 1, "eval": 1, "test": 1}}]
    assert "x.csv.gz: cannot be decompressed" in refusal(tmp_path, inputs=inputs)


def test_refuses_a_missing_list_of_labels(tmp_path: Path) -> None:
    write_file(tmp_path / "x.csv", VALID_CSV)
    labels = {"kind": "indices", "column": "labels", "names": "names.txt"}
    assert f"{tmp_path}/names.txt: no such list of labels" in refusal(tmp_path, labels=labels)


def test_accepts_nul_in_a_row(tmp_path: Path) -> None:
    write_file(tmp_path / "x.csv", csv_text(["a\0b,joy"]))
    assert len(check_inputs(settings_for(tmp_path)).files) == 1
