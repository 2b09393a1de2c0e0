"""The server as its clients see it: one process, a real registry, and the stubs of TensorFlow Serving."""

import concurrent.futures
import json
import os
import re
import select
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import Any

import grpc
import pytest
import requests
import tensorflow as tf
from google.protobuf.json_format import Parse
from tensorflow_serving.apis import (
    get_model_metadata_pb2,
    get_model_status_pb2,
    model_service_pb2_grpc,
    predict_pb2,
    prediction_service_pb2_grpc,
)

from serving.request_log.reader import read_requests
from tests.serving.server.models import LABELS, export_model, push_model
from tests.support.refusals import refused, refused_without

_CHROMIUM = shutil.which("chromium") or shutil.which("google-chrome")
TEXTS = ["my refund", "hello", "", "naïve 你好"]


@dataclass
class Server:
    """A running server and its registry."""

    process: "subprocess.Popen[str]"
    http: str
    grpc: str
    registry: Path
    first: int
    log: Path

    def post(self, path: str, body: Any, **options: Any) -> requests.Response:
        return requests.post(
            f"{self.http}{path}", data=body if isinstance(body, bytes) else json.dumps(body), timeout=30, **options
        )

    def get(self, path: str) -> requests.Response:
        return requests.get(f"{self.http}{path}", timeout=30)

    def version(self) -> int:
        return int(self.get("/page/model").json()["version"])

    def metric(self, name: str) -> float:
        found = re.search(rf"^bert_multilabel_{re.escape(name)} (\S+)$", self.get("/metrics").text, re.MULTILINE)
        assert found is not None, name
        return float(found[1])


def start(registry: Path, log: Path, *options: str) -> Server:
    arguments = ["serve", "--model", str(registry), "--port", "0", "--grpc-port", "0", "--poll-s", "0.2"]
    process = subprocess.Popen(
        [sys.executable, "-m", "pipeline", *arguments, "--request-log", str(log), "--log-texts", *options],
        stdout=subprocess.PIPE, text=True, env=os.environ | {"PYTHONUNBUFFERED": "1"},
    )  # fmt: skip
    assert process.stdout is not None
    assert select.select([process.stdout], [], [], 120)[0]
    line = process.stdout.readline()
    found = re.match(r"(http://\S+)  gRPC (\S+) ", line)
    assert found is not None, line
    return Server(process, found[1], found[2], registry, 0, log)


def wait_until(condition: Any, seconds: float = 60) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.05)


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    folder = tmp_path_factory.mktemp("server")
    registry = folder / "registry"
    first = push_model(folder / "model", registry).number
    running = start(registry, folder / "log", "--max-request-mb", "0.1", "--queue", "500", "--grace-s", "10")
    running.first = first
    try:
        wait_until(lambda: running.get("/readyz").status_code == 200)
        yield running
    finally:
        running.process.kill()
        running.process.wait()


@pytest.fixture(scope="module")
def expected(server: Server) -> Any:
    """Return the answers of the version that was pushed first, by TensorFlow alone."""
    serve = tf.saved_model.load(str(server.registry / str(server.first))).signatures["serve_text"]
    outputs = serve(texts=tf.constant(TEXTS))
    return {
        "probabilities": outputs["probabilities"].numpy().tolist(),
        "labels": [[label.decode() for label in row] for row in outputs["labels"].numpy().tolist()],
    }


def example(text: str) -> bytes:
    feature = tf.train.Feature(bytes_list=tf.train.BytesList(value=[text.encode()]))
    return tf.train.Example(features=tf.train.Features(feature={"text": feature})).SerializeToString()  # type: ignore[no-any-return]


def test_rest_answers_in_rows_and_columns(server: Server, expected: Any) -> None:
    for which in ("", f"/versions/{server.first}"):
        answer = server.post(f"/v1/models/default{which}:predict", {"signature_name": "serve_text", "instances": TEXTS})
        assert answer.status_code == 200
        rows = answer.json()["predictions"]
        for name in ("probabilities", "labels"):
            assert [row[name] for row in rows] == [pytest.approx(each) for each in expected[name]]
    columns = server.post("/V1/models/default:PREDICT", {"signature_name": "serve_text", "inputs": TEXTS}).json()
    assert columns["outputs"]["labels"] == expected["labels"]


def test_rest_has_the_default_signature_and_the_others(server: Server, expected: Any) -> None:
    import base64

    examples = [{"b64": base64.b64encode(example(text)).decode()} for text in TEXTS]
    answer = server.post("/v1/models/default:predict", {"instances": [{"examples": each} for each in examples]})
    assert answer.json()["predictions"] == [pytest.approx(row) for row in expected["probabilities"]]
    features = server.post(
        "/v1/models/default:predict", {"signature_name": "transform_features", "instances": examples[:1]}
    ).json()
    assert features["predictions"] == [[2, 9, 9, 3]], "padded to the longest text of this request alone"


@pytest.mark.parametrize(
    ("path", "body", "status", "message"),
    [
        # Sources of the messages are named where the server has them.
        ("/v1/models/default:predict", {"signature_name": "nothing", "instances": ["a"]}, 400,
         'Serving signature name: "nothing" not found in signature def'),
        ("/v1/models/other:predict", {"instances": ["a"]}, 404, "Servable not found for request: Latest(other)"),
        ("/v1/models/default/versions/7:predict", {"instances": ["a"]}, 404,
         "Servable not found for request: Specific(default, 7)"),
        ("/v1/models/default/labels/stable:predict", {"instances": ["a"]}, 400,
         "Unrecognized servable version label: stable"),
        ("/v1/models/default:explain", {"instances": ["a"]}, 400, "Malformed request: POST /v1/models/default:explain"),
        ("/v1/models/default:classify", {"examples": []}, 501, "classify is not served"),
        ("/nothing", {}, 404, "Malformed request: POST /nothing"),
        ("/healthz", {}, 405, "Malformed request: POST /healthz"),
        ("/v1/models/default:predict", {"instances": ["no example"]}, 400, "Could not parse example input"),
        ("/v1/models/default:predict", b"\0" * 200_000, 413, "the request is larger than 104857 bytes"),
        ("/v1/models/default:predict", {"signature_name": "serve_text", "instances": ["a"] * 501}, 413,
         "the request has 501 rows, more than the 500"),
    ],
)  # fmt: skip
def test_rest_refuses_as_tensorflow_serving_does(
    server: Server, path: str, body: Any, status: int, message: str
) -> None:
    answer = server.post(path, body)
    assert answer.status_code == status
    assert message in answer.json()["error"]


def test_rest_tells_status_and_metadata_in_the_form_of_the_protos(server: Server) -> None:
    status = Parse(server.get("/v1/models/default").text, get_model_status_pb2.GetModelStatusResponse())
    (version,) = [each for each in status.model_version_status if each.version == server.first]
    assert get_model_status_pb2.ModelVersionStatus.State.Name(version.state) == "AVAILABLE"
    assert version.status.error_message == ""
    raw = server.get(f"/v1/models/default/versions/{server.first}").json()["model_version_status"]
    assert raw == [
        {"version": str(server.first), "state": "AVAILABLE", "status": {"error_code": "OK", "error_message": ""}}
    ]
    metadata = server.get("/v1/models/default/metadata").json()
    assert metadata["model_spec"] == {"name": "default", "signature_name": "", "version": str(server.first)}
    signatures = Parse(
        json.dumps(metadata["metadata"]["signature_def"]), get_model_metadata_pb2.SignatureDefMap()
    ).signature_def
    assert {"serve_text", "serving_default", "transform_features"} <= set(signatures)
    assert server.get("/v1/models/other").status_code == 404


def predict_request(texts: list[str], **spec: Any) -> Any:
    request = predict_pb2.PredictRequest()
    request.model_spec.name = "default"
    request.model_spec.signature_name = spec.get("signature", "serve_text")
    request.inputs["texts"].CopyFrom(tf.make_tensor_proto(texts, tf.string))
    return request


def test_grpc_answers_with_tensorflow_serving_s_own_stubs(server: Server, expected: Any) -> None:
    with grpc.insecure_channel(server.grpc) as channel:
        stub = prediction_service_pb2_grpc.PredictionServiceStub(channel)
        response = stub.Predict(predict_request(TEXTS), timeout=30)
        assert tf.make_ndarray(response.outputs["probabilities"]).tolist() == expected["probabilities"]
        assert len(response.outputs["probabilities"].float_val) == 3 * len(TEXTS)
        labels = tf.make_ndarray(response.outputs["labels"]).tolist()
        assert [[label.decode() for label in row] for row in labels] == expected["labels"]
        assert (response.model_spec.version.value, response.model_spec.signature_name) == (server.first, "serve_text")

        only = predict_request(TEXTS)
        only.output_filter.append("labels")
        assert set(stub.Predict(only, timeout=30).outputs) == {"labels"}

        unknown = predict_request(TEXTS, signature="nothing")
        with pytest.raises(grpc.RpcError) as error:
            stub.Predict(unknown, timeout=30)
        assert error.value.code() is grpc.StatusCode.FAILED_PRECONDITION
        assert error.value.details() == 'Serving signature key "nothing" not found.'

        extra = predict_request(TEXTS)
        extra.inputs["more"].CopyFrom(tf.make_tensor_proto(TEXTS))
        with pytest.raises(grpc.RpcError) as error:
            stub.Predict(extra, timeout=30)
        assert error.value.code() is grpc.StatusCode.INVALID_ARGUMENT
        assert "Sent extra: {more}." in error.value.details()

        asked = get_model_metadata_pb2.GetModelMetadataRequest(metadata_field=["signature_def"])
        asked.model_spec.name = "default"
        described = stub.GetModelMetadata(asked, timeout=30)
        signatures = get_model_metadata_pb2.SignatureDefMap()
        assert described.metadata["signature_def"].Unpack(signatures)
        assert "serve_text" in signatures.signature_def

        status = get_model_status_pb2.GetModelStatusRequest()
        status.model_spec.name = "default"
        states = model_service_pb2_grpc.ModelServiceStub(channel).GetModelStatus(status, timeout=30)
        assert [each.version for each in states.model_version_status] == [server.first]


def test_open_inference_protocol_answers(server: Server, expected: Any) -> None:
    body = {"id": "42", "inputs": [{"name": "texts", "shape": [4], "datatype": "BYTES", "data": TEXTS}]}
    answer = server.post(f"/v2/models/default/versions/{server.first}/infer", body).json()
    outputs = {each["name"]: each for each in answer["outputs"]}
    assert (answer["model_name"], answer["model_version"], answer["id"]) == ("default", str(server.first), "42")
    assert (outputs["probabilities"]["datatype"], outputs["probabilities"]["shape"]) == ("FP32", [4, 3])
    assert outputs["probabilities"]["data"] == pytest.approx(list(chain.from_iterable(expected["probabilities"])))
    assert (outputs["labels"]["datatype"], outputs["labels"]["data"]) == (
        "BYTES",
        list(chain.from_iterable(expected["labels"])),
    )
    only = server.post("/v2/models/default/infer", body | {"outputs": [{"name": "labels"}]}).json()
    assert [each["name"] for each in only["outputs"]] == ["labels"]
    metadata = server.get("/v2/models/default").json()
    assert metadata["inputs"] == [{"name": "texts", "datatype": "BYTES", "shape": [-1]}]
    assert {"name": "probabilities", "datatype": "FP32", "shape": [-1, 3]} in metadata["outputs"]
    assert server.get("/v2").json()["name"] == "bert-multilabel"
    assert server.get("/v2/models/default/ready").json() == {"name": "default", "ready": True}
    assert server.get("/v2/models/other/ready").status_code == 404
    assert [server.get(f"/v2/health/{each}").status_code for each in ("live", "ready")] == [200, 200]
    wrong = {"inputs": [{"name": "texts", "shape": [2], "datatype": "BYTES", "data": ["a"]}]}
    assert "shape must be [1]" in server.post("/v2/models/default/infer", wrong).json()["error"]


def test_reads_heads_of_64_kib_and_refuses_larger_ones(server: Server) -> None:
    host, port = server.http.removeprefix("http://").split(":")

    def ask(*parts: bytes) -> bytes:
        with socket.create_connection((host, int(port)), timeout=30) as connection:
            try:
                for part in parts:
                    connection.sendall(part)
            except OSError:  # refused before the end
                pass
            return b"".join(iter(lambda: connection.recv(1 << 16), b""))

    start, end = b"GET /healthz HTTP/1.1\r\nHost: x\r\nConnection: close\r\nX: ", b"\r\n\r\n"
    assert ask(start + b"x" * 60_000 + end).startswith(b"HTTP/1.1 200 ")
    assert ask(start + b"x" * 70_000 + end).startswith(b"HTTP/1.1 400 ")
    assert ask(start, *[b"x" * 1_000] * 70, end).startswith(b"HTTP/1.1 400 "), "a line that does not end"


def test_answers_each_request_of_a_connection_in_order_also_without_a_body(server: Server) -> None:
    host, port = server.http.removeprefix("http://").split(":")
    with socket.create_connection((host, int(port)), timeout=30) as connection:
        head = b"%s %s HTTP/1.1\r\nHost: x\r\n%s\r\n"
        connection.sendall(
            head % (b"GET", b"/healthz", b"") + head % (b"HEAD", b"/healthz", b"")
            + head % (b"DELETE", b"/v2", b"") + head % (b"GET", b"/readyz", b"Connection: close\r\n")
        )  # fmt: skip
        answers = b"".join(iter(lambda: connection.recv(1 << 16), b""))
    assert re.findall(rb"HTTP/1.1 (\d+)", answers) == [b"200", b"200", b"405", b"200"]
    assert answers.count(b'{"live":true,"ready":true}') == 1, "HEAD has no body"
    assert b"\r\nallow: GET\r\n" in answers
    assert answers.endswith(b'{"ready":true}')


def test_slices_of_a_request_may_be_sent_over_every_interface(server: Server) -> None:
    """What is logged of them, the last test of the module looks at."""
    import base64

    header = {"X-Slices": json.dumps({"channel": "\u00fcber REST", "user": "17"})}
    rest = {"signature_name": "serve_text", "instances": ["a slice"]}
    assert server.post("/v1/models/default:predict", rest, headers=header).status_code == 200
    assert server.post("/v1/models/default:predict", rest, headers={"X-Slices": "{"}).status_code == 200
    body = {"inputs": [{"name": "texts", "shape": [2], "datatype": "BYTES", "data": ["a slice", "a slice"]}]}
    two = {"X-Slices": json.dumps({"channel": ["v2", None]})}
    assert server.post("/v2/models/default/infer", body, headers=two).status_code == 200
    features = {
        name: tf.train.Feature(bytes_list=tf.train.BytesList(value=[value]))
        for name, value in (("text", b"a slice"), ("channel", b"example"), ("user", b"17"))
    }
    sent = tf.train.Example(features=tf.train.Features(feature=features)).SerializeToString()
    encoded = {"b64": base64.b64encode(sent).decode()}
    assert server.post("/v1/models/default:predict", {"instances": [encoded]}).status_code == 200
    with grpc.insecure_channel(server.grpc) as channel:
        stub = prediction_service_pb2_grpc.PredictionServiceStub(channel)
        stub.Predict(predict_request(["a slice"]), timeout=30, metadata=[("x-slices", '{"channel": "gRPC"}')])


@pytest.mark.skipif(_CHROMIUM is None, reason="no chromium here: apt-get install chromium")
def test_the_page_shows_labels_as_bars_with_their_thresholds_and_why(server: Server, expected: Any) -> None:
    from playwright.sync_api import sync_playwright

    complaints: list[str] = []
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=_CHROMIUM, args=["--no-sandbox"])
        page = browser.new_page(viewport={"width": 390, "height": 844}, color_scheme="dark")
        page.on("console", lambda message: complaints.append(message.text))
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.on(
            "request",
            lambda request: None if request.url.startswith((server.http, "data:")) else complaints.append(request.url),
        )
        page.goto(server.http)
        page.fill("#text", TEXTS[0])
        page.click("button")
        page.wait_for_selector("#labels li")
        order = sorted(range(3), key=lambda index: -expected["probabilities"][0][index])
        assert page.locator(".name").all_inner_texts() == [LABELS[index] for index in order], "escaped, not interpreted"
        widths = [float(bar.get_attribute("width") or "nan") for bar in page.locator(".bar").all()]
        assert widths == [pytest.approx(100 * expected["probabilities"][0][index]) for index in order]
        assert [line.get_attribute("x1") for line in page.locator(".threshold").all()] == [
            str({0: 50, 1: 25, 2: 75}[index]) for index in order
        ]
        given = page.locator("li.given .name").all_inner_texts()
        assert sorted(given) == sorted(label for label in expected["labels"][0] if label)
        page.fill("#text", "Really <i>broken</i>, refund it")
        page.keyboard.press("Control+Enter")
        page.wait_for_function("document.querySelectorAll('#labels li').length === 3")
        page.click("text=refund >> nth=-1")
        page.wait_for_selector("#why .adds")
        assert page.locator("#why p").last.inner_text() == "Really <i>broken</i>, refund it"
        assert page.locator("#why .adds").all_inner_texts() == ["Really", "refund"]
        assert page.locator("#why .takes").all_inner_texts() == ["<i>broken</i>,", "it"]
        assert page.locator("#why .takes").first.get_attribute("title") == "-0.50"
        assert "add 1.00 to its log odds" in page.locator("#why p").first.inner_text()
        assert page.evaluate("document.documentElement.scrollWidth") <= 390
        page.fill("#text", "x" * 200_000)
        page.keyboard.press("Control+Enter")
        page.locator("#message", has_text="larger than").wait_for()
        browser.close()
    assert [each for each in complaints if "413" not in each] == []


def test_versions_are_exchanged_without_dropping_a_request_and_a_broken_one_never_answers(
    server: Server, tmp_path: Path
) -> None:
    """Clients ask all the while; each answer must be that of one of the two versions."""
    assert server.version() == server.first
    broken = server.registry / str(server.first + 1)
    shutil.copytree(server.registry / str(server.first), broken)
    (broken / "variables/variables.data-00000-of-00001").write_bytes(b"damaged")
    wait_until(lambda: server.metric("model_load_failures_total") >= 1)
    assert server.version() == server.first
    states = {each["version"]: each for each in server.get("/v1/models/default").json()["model_version_status"]}
    assert states[str(broken.name)]["state"] == "END"
    assert "has changed since the push" in states[str(broken.name)]["status"]["error_message"]

    answers: list[tuple[int, float]] = []
    is_done = False

    def client() -> None:
        with requests.Session() as session:
            while not is_done:
                answer = session.post(f"{server.http}/page/classify", data=json.dumps({"text": "four"}), timeout=30)
                assert answer.status_code == 200, answer.text
                content = answer.json()
                (value,) = (each["probability"] for each in content["labels"] if each["name"] == "billing")
                answers.append((content["version"], value))

    with concurrent.futures.ThreadPoolExecutor(4) as clients:
        running = [clients.submit(client) for _ in range(4)]
        second = push_model(tmp_path / "second", server.registry, bias=0.05).number
        try:
            wait_until(lambda: server.version() == second)
            time.sleep(0.2)
        finally:
            is_done = True
        for each in running:
            each.result()
    values = {version: {value for each, value in answers if each == version} for version, _ in answers}
    assert set(values) == {server.first, second}
    assert list(values[server.first]) == [pytest.approx(0.9 * 4 / 7, abs=1e-6)]
    assert list(values[second]) == [pytest.approx(0.9 * 4 / 7 + 0.05, abs=1e-6)]
    assert server.post(f"/v1/models/default/versions/{server.first}:predict", {"instances": ["a"]}).status_code == 404
    assert server.metric("model_version") == second
    assert server.metric('requests_total{api="page",code="OK"}') >= len(answers)


def test_sigterm_answers_what_was_accepted_and_writes_the_log(server: Server) -> None:
    """The last test of the module: it ends the server."""
    body = {"signature_name": "serve_text", "instances": ["x " * 50] * 400}
    host, port = server.http.removeprefix("http://").split(":")
    with socket.create_connection((host, int(port))) as slow, concurrent.futures.ThreadPoolExecutor(4) as clients:
        slow.sendall(b"POST /v1/models/default:predict HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\n{")
        asked = [
            clients.submit(server.post, "/v1/models/default:predict", body, headers={"x-request-id": "last"})
            for _ in range(4)
        ]
        wait_until(lambda: server.metric("queue_rows") > 0 or all(each.done() for each in asked))
        server.process.send_signal(signal.SIGTERM)
        codes = [each.result().status_code for each in asked if not each.exception()]
        assert b" 503 " in slow.recv(20), "half a request is not waited for longer than --grace-s"
        assert server.process.wait(60) == 0
    assert codes
    assert set(codes) <= {200, 429}
    rows = [row for file in read_requests(str(server.log)) for row in file.rows.to_pylist()]
    assert {row["api"] for row in rows} == {"rest", "grpc", "v2", "page"}
    (first,) = {row["pieces"] for row in rows if row["text"] == TEXTS[0]}
    assert first == 4, "[CLS], two words, [SEP]"
    assert {row["unknown_pieces"] for row in rows if row["text"] == "naïve 你好"} == {1}
    assert sum(row["is_cut"] for row in rows if row["text"] == "x " * 50) == codes.count(200) * 400
    assert {file.header.labels for file in read_requests(str(server.log))} == {LABELS}
    slices = [dict(row["slices"] or ()) for row in rows if row["text"] == "a slice"]
    assert sorted(slices, key=str) == sorted(
        [{}, {}, *({"channel": value} for value in ("über REST", "v2", "example", "gRPC"))], key=str
    )


def test_refuses_in_one_line_what_cannot_be_served(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    slow = ("tensorflow", "tfx", "keras")
    assert "there is no such folder" in refused_without(slow, "serve", "--model", str(tmp_path / "nothing"))
    assert "--queue: " in refused(capsys, "serve", "--model", str(tmp_path), "--queue", "0")
    export_model(tmp_path / "model")
    with socket.create_server(("127.0.0.1", 0)) as taken:
        line = refused(capsys, "serve", "--model", str(tmp_path), "--port", str(taken.getsockname()[1]))
    assert "choose another --port" in line
