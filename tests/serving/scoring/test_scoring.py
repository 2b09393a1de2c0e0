"""Scoring of files in process: what is written of each row, what a second call does, and what is refused."""

import subprocess
import sys
import time
from collections.abc import Callable
from importlib.metadata import PackageNotFoundError
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from components.example_gen.quarantine import read_rows
from components.registry import Version
from pipeline.errors import StepFailed
from schema.errors import Refused
from serving.scoring.model import TextModel
from serving.scoring.record import ScoringRecord
from serving.scoring.settings import ScoringSettings
from tests.components.behaviour.keyword_model import THRESHOLDS
from tests.serving.scoring.scored import push, rows_of, score_files
from tests.support.bigquery.clients import point_clients_at
from tests.support.bigquery.read_api import ReadApi
from tests.support.bigquery.server import BigQueryServer, Table

_TEXTS = ["my refund", "billing and shipping", "nothing", "refund of billing", "gone", "shipping"]


@pytest.fixture(scope="module")
def version(tmp_path_factory: pytest.TempPathFactory) -> Version:
    root = tmp_path_factory.mktemp("registry")
    return push(root / "registry", root / "exported")


def _write(path: Path, texts: list[str] = _TEXTS, header: str = "id,text,channel") -> Path:
    path.write_text("\n".join([header, *(f"r{number},{text},mail" for number, text in enumerate(texts))]) + "\n")
    return path


def test_writes_labels_decisions_and_probabilities_of_every_row_that_can_be_read(
    version: Version, tmp_path: Path
) -> None:
    path = _write(tmp_path / "rows.csv", [*_TEXTS, "  ", "billing"])
    with path.open("ab") as file:
        file.write(b"r8,too few\nr9,caf\xe9,mail\n")
    output = tmp_path / "out"
    fields = ["text", "labels", "decisions", "probabilities"]
    record = score_files(Path(version.path).parent, output, [str(path)], slices=["channel"], fields=fields)
    rows = rows_of(output)
    assert [row["id"] for row in rows] == ["r0", "r1", "r2", "r3", "r4", "r5", "r7"]
    assert [row["labels"] for row in rows][:4] == [["refund"], ["billing", "shipping"], [], ["billing", "refund"]]
    assert rows[0] == {
        "id": "r0",
        "text": "my refund",
        "slices": {"channel": "mail"},
        "labels": ["refund"],
        "decisions": {"billing": False, "refund": True, "shipping": False},
        "probabilities": {"billing": np.float32(0.1), "refund": np.float32(0.9), "shipping": np.float32(0.1)},
        "model_version": version.number,
    }
    assert record.rows is not None
    assert (record.rows.read, record.rows.scored, record.rows.quarantined) == (10, 7, 3)
    assert record.rows.reasons == {"blank text": 1, "invalid UTF-8": 1, "wrong number of fields": 1}
    assert [(row.file, row.line) for row in read_rows(str(output / "quarantine"))] == [
        ("rows.csv", n) for n in (8, 10, 11)
    ]
    assert ScoringRecord.read(str(output)) == record
    assert record.model.thresholds == {"billing": THRESHOLDS[0], "refund": THRESHOLDS[1], "shipping": THRESHOLDS[3]}
    assert sorted(each.name for each in output.iterdir() if each.name != ".lock") == [
        "log.txt", "quarantine", "scores", "scoring.json",
    ]  # fmt: skip
    holding_texts = (output, output / "quarantine", output / "scores", output / "log.txt")
    assert [path.stat().st_mode & 0o77 for path in holding_texts] == [0] * 4


def test_names_rows_by_file_and_line_where_there_is_no_id(version: Version, tmp_path: Path) -> None:
    for name in ("a", "b"):
        (tmp_path / f"{name}.jsonl").write_text('{"text": "refund", "labels": ["x"]}\n{"text": "caf\\u00e9"}\n')
    score_files(version.path, tmp_path / "out", [str(tmp_path / "*.jsonl")], output_format="jsonl")
    rows = rows_of(tmp_path / "out")
    assert [row["id"] for row in rows] == ["a.jsonl:1", "a.jsonl:2", "b.jsonl:1", "b.jsonl:2"]
    assert rows[1] == {
        "id": "a.jsonl:2",
        "labels": [],
        "probabilities": {"billing": 0.1, "refund": 0.1, "shipping": 0.1},
        "model_version": version.number,
    }


def test_scores_pairs(tmp_path: Path) -> None:
    pushed = push(tmp_path / "registry", tmp_path / "exported", pair=True)
    path = tmp_path / "rows.csv"
    path.write_text("question,answer\nbilling,\nfirst,refund\n")
    columns = {"text": "question", "text_pair": "answer"}
    score_files(pushed.path, tmp_path / "out", [str(path)], fields=["labels"], **columns)
    assert [row["labels"] for row in rows_of(tmp_path / "out")] == [["billing"], ["refund"]]
    with pytest.raises(Refused, match="takes pairs of texts; name the second column as"):
        score_files(pushed.path, tmp_path / "single", [str(path)], text="question")
    assert not (tmp_path / "single").exists()


def _failing_after(calls: int, original: Callable[..., Any]) -> Callable[..., Any]:
    left = [calls]

    def probabilities(*arguments: Any) -> Any:
        left[0] -= 1
        if left[0] < 0:
            raise OSError(5, "Input/output error")
        return original(*arguments)

    return probabilities


def test_a_second_call_scores_only_what_is_missing(
    version: Version, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path, output = _write(tmp_path / "rows.csv"), tmp_path / "out"
    original = TextModel.probabilities
    arguments: tuple[Any, ...] = (Path(version.path).parent, output, [str(path)])
    monkeypatch.setattr(TextModel, "probabilities", _failing_after(2, original))
    with pytest.raises(StepFailed, match="Scoring failed"):
        score_files(*arguments, rows_per_shard=2)
    first = {shard.name: shard.stat().st_mtime_ns for shard in (output / "scores").iterdir()}
    assert len(first) == 2

    scored: list[int] = []

    def counted(model: TextModel, texts: list[bytes], *rest: Any) -> Any:
        scored.append(len(texts))
        return original(model, texts, *rest)

    monkeypatch.setattr(TextModel, "probabilities", counted)
    record = score_files(*arguments, rows_per_shard=2)
    assert scored == [2]
    assert record.shards == 3
    assert [row["id"] for row in rows_of(output)] == [f"r{number}" for number in range(6)]
    assert first.items() <= {shard.name: shard.stat().st_mtime_ns for shard in (output / "scores").iterdir()}.items()
    assert score_files(*arguments, rows_per_shard=2) == record, "all is done"
    assert scored == [2]


def test_a_call_after_a_kill_scores_every_row_once(version: Version, tmp_path: Path) -> None:
    path, output = _write(tmp_path / "rows.csv", [f"refund {number}" for number in range(3000)]), tmp_path / "out"
    arguments = ["--model", version.path, "--input", str(path), "--output", str(output), "--quiet"]
    command = [sys.executable, "-m", "pipeline", "score", *arguments, "--set", "scoring.rows_per_shard=5"]
    process, until = subprocess.Popen(command), time.monotonic() + 120
    while len(list(output.glob("scores/*"))) < 3:
        assert process.poll() is None, "it ended by itself"
        assert time.monotonic() < until
        time.sleep(0.01)
    process.kill()
    process.wait()
    first = {shard.name: shard.stat().st_mtime_ns for shard in (output / "scores").iterdir()}
    assert len(first) < 600, "it was killed in the middle"
    record = score_files(version.path, output, [str(path)], "scoring.rows_per_shard=5")
    assert record.rows is not None
    assert (record.rows.read, record.rows.scored, record.shards) == (3000, 3000, 600)
    assert [row["id"] for row in rows_of(output)] == [f"r{number}" for number in range(3000)]
    assert first.items() <= {shard.name: shard.stat().st_mtime_ns for shard in (output / "scores").iterdir()}.items()


def test_a_runner_that_repeats_the_job_keeps_the_plan_that_shards_were_written_for(tmp_path: Path) -> None:
    """Rows of a query come in another order when a runner reads them again."""
    from serving.scoring.chunks import Part
    from serving.scoring.job import Job, remaining, write_plan
    from serving.scoring.record import Chunk, Plan

    job = Job(
        ScoringSettings.model_validate({"input_base": "/d", "inputs": [{"pattern": "*"}], "output": str(tmp_path)}),
        "model",
        None,
    )
    Path(job.unfinished).mkdir()
    first = [Part(0, chunks=[Chunk(path="a", rows=2)]), Part(0, chunks=[Chunk(path="b", rows=1)])]
    work = write_plan(0, first, job)
    shard = Path(work[0].shard)
    shard.parent.mkdir()
    shard.touch()
    again = write_plan(0, [Part(0, chunks=[Chunk(path="c", rows=1)]), Part(0, chunks=[Chunk(path="d", rows=2)])], job)
    assert [each.chunk.path for each in again] == ["b"]
    assert remaining(Plan.read(job.unfinished), job) == again


def test_scores_where_tensorflow_is_the_package_without_gpu_kernels(
    version: Version, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The container image has `tensorflow-cpu`."""

    def version_of(package: str) -> str:
        if package == "tensorflow":
            raise PackageNotFoundError(package)
        return f"of {package}"

    monkeypatch.setattr("serving.scoring.run.version", version_of)
    record = score_files(version.path, tmp_path / "out", [str(_write(tmp_path / "rows.csv"))])
    assert record.versions["tensorflow"] == "of tensorflow-cpu"


def test_scores_rows_of_bigquery(version: Version, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    kinds = {"id": ("INTEGER", "REQUIRED"), "body": ("STRING", "NULLABLE")}
    fields = [{"name": name, "type": kind, "mode": mode} for name, (kind, mode) in kinds.items()]
    rows: list[dict[str, Any]] = [{"id": number, "body": text} for number, text in enumerate([*_TEXTS, None])]
    options = {
        "format": "bigquery", "inputs": [{"query": "SELECT * FROM `shop.texts.new`"}], "id": "id", "text": "body",
        "read_method": "DIRECT_READ",
    }  # fmt: skip
    with BigQueryServer() as server, ReadApi(server) as read_api:
        server.tables["shop.texts.new"] = Table(fields, rows)
        point_clients_at(server, read_api, monkeypatch, tmp_path)
        record = score_files(version.path, tmp_path / "out", [], "beam.pipeline_args=[--project=shop]", **options)
    assert record.rows is not None
    assert (record.rows.read, record.rows.scored, record.rows.reasons) == (7, 6, {"blank text": 1})
    scored = {row["id"]: row["labels"] for row in rows_of(tmp_path / "out")}
    assert scored["3"] == ["billing", "refund"]
    assert sorted(scored) == [str(number) for number in range(6)]


def test_goes_on_with_the_version_that_was_live_when_it_began(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    base, output = tmp_path / "registry", tmp_path / "out"
    older = push(base, tmp_path / "first")
    path = _write(tmp_path / "rows.csv")
    with monkeypatch.context() as patched:
        patched.setattr(TextModel, "probabilities", _failing_after(1, TextModel.probabilities))
        with pytest.raises(StepFailed):
            score_files(base, output, [str(path)], rows_per_shard=2)
    newer = push(base, tmp_path / "second", note="another")
    record = score_files(base, output, [str(path)], rows_per_shard=2)
    assert record.model.version == older.number
    assert {row["model_version"] for row in rows_of(output)} == {older.number}
    with pytest.raises(
        Refused, match=f"has scores of version {older.number}, not of version {newer.number}; give another"
    ):
        score_files(base, output, [str(path)], rows_per_shard=2)


def test_refuses_a_folder_of_other_scores(version: Version, tmp_path: Path) -> None:
    path, output = _write(tmp_path / "rows.csv"), tmp_path / "out"
    score_files(version.path, output, [str(path)])
    with pytest.raises(
        Refused, match=r"was scored with scoring\.output_format parquet, not jsonl; give another --output"
    ):
        score_files(version.path, output, [str(path)], output_format="jsonl")
    other = _write(tmp_path / "others.csv")
    with pytest.raises(Refused, match=r"has no scores of others\.csv"):
        score_files(version.path, output, [str(path), str(other)])
    path.write_text(path.read_text() + "r9,more,mail\n")
    with pytest.raises(Refused, match=r"rows\.csv has changed since it was scored"):
        score_files(version.path, output, [str(path)])
    with pytest.raises(Refused, match="is not empty"):
        score_files(version.path, tmp_path, [str(path)])


def test_refuses_a_model_that_is_not_as_it_was_pushed(tmp_path: Path) -> None:
    pushed = push(tmp_path / "registry", tmp_path / "exported")
    Path(pushed.path, "assets", "note.txt").write_text("changed")
    path = _write(tmp_path / "rows.csv")
    with pytest.raises(Refused, match=r"note\.txt has changed since the push; nothing is scored with it"):
        score_files(tmp_path / "registry", tmp_path / "out", [str(path)])
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("id,txt\n1,refund\n", r"no column 'text' .*did you mean 'txt'\?\); set scoring\.text"),
        ("id,text\n1, \n2,\n", r"none of 2 rows can be scored \(2 blank text; the first is rows\.csv:2\)"),
    ],
)
def test_refuses_rows_that_cannot_be_scored_and_can_be_repaired(
    version: Version, tmp_path: Path, content: str, message: str
) -> None:
    path = tmp_path / "rows.csv"
    path.write_text(content)
    with pytest.raises(Refused, match=message):
        score_files(version.path, tmp_path / "out", [str(path)])
    path.write_text("id,text\n1,refund\n")
    score_files(version.path, tmp_path / "out", [str(path)])
    assert [row["labels"] for row in rows_of(tmp_path / "out")] == [["refund"]]
