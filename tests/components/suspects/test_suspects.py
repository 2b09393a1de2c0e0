"""Tables of suspects as CSV and Parquet."""

import csv
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from components.suspects.suspects import COLUMNS, Suspect, write_table
from schema.errors import Refused

_SUSPECTS = [
    Suspect(id="a:1", text='one, "two"\nlines', label="joy|ful", given=True, score=0.01),
    Suspect(id="a:2", text="", label="anger", given=False, score=0.25),
]


def test_a_csv_table_has_a_row_for_each_suspect(tmp_path: Path) -> None:
    path = tmp_path / "new folder" / "suspects.csv"
    write_table(str(path), _SUSPECTS, pairs=False)
    with path.open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert tuple(rows[0]) == COLUMNS
    assert path.stat().st_mode & 0o77 == 0, "it holds texts"
    assert rows[0] == {
        "id": "a:1", "text": 'one, "two"\nlines', "label": "joy|ful", "given": "1", "suggested": "0", "score": "0.01",
    }  # fmt: skip
    assert [rows[1][name] for name in ("given", "suggested")] == ["0", "1"]


@pytest.mark.parametrize("suspects", [_SUSPECTS, []])
def test_a_parquet_table_has_types_also_when_it_is_empty(tmp_path: Path, suspects: list[Suspect]) -> None:
    path = tmp_path / "suspects.parquet"
    write_table(str(path), suspects, pairs=True)
    table = pq.read_table(path)
    assert table.column_names == ["id", "text", "text_pair", "label", "given", "suggested", "score"]
    assert [str(table.schema.field(name).type) for name in ("text", "given", "score")] == ["string", "int8", "double"]
    assert table["id"].to_pylist() == [each.id for each in suspects]


def test_a_table_of_an_unknown_format_is_refused(tmp_path: Path) -> None:
    with pytest.raises(Refused, match=r"table.xlsx: .* must end in .csv or .parquet"):
        write_table(str(tmp_path / "table.xlsx"), _SUSPECTS, pairs=False)
