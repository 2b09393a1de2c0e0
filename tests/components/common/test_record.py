"""Records in files."""

import uuid
from pathlib import Path

import pytest

from components.common.record import Record
from components.data_gate.verdict import Verdict
from schema.errors import Refused


class Note(Record):
    FILE = "note.json"

    text: str


@pytest.fixture(params=["local", "remote"])
def folder(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    return str(tmp_path / "artifact") if request.param == "local" else f"ram://{uuid.uuid4().hex}/artifact"


@pytest.mark.parametrize("record", [Note(text="x"), Verdict(compared_with="", drift=[], warnings=[])])
def test_writes_into_a_folder_that_does_not_exist_and_reads_again(folder: str, record: Record) -> None:
    # TFX's launcher creates the folders of outputs, Kubeflow's does not.
    record.write(folder)
    assert type(record).read(folder) == record


def test_ignores_keys_of_newer_versions(tmp_path: Path) -> None:
    (tmp_path / "note.json").write_text('{"text": "x", "later": 1}')
    assert Note.read(str(tmp_path)) == Note(text="x")


def test_refuses_a_damaged_file_by_its_name(tmp_path: Path) -> None:
    for content in ("{", "{}", '{"text": 3}'):
        (tmp_path / "note.json").write_text(content)
        with pytest.raises(Refused, match=r"note\.json: is damaged") as refused:
            Note.read(str(tmp_path))
        assert "\n" not in str(refused.value)


def test_a_missing_file_is_a_file_not_found_error(folder: str) -> None:
    with pytest.raises(FileNotFoundError):
        Note.read(folder)
