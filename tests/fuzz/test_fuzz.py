"""Whatever a stranger hands over is taken, or refused in one line: no traceback, no hang, bounded memory."""

import contextlib
import csv
import io
import json
import resource
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from cli.init.survey import survey
from components.behaviour.tests_file import read_tests
from components.example_gen.check import check_inputs
from components.example_gen.formats.opening import open_table
from components.example_gen.formats.rows import Rejected
from components.example_gen.quarantine import ROWS_FILE, QuarantinedRow, read_rows, write_rows
from components.registry import (
    ModelRecord,
    Owner,
    RemovedVersions,
    check_registry,
    find_owner,
    latest,
    removable,
    withdrawn,
)
from components.report.summary import Summary
from components.trainer.loop.resume import Progress, TrainingState
from components.training_log.log import entry_before, last_entry
from pipeline.check import check_configuration
from pipeline.config.loading import load_configuration
from pipeline.history import read_history
from pipeline.report import rebuild_report
from schema.errors import Refused
from schema.label_list import LabelList, read_schema
from serving.request_log.reader import Window
from serving.request_log.rows import HEADER_KEY, LoggedAnswer, LogHeader, table_of
from serving.review.answers import combine, write_source
from serving.review.candidates import Judge, read_log, read_scores
from serving.review.label_studio import read_answers
from serving.review.review import write_review
from serving.review.sampling import choose_texts
from serving.scoring.record import Plan, ScoredRows, ScoredWith, ScoringRecord
from serving.server.errors import RequestError
from serving.server.json_tensors import parse_predict
from tests.components.example_gen.encoders import SUFFIXES, encode, example, tfrecord
from tests.components.example_gen.support import settings_for
from tests.components.report.made_up import material
from tests.components.training_log.test_log import report
from tests.fuzz.conftest import FUZZ
from tests.fuzz.strategies import almost
from tests.support.small_project import Project, make_project

_MOST_MEMORY_MB = 1_500
_MOST_CHARACTERS = 100_000  # a message may quote what it is about, which may be as long; a screen gets 2,000
_PROJECT = (
    "name: p\nwork_dir: w\nschema_file: s.pbtxt\nregistry: r\nexamples:\n  input_base: d\n  labels: {kind: delimited"
)
_CONFIGURATION = (
    _PROJECT + ", column: l}\n  inputs:\n  - {pattern: '*.csv', split: {train: 8, eval: 1, test: 1}}\n"
    "evaluation:\n  gates: ['macro_f1 >= 0.3', 'f1[joy] >= baseline - 0.1']\nnotify: {url_from: HOOK}\n"
)
_BEHAVIOUR = b"""slots: {name: [Ann, Bob]}
texts:
  - {name: one word, pass_rate: 0.9, given: [a], cases: [my refund, {text: "{name} again", not_given: [b]}]}
edits:
  - {name: loud, edit: upper_case, test_texts: 20, pass_rate: 1}
"""


@pytest.fixture(scope="module", autouse=True)
def bounded_memory() -> Iterator[None]:
    """Hold the memory that the tests of this module add to the process's within a bound."""
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    yield
    assert (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1024 < _MOST_MEMORY_MB


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("fuzz")


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Project:
    return make_project(tmp_path_factory.mktemp("fuzz") / "project", rows=20)


def taken_or_refused(read: Callable[..., Any], *arguments: Any) -> Any:
    """Return what a function returns; if it refuses, check its line, and return None."""
    try:
        return read(*arguments)
    except Refused as refused:
        line = str(refused)
        assert line.strip()
        assert len(line) < _MOST_CHARACTERS, line[:200]
        assert "\n" not in line, line
        return None


@FUZZ
@given(almost(_CONFIGURATION.encode()))
def test_configurations(folder: Path, content: bytes) -> None:
    path = folder / "pipeline.yaml"
    path.write_bytes(content)
    config = taken_or_refused(load_configuration, path)
    if config is not None:
        config.model_dump_json()


_KEYS = st.sampled_from(
    ["training.epochs", "examples.spans.not_before", "evaluation.gates", "canary.requests", "name", "a.b", "", ".",
     "..", "examples.inputs", "examples.labels.column", "notify.url", "max_tokens", "training", "beam.pipeline_args"]
)  # fmt: skip


@FUZZ
@given(_KEYS, almost(b"[1, {a: b}, 'x', 2026-01-01]"))
def test_replaced_keys(project: Project, key: str, value: bytes) -> None:
    override = f"{key}={value.decode(errors='surrogateescape')}"
    config = taken_or_refused(load_configuration, project.configuration, [override])
    if config is not None:
        taken_or_refused(check_configuration, config)


@FUZZ
@given(st.data())
def test_schemas(project: Project, data: st.DataObject) -> None:
    path = project.folder / "fuzzed.pbtxt"
    path.write_bytes(data.draw(almost((project.folder / "schema.pbtxt").read_bytes())))
    taken_or_refused(read_schema, str(path))


@FUZZ
@given(almost(_BEHAVIOUR))
def test_files_of_behavioural_tests(folder: Path, content: bytes) -> None:
    path = folder / "behaviour.yaml"
    path.write_bytes(content)
    taken_or_refused(lambda: read_tests(str(path), LabelList(("a", "b")), pair=False))


_ROWS = [{"text": f'a text, "quoted" {number}', "labels": "joy|anger", "n": str(number)} for number in range(8)]


@FUZZ
@pytest.mark.parametrize("name", ["csv", "tsv", "jsonl", "parquet"])
@given(data=st.data())
def test_data(folder: Path, name: str, data: st.DataObject) -> None:
    base = folder / name
    base.mkdir(exist_ok=True)
    path = base / f"rows{SUFFIXES[name]}"
    path.write_bytes(data.draw(almost(encode(_ROWS, name))))
    inputs = [{"pattern": path.name, "split": {"train": 8, "eval": 1, "test": 1}}]
    settings = settings_for(base, format=name, inputs=inputs)
    taken_or_refused(check_inputs, settings)
    taken_or_refused(survey, path, settings)


def _tfrecords(folder: Path, records: list[bytes], damage: Callable[[bytes], bytes]) -> list[Any]:
    """Write a file of records, damage it, and return its rows; none if it is refused."""
    path = folder / "rows.tfrecord"
    path.write_bytes(damage(tfrecord(records)))
    inputs = [{"pattern": path.name, "split": {"train": 8, "eval": 1, "test": 1}}]
    settings = settings_for(folder, format="tfrecord", inputs=inputs)
    taken_or_refused(check_inputs, settings)

    def read() -> list[Any]:
        with open_table(str(path), settings, path.name, columns=None) as table:
            return list(table.rows)

    return taken_or_refused(read) or []


_EXAMPLES = [{"text": f"a text {number}", "labels": ["joy", "anger"], "n": number} for number in range(4)]


@FUZZ
@given(data=st.data())
def test_tfrecords_whose_file_is_damaged(folder: Path, data: st.DataObject) -> None:
    """The checksums tell where the damage begins: what is after it is one bad row."""
    (folder / "file").mkdir(exist_ok=True)
    records = [example(row) for row in _EXAMPLES]
    rows = _tfrecords(folder / "file", records, lambda whole: data.draw(almost(whole)))
    assert sum(isinstance(row, Rejected) for row in rows) <= 1 or len(rows) > len(records)


@FUZZ
@given(data=st.data())
def test_tfrecords_whose_records_are_damaged(folder: Path, data: st.DataObject) -> None:
    """Here the checksums are right, and what they protect is not a tf.Example, or a strange one."""
    (folder / "records").mkdir(exist_ok=True)
    records = [data.draw(almost(example(row))) for row in _EXAMPLES]
    rows = _tfrecords(folder / "records", [example(_EXAMPLES[0]), *records], lambda whole: whole)
    assert len(rows) in (0, 1 + len(records))


@FUZZ
@given(data=st.data())
def test_quarantined_rows(folder: Path, data: st.DataObject) -> None:
    uri = folder / "quarantine"
    uri.mkdir(exist_ok=True)
    write_rows([QuarantinedRow("rows.csv", number, "empty text", "\x1b[31m") for number in range(5)], str(uri))
    path = uri / ROWS_FILE
    path.write_bytes(data.draw(almost(path.read_bytes())))
    taken_or_refused(lambda: list(read_rows(str(uri))))


_MODEL = ModelRecord(
    model_id="1", labels=["joy", "[/b]"], thresholds=[0.5, 0.1], checkpoint="google", created="2026-01-01",
    versions={"tfx": "1"}, files={"saved_model.pb": "0" * 64}, withdraws=[3],
)  # fmt: skip


@FUZZ
@given(almost(RemovedVersions().add({7: _MODEL}).model_dump_json().encode()))
def test_records_of_removed_versions(folder: Path, content: bytes) -> None:
    base = folder / "removed"
    base.mkdir(exist_ok=True)
    (base / RemovedVersions.FILE).write_bytes(content)
    taken_or_refused(RemovedVersions.find, str(base))
    taken_or_refused(withdrawn, str(base), "1")
    taken_or_refused(removable, str(base), 1, datetime.now(UTC))


@FUZZ
@given(almost(_MODEL.model_dump_json(indent=2).encode()))
def test_records_of_models(folder: Path, content: bytes) -> None:
    version = folder / "registry" / "7"
    version.mkdir(parents=True, exist_ok=True)
    (version / "saved_model.pb").write_bytes(b"graph")
    (version / "model.json").write_bytes(content)
    taken_or_refused(ModelRecord.read, str(version))
    assert latest(str(version.parent)) is not None
    for finding in check_registry(str(version.parent)):
        assert "\n" not in finding.what


@FUZZ
@given(st.data())
def test_folders_of_runs(folder: Path, data: st.DataObject) -> None:
    run = folder / "work" / "runs" / "20261123T120000.000001Z"
    run.mkdir(parents=True, exist_ok=True)
    whole = {
        "summary.json": material().summary.model_dump_json(indent=2).encode(),
        "artifacts.json": json.dumps({"TextExampleGen": {"quarantine": str(folder)}}).encode(),
        "configuration.json": json.dumps(
            {"name": "p", "report": {"texts": True}, "training": {"batch_size": 8}}
        ).encode(),
    }
    damaged = data.draw(st.sampled_from(sorted(whole)))
    for name, content in whole.items():
        (run / name).write_bytes(data.draw(almost(content)) if name == damaged else content)
    taken_or_refused(Summary.read, str(run))
    assert len(read_history(folder / "work")) == 1
    taken_or_refused(rebuild_report, run)


@FUZZ
@given(st.data())
def test_training_logs(folder: Path, data: st.DataObject) -> None:
    entry = folder / "log" / ".trained_on" / "00000001"
    entry.mkdir(parents=True, exist_ok=True)
    whole = {
        "digest": "d",
        "spans": [{"span": 1, "version": None, "rows": 3}],
        "labels": {"a": 1},
        "known": [],
        "rows": 3,
    }
    (entry / "entry.json").write_bytes(data.draw(almost(json.dumps(whole | {"when": "now"}).encode())))
    (entry / "FeatureStats.pb").write_bytes(data.draw(st.binary(max_size=40)))
    taken_or_refused(last_entry, str(folder / "log"))
    taken_or_refused(entry_before, str(folder / "log"), report("b"))


class _Variable:
    shape = (3,)

    def assign(self, value: Any) -> None:
        assert np.asarray(value).shape == self.shape

    def __array__(self, dtype: Any = None, copy: Any = None) -> Any:
        return np.arange(3.0)


@FUZZ
@given(st.data())
def test_resume_states(folder: Path, data: st.DataObject) -> None:
    whole = folder / "whole"
    if not whole.exists():
        TrainingState(str(whole), 1).save_if_due([_Variable()], Progress(step=2, best=[np.ones(2)]))
    path = folder / "damaged" / "state.npz"
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(data.draw(almost((whole / "state.npz").read_bytes())))
    assert TrainingState(str(path.parent), 1).restore([_Variable()]).step >= 0


_PROBABILITIES = {"joy": 0.5, 'a "quoted" label': 0.25}
_SCORES = [{"id": f"r{row}", "text": f"text {row}", "probabilities": _PROBABILITIES} for row in range(4)]


def _as_csv(rows: list[dict[str, Any]]) -> bytes:
    stream = io.StringIO(newline="")
    writer = csv.DictWriter(stream, list(rows[0]))
    writer.writeheader()
    writer.writerows(rows)
    return stream.getvalue().encode()


def _as_parquet(table: pa.Table) -> bytes:
    sink = io.BytesIO()
    pq.write_table(table, sink, compression="none")
    return sink.getvalue()


_SCORES_OF = {
    "jsonl": "".join(f"{json.dumps(row)}\n" for row in _SCORES).encode(),
    "csv": _as_csv([{"id": row["id"], "text": row["text"], **_PROBABILITIES} for row in _SCORES]),
    "parquet": _as_parquet(pa.Table.from_pylist(_SCORES)),
}


@FUZZ
@pytest.mark.parametrize("suffix", sorted(_SCORES_OF))
@given(data=st.data())
def test_scores(folder: Path, suffix: str, data: st.DataObject) -> None:
    path = folder / f"scores.{suffix}"
    judge = Judge("7", tuple(_PROBABILITIES), np.array([0.5, 0.3]))

    def review() -> None:
        write_review(str(folder / "review"), choose_texts(read_scores(str(path), judge), 5, 2.0))

    path.write_bytes(_SCORES_OF[suffix])
    review()
    path.write_bytes(data.draw(almost(_SCORES_OF[suffix])))
    taken_or_refused(review)


_TASK = {"row": "r1", "text": "a text", "asked": ["joy", "anger"]}
_ANSWERS = {
    "json": json.dumps([
        {"data": _TASK, "annotations": [{"result": [{"from_name": "labels", "value": {"choices": ["joy"]}}]}]},
        _TASK | {"labels": {"choices": ["joy"]}, "annotator": 1},
    ]).encode(),
    "csv": _as_csv([_TASK | {"asked": '["joy"]', "labels": '["joy"]', "done": "yes"}] * 2),
}  # fmt: skip


@FUZZ
@pytest.mark.parametrize("suffix", sorted(_ANSWERS))
@given(data=st.data())
def test_answers_of_people(folder: Path, suffix: str, data: st.DataObject) -> None:
    path = folder / f"answers.{suffix}"

    def collect(output: str) -> None:
        write_source(str(folder / output), combine(read_answers(str(path)))[0])

    path.write_bytes(_ANSWERS[suffix])
    assert read_answers(str(path))
    path.write_bytes(data.draw(almost(_ANSWERS[suffix])))
    for output in ("answers.out.jsonl", "answers.out.csv"):
        taken_or_refused(collect, output)


@FUZZ
@given(st.data())
def test_request_logs(folder: Path, data: st.DataObject) -> None:
    path = folder / "requests" / "2026-11-28" / "05" / "7-0.parquet"
    path.parent.mkdir(parents=True, exist_ok=True)
    header = LogHeader(model="m", version=7, labels=("joy", "anger"), thresholds=(0.5, 0.5)).model_dump_json().encode()
    answer = LoggedAnswer(
        LogHeader.model_validate_json(header), 1_795_843_800.0, "rest", None, None, [b"a text"],
        None, np.array([[0.4, 0.6]], np.float32), None,
    )  # fmt: skip
    table = table_of([answer], ["r"], texts=True)
    kept = data.draw(st.sampled_from([table.column_names, *([name] for name in table.column_names)]))
    ragged = table.set_column(table.column_names.index("probabilities"), "probabilities", pa.array([[0.1]]))
    shown = data.draw(st.sampled_from([table, ragged])).select(kept)
    content = _as_parquet(shown.replace_schema_metadata({HEADER_KEY: data.draw(almost(header))}))
    path.write_bytes(data.draw(st.one_of(st.just(content), almost(content))))
    taken_or_refused(lambda: choose_texts(read_log(str(folder / "requests"), Window()), 5, 2.0))


_MADE_WITH = ScoredWith(path="r/7", registry="r", version=7, model_id="1", labels=["joy"], thresholds={"joy": 0.5})
_WRITTEN_DOWN: list[Any] = [
    ScoringRecord(model=_MADE_WITH, inputs=[], options={"id": "id"}, started="2026-01-01"),
    Plan(chunks=[], rejects=[], rows=ScoredRows(read=1, scored=1, quarantined=0)),
    Owner(pipeline="p", labels=["joy"], since="2026-01-01"),
]


@FUZZ
@pytest.mark.parametrize("record", _WRITTEN_DOWN, ids=lambda record: record.FILE)
@given(data=st.data())
def test_what_is_written_down(folder: Path, record: Any, data: st.DataObject) -> None:
    base = folder / "written"
    record.write(str(base))
    whole = (base / record.FILE).read_bytes()
    (base / record.FILE).write_bytes(data.draw(almost(whole)))
    taken_or_refused(type(record).read, str(base))
    taken_or_refused(find_owner, str(base))


@FUZZ
@given(almost(b'{"signature_name": "serve_text", "instances": [{"texts": "a text"}, {"texts": {"b64": "eA=="}}]}'))
def test_requests_to_the_server(content: bytes) -> None:
    for inputs in (["texts"], ["texts", "text_pairs"]):
        with contextlib.suppress(RequestError):
            parse_predict(content).columns(inputs)


def test_the_whole_inputs_are_taken(folder: Path) -> None:
    """Otherwise the tests above would fuzz what is refused at its beginning."""
    path = folder / "whole.yaml"
    path.write_text(_CONFIGURATION)
    load_configuration(path)
    assert yaml.safe_load(_BEHAVIOUR)
    behaviour = folder / "whole_behaviour.yaml"
    behaviour.write_bytes(_BEHAVIOUR)
    read_tests(str(behaviour), LabelList(("a", "b")), pair=False)
