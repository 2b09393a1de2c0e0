"""JSON of TensorFlow Serving. Messages and formats are those of util/json_tensor.cc of release 2.19.1; lines below."""

import json

import numpy as np
import pytest

from serving.server.errors import RequestError
from serving.server.json_tensors import parse_predict, render

TEXTS, PAIR = ["texts"], ["text_pairs", "texts"]


def columns(body: str | bytes, inputs: list[str]) -> dict[str, list[bytes]]:
    content = body if isinstance(body, bytes) else body.encode()
    return {name: list(values) for name, values in parse_predict(content).columns(inputs).items()}


@pytest.mark.parametrize(
    "body",
    [
        '{"instances": ["a", {"b64": "/w=="}]}',
        '{"instances": [{"texts": "a"}, {"texts": {"b64": "/w"}}]}',
        '{"inputs": ["a", {"b64": "/w=="}]}',
        '{"inputs": {"texts": ["a", {"b64": "/w=="}]}}',
        b'{"inputs": ["a", "\xff"]} and more',  # bytes that are not UTF-8, and kParseStopWhenDoneFlag, line 484
    ],
)
def test_both_formats_give_the_same_strings(body: str | bytes) -> None:
    assert columns(body, TEXTS) == {"texts": [b"a", b"\xff"]}


@pytest.mark.parametrize(
    ("body", "inputs", "message"),
    [
        ("", TEXTS, "JSON Parse error: The document is empty"),  # 475
        ("{", TEXTS, "JSON Parse error"),
        ("[" * 100_000, TEXTS, "JSON Parse error"),
        ("[1]", TEXTS, "Is not object"),  # 499
        ('{"signature_name": 1}', TEXTS, "'signature_name' key must be a string value"),
        ("{}", TEXTS, "Missing 'inputs' or 'instances' key"),  # 704
        ('{"inputs": [], "instances": []}', TEXTS, "expecting only one of"),
        ('{"instances": []}', TEXTS, "No values in 'instances' array"),  # 688
        ('{"instances": "a"}', TEXTS, "Expecting 'instances' to be an list/array"),
        ('{"instances": [1]}', TEXTS, "JSON Value: 1 Type: Number is not of expected type: string"),  # 266
        ('{"instances": [["a"]]}', TEXTS, "Type: Array is not of expected type: string"),
        ('{"instances": [{"texts": "a"}, "b"]}', TEXTS, "Expecting object but got list at item 1"),
        ('{"instances": ["a", {"texts": "b"}]}', TEXTS, "Expecting value/list but got object at item 1"),
        ('{"instances": ["a"]}', PAIR, "instances is a plain list, but expecting list of objects"),
        ('{"instances": [{"texts": "a"}]}', PAIR, "keys must be equal to: text_pairs,texts"),
        ('{"instances": [{"nothing": "a"}]}', TEXTS, "does not have named input: nothing"),
        ('{"instances": [{"b64": "$"}]}', TEXTS, "Unable to base64 decode"),
        ('{"instances": ["\\ud800"]}', TEXTS, "surrogate"),
        ('{"inputs": {"texts": ["a"]}}', PAIR, "Missing named input: text_pairs in 'inputs' object"),  # 635
        ('{"inputs": ["a"]}', PAIR, "inputs is a plain value/list, but expecting an object"),
        ('{"inputs": "a"}', TEXTS, "is not a list of strings"),
    ],
)
def test_refuses_what_tensorflow_serving_refuses(body: str, inputs: list[str], message: str) -> None:
    with pytest.raises(RequestError, match=message) as refused:
        columns(body, inputs)
    assert refused.value.http_status == 400


def test_answers_are_in_the_format_of_the_request() -> None:
    outputs = {
        "probabilities": np.array([[0.1, 1 / 3], [1, 1e-7]], np.float32),
        "labels": np.array([[b"a", b""], [b"\xff", b'"']], object),
    }
    rows = render(outputs, is_row_format=True)
    assert json.loads(rows) == {
        "predictions": [
            {"probabilities": [0.1, 0.333333343], "labels": ["a", ""]},
            {"probabilities": [1.0, 1e-7], "labels": ["\ufffd", '"']},
        ]
    }
    assert "[1.0, 1e-07]" in rows  # lines 140-162: six digits, nine where they do not suffice, `.0` after integers
    assert json.loads(render(outputs, is_row_format=False))["outputs"]["labels"] == [["a", ""], ["\ufffd", '"']]


def test_one_output_has_no_name_and_none_of_no_rows_is_an_empty_list() -> None:
    one = {"probabilities": np.zeros((2, 1), np.float32)}
    assert json.loads(render(one, is_row_format=True)) == {"predictions": [[0.0], [0.0]]}
    assert json.loads(render(one, is_row_format=False)) == {"outputs": [[0.0], [0.0]]}
    empty = {"probabilities": np.zeros((0, 3), np.float32)}
    assert json.loads(render(empty, is_row_format=False)) == {"outputs": []}
    assert json.loads(render(empty, is_row_format=True)) == {"predictions": []}


def test_strings_named_bytes_are_in_base64() -> None:
    outputs = {"text_bytes": np.array([b"\xff"], object)}
    assert json.loads(render(outputs, is_row_format=True)) == {"predictions": [{"b64": "/w=="}]}  # 91, 833
