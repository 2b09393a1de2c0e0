"""What KServe's logger sends, in the request log.

The events are as KServe 0.20.0 sends them: pkg/logger/worker.go, lines 87-169, through the HTTP binding of CloudEvents
1.0 in binary mode; docs/serving.md says what was tried with KServe's own agent.
"""

import base64
import json
import os
import select
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import requests
from tensorflow.core.example import example_pb2

from components.registry import ModelRecord, checksums, content_id, push
from schema.errors import Refused
from serving.collector.events import Event, Kind, read_event
from serving.collector.pairs import Pairs
from serving.collector.payloads import read_request, read_response
from serving.collector.versions import Versions, available_version
from serving.examples import slices_of_examples
from serving.request_log.reader import LogFile, read_requests
from serving.server.errors import RequestError
from serving.server.json_tensors import render
from tests.support.http_server import HttpServer, Reply, Request

NOON = datetime(2026, 11, 28, 12, tzinfo=UTC)
PROBABILITIES = np.array([[0.75, 0.25], [0.125, 1 / 3]], np.float32)
TEXTS = ["my refund", "naïve 你好"]
ASKED_1 = json.dumps({"signature_name": "serve_text", "instances": TEXTS}).encode()
SLICES = json.dumps({"channel": ["chat", None], "user": "17"})
LABELS = np.array([[b"a", b""], [b"", b"b"]], object)
ANSWERED_1 = render({"probabilities": PROBABILITIES, "labels": LABELS}, is_row_format=True).encode()


def asked_2(**more: Any) -> bytes:
    return json.dumps(
        {"inputs": [{"name": "texts", "shape": [2], "datatype": "BYTES", "data": TEXTS}], **more}
    ).encode()


def answered_2(version: str) -> bytes:
    tensor = {"name": "probabilities", "shape": [2, 2], "datatype": "FP32", "data": PROBABILITIES.ravel().tolist()}
    return json.dumps({"model_name": "tickets", "model_version": version, "outputs": [tensor]}).encode()


def headers(kind: Kind, key: str, at: datetime, **more: str) -> dict[str, str]:
    """Return the headers of an event; the attributes of `sendHttpCloudEvent`, in Go's spelling of headers."""
    return {
        "Ce-Specversion": "1.0", "Ce-Id": key, "Ce-Type": kind, "Ce-Source": "tickets-predictor-00001-deployment-abc",
        "Ce-Time": at.isoformat().replace("+00:00", "Z"), "Ce-Recordedtime": NOON.isoformat(),
        "Ce-Inferenceservicename": "tickets", "Ce-Namespace": "shop", "Ce-Component": "predictor", "Ce-Endpoint": "",
        "Ce-Metadata": "{}", "Content-Type": "application/json", **more,
    }  # fmt: skip


def event(kind: Kind, key: str = "1", body: bytes = b"") -> Event:
    return Event(kind, key, 0.0, "tickets", None, body)


def push_record(folder: Path, registry: Path, labels: list[str]) -> int:
    """Push a model that nobody loads; its record is what the collector reads."""
    folder.mkdir()
    (folder / "saved_model.pb").write_bytes(folder.name.encode())
    record = ModelRecord(
        model_id=content_id(checksums(str(folder))), labels=labels, thresholds=[0.5, 0.25], checkpoint="none",
        created="2026-01-01T00:00:00+00:00", versions={}, slices=["channel"],
    )  # fmt: skip
    record.write(str(folder))
    return push(str(folder), str(registry), record).number


class Collecting:
    """A running collector."""

    def __init__(self, registry: Path, log: Path, *options: str) -> None:
        arguments = ["--model", str(registry), "--request-log", str(log), "--port", "0", "--poll-s", "0.1", *options]
        self.process = subprocess.Popen(
            [sys.executable, "-m", "pipeline", "collect", *arguments],
            stdout=subprocess.PIPE, text=True, env=os.environ | {"PYTHONUNBUFFERED": "1"},
        )  # fmt: skip
        assert self.process.stdout is not None
        assert select.select([self.process.stdout], [], [], 60)[0]
        self.url = self.process.stdout.readline().split()[0]
        self._log = log

    def send(self, head: Mapping[str, str], body: bytes) -> int:
        return requests.post(self.url, data=body, headers=dict(head), timeout=30).status_code

    def metrics(self) -> str:
        return requests.get(f"{self.url}/metrics", timeout=30).text

    def stop(self) -> list[LogFile]:
        self.process.send_signal(signal.SIGTERM)
        assert self.process.wait(60) == 0
        return list(read_requests(str(self._log)))


@pytest.fixture
def registry(tmp_path: Path) -> Path:
    push_record(tmp_path / "first", tmp_path / "registry", ["a", "b"])
    return tmp_path / "registry"


@pytest.fixture
def collecting(registry: Path, tmp_path: Path) -> Iterator[Collecting]:
    running = Collecting(registry, tmp_path / "log", "--log-texts", "--max-request-mb", "0.1")
    try:
        yield running
    finally:
        running.process.kill()
        running.process.wait()


def test_requests_and_answers_become_rows_in_any_order_and_protocol(collecting: Collecting, registry: Path) -> None:
    version = int(next(registry.glob("1*")).name)
    later = NOON + timedelta(milliseconds=40)
    exchanges = [
        (asked_2(id="user-17"), answered_2(str(version)), {}),
        (ASKED_1, ANSWERED_1, {"Ce-Metadata": json.dumps({"X-Request-Id": ["user-17"], "X-Slices": [SLICES]})}),
        (ASKED_1, ANSWERED_1, {}),
        (asked_2(), answered_2("7"), {}),  # a version that the registry does not have
        (b"\0", ANSWERED_1, {}),
        (b"", b'{"ready": true}', {}),
    ]
    for number, (asked, answered, more) in enumerate(exchanges):
        halves = [
            (headers(Kind.REQUEST, str(number), NOON, **more), asked),
            (headers(Kind.RESPONSE, str(number), later), answered),
        ]
        for head, body in reversed(halves) if number == 2 else halves:
            assert collecting.send(head, body) == 200
    assert collecting.send(headers(Kind.REQUEST, "alone", NOON), ASKED_1) == 200
    assert collecting.send({"Content-Type": "application/json"}, b"{}") == 400
    assert collecting.send(headers(Kind.REQUEST, "large", NOON), b"x" * 200_000) == 413
    counted = collecting.metrics()
    for line in (
        '_requests_total{result="logged"} 3',
        'result="unknown_version"} 1',
        'result="unreadable"} 1',
        'result="no_texts"} 1',
    ):
        assert line in counted
    assert "bert_multilabel_waiting_events 1.0" in counted

    (file,) = collecting.stop()
    assert (file.header.model, file.header.version, file.header.labels) == ("tickets", version, ("a", "b"))
    rows = file.rows.to_pylist()
    assert [row["text"] for row in rows] == TEXTS * 3
    assert [row["labels"] for row in rows] == [["a"], ["b"]] * 3
    assert {row["api"] for row in rows} == {"kserve"}
    assert [row["slices"] for row in rows] == [None, None, [("channel", "chat")], None, None, None]
    assert rows[0]["latency_ms"] == pytest.approx(40)
    assert rows[0]["time"] == later
    assert [row["probabilities"] for row in rows[2:4]] == [pytest.approx(row) for row in PROBABILITIES.tolist()]
    assert rows[0]["request"] == rows[2]["request"] != rows[4]["request"], "one id of a client, wherever it stands"


@pytest.mark.parametrize(
    ("body", "texts", "pairs"),
    [
        ({"instances": [{"texts": "a", "text_pairs": "b"}]}, [b"a"], [b"b"]),
        ({"signature_name": "serve_text", "inputs": ["a", "c"]}, [b"a", b"c"], None),
        ({"inputs": {"texts": ["a"], "text_pairs": ["b"]}}, [b"a"], [b"b"]),
        ({"signature_name": "serve_text", "instances": [{"b64": "YQ=="}]}, [b"a"], None),
    ],
)
def test_reads_every_form_of_a_request(body: Any, texts: list[bytes], pairs: list[bytes] | None) -> None:
    asked = read_request(json.dumps(body).encode())
    assert (list(asked.texts), asked.pairs) == (texts, pairs)


def test_slices_of_examples_are_those_of_the_model() -> None:
    example = example_pb2.Example()
    for name, value in (("text", b"a"), ("channel", b"chat"), ("user", b"17")):
        example.features.feature[name].bytes_list.value.append(value)
    body = {"instances": [{"b64": base64.b64encode(example.SerializeToString()).decode()}]}
    asked = read_request(json.dumps(body).encode())
    assert list(asked.texts) == [b"a"]
    assert slices_of_examples(asked.examples, ["channel", "language"]) == {"channel": ["chat"]}


@pytest.mark.parametrize(
    "body",
    [
        {"predictions": [[0.5, 0.25]]},
        {"predictions": [{"probabilities": [0.5, 0.25], "labels": ["a"]}]},
        {"outputs": {"probabilities": [[0.5, 0.25]], "labels": [["a"]]}},
        {"outputs": [[0.5, 0.25]]},
    ],
)
def test_reads_every_form_of_an_answer(body: Any) -> None:
    answered = read_response(json.dumps(body).encode())
    assert answered.probabilities.tolist() == [[0.5, 0.25]]
    assert answered.version is None


@pytest.mark.parametrize(
    "body",
    [
        {}, {"predictions": 1}, {"predictions": [{"labels": ["a"]}]}, {"predictions": [[0.5], [0.5, 0.5]]},
        {"predictions": [["NaN"]]}, {"outputs": {"labels": []}}, {"outputs": None},
        {"outputs": [{"name": "probabilities", "shape": [1, 3], "data": [0.5]}]},
        {"outputs": [{"name": "labels", "shape": [1], "data": ["a"]}]},
    ],
)  # fmt: skip
def test_refuses_an_answer_without_probabilities(body: Any) -> None:
    with pytest.raises(RequestError):
        read_response(json.dumps(body).encode())


def test_reads_an_event_in_structured_mode_as_brokers_may_send_it() -> None:
    content = {
        "specversion": "1.0", "id": "1", "source": "pod", "type": str(Kind.RESPONSE), "time": "2026-11-28T12:00:00Z",
        "inferenceservicename": "tickets", "datacontenttype": "application/json", "data": json.loads(ANSWERED_1),
    }  # fmt: skip
    found = read_event({"content-type": "application/cloudevents+json"}, json.dumps(content).encode())
    assert (found.kind, found.key, found.model, found.time) == (Kind.RESPONSE, "pod 1", "tickets", NOON.timestamp())
    assert read_response(found.body).probabilities.shape == (2, 2)


def test_refuses_events_of_other_types() -> None:
    with pytest.raises(RequestError, match=r"type org\.example is not logged"):
        read_event(headers(Kind.REQUEST, "1", NOON, **{"Ce-Type": "org.example"}), b"{}")


def test_drops_what_waits_too_long_and_what_there_is_no_room_for() -> None:
    now = 0.0
    pairs = Pairs(wait_s=10, max_bytes=10, clock=lambda: now)
    assert pairs.add(event(Kind.REQUEST, "1", b"12345678")) is None
    assert pairs.add(event(Kind.REQUEST, "2", b"123")) is None, "the first has to go"
    assert (pairs.dropped, len(pairs)) == (1, 1)
    assert pairs.add(event(Kind.REQUEST, "2", b"1")) is None, "a second request of the same id takes its place"
    found = pairs.add(event(Kind.RESPONSE, "2"))
    assert found is not None
    assert (found[0].kind, found[0].body, pairs.dropped, len(pairs)) == (Kind.REQUEST, b"1", 2, 0)
    pairs.add(event(Kind.RESPONSE, "3"))
    now = 10.0
    pairs.expire()
    assert (pairs.dropped, len(pairs)) == (3, 0)


class _Status(HttpServer):
    """TensorFlow Serving's status of a model while it exchanges versions."""

    def answer(self, request: Request) -> Reply:
        states = [(5, "UNLOADING"), (6, "AVAILABLE"), (7, "AVAILABLE"), (8, "LOADING")]
        assert request.path == "/v1/models/tickets"
        return Reply(body={"model_version_status": [{"version": str(n), "state": state} for n, state in states]})


def test_answers_without_a_version_are_of_the_newest_that_is_available(registry: Path, tmp_path: Path) -> None:
    with _Status() as server:
        assert available_version(f"{server.url}/v1/models/tickets") == 7
    assert available_version(f"{server.url}/v1/models/tickets") is None
    first = int(next(registry.glob("1*")).name)
    found = [first]
    versions = Versions(str(registry), lambda: found[0])
    second = push_record(tmp_path / "second", registry, ["a", "c"])
    versions.update()
    labels = [getattr(versions.header(number, "m"), "labels", None) for number in (None, second, 1)]
    assert labels == [("a", "b"), ("a", "c"), None]
    found[0] = 0  # it does not answer for a while
    versions.update()
    assert versions.current == first
    newest = Versions(str(registry), None)
    newest.update()
    assert newest.current == second


def test_refuses_in_one_line_what_cannot_be_collected(tmp_path: Path) -> None:
    from typer.testing import CliRunner

    from cli.main import app

    arguments = ["collect", "--request-log", str(tmp_path / "log"), "--model"]
    for more, message in (
        ([str(tmp_path / "none")], "there is no such folder"),
        ([str(tmp_path), "--poll-s", "0"], "--poll-s: "),
    ):
        with pytest.raises(Refused, match=message):
            CliRunner().invoke(app, [*arguments, *more], catch_exceptions=False)
