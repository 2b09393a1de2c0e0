"""What is asked and answered in the bodies that KServe's logger passes on.

Two protocols, in JSON: TensorFlow Serving's REST API (KServe's protocol 1), whose answers do not name their version,
and the Open Inference Protocol 2, of `serve` and of Triton, whose answers do.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from serving.server.errors import invalid
from serving.server.json_tensors import parse_json, parse_predict, string_value

_TEXTS, _PAIRS, _EXAMPLES, _PROBABILITIES = "texts", "text_pairs", "examples", "probabilities"


@dataclass(frozen=True)
class Asked:
    """Texts of a request.

    Attributes:
        texts: The texts, UTF-8.
        pairs: The second texts; None for models of single texts.
        request_id: Id in the body; None if there is none.
        examples: The serialized tf.Examples that the texts are from; empty if they were sent as texts.
    """

    texts: Sequence[bytes]
    pairs: Sequence[bytes] | None
    request_id: str | None = None
    examples: Sequence[bytes] = ()


@dataclass(frozen=True)
class Answered:
    """Probabilities of an answer.

    Attributes:
        probabilities: float32 [n, n_labels].
        version: Version that answered; None if the answer does not say.
    """

    probabilities: NDArray[np.float32]
    version: int | None


def read_request(body: bytes) -> Asked:
    """Read the body of a request.

    Raises:
        RequestError: It is of no known protocol, or it has no texts.
    """
    content = parse_json(body)
    if isinstance(content.get("inputs"), list) and all(_is_tensor(each) for each in content["inputs"]):
        columns = {each["name"]: [string_value(value) for value in each["data"]] for each in content["inputs"]}
        request_id = content.get("id")
        return _asked(columns, request_id if isinstance(request_id, str) else None)
    return _asked(_columns(body))


def read_response(body: bytes) -> Answered:
    """Read the body of an answer.

    Raises:
        RequestError: It is of no known protocol, or it has no probabilities.
    """
    content = parse_json(body)
    outputs = content.get("outputs")
    if isinstance(outputs, list) and outputs and all(_is_tensor(each) for each in outputs):
        tensors = {each["name"]: each for each in outputs}
        if _PROBABILITIES not in tensors:
            raise _without_probabilities()
        tensor, version = tensors[_PROBABILITIES], content.get("model_version", "")
        flat = _matrix([tensor["data"]])
        shape = tensor.get("shape")
        if not isinstance(shape, list) or len(shape) != 2 or np.prod(shape) != flat.size:
            raise invalid(f"output {_PROBABILITIES}: shape {shape} does not fit its data")
        return Answered(flat.reshape(shape), int(version) if str(version).isdecimal() else None)
    if "predictions" in content:
        return Answered(_matrix(_rows(content["predictions"])), None)
    return Answered(_matrix(outputs.get(_PROBABILITIES) if isinstance(outputs, dict) else outputs), None)


def _columns(body: bytes) -> Mapping[str, Sequence[bytes]]:
    """Return the columns of a predict request of TensorFlow Serving, whose inputs its first row or its keys name."""
    parsed = parse_predict(body)
    rows, named = parsed.content.get("instances"), parsed.content.get("inputs")
    first = rows[0] if isinstance(rows, list) and rows else named
    if isinstance(first, dict) and set(first) != {"b64"}:
        return parsed.columns([str(name) for name in first])
    return parsed.columns([_TEXTS if parsed.signature == "serve_text" else _EXAMPLES])


def _asked(columns: Mapping[str, Sequence[bytes]], request_id: str | None = None) -> Asked:
    if _TEXTS in columns:
        return Asked(columns[_TEXTS], columns.get(_PAIRS), request_id)
    if _EXAMPLES in columns:
        # Examples need TensorFlow to be read, texts do not.
        from serving.examples import texts_of_examples

        return Asked(*texts_of_examples(columns[_EXAMPLES]), request_id, columns[_EXAMPLES])
    raise invalid(f"the request has neither {_TEXTS} nor {_EXAMPLES}")


def _rows(predictions: Any) -> list[Any]:
    if not isinstance(predictions, list):
        raise invalid("'predictions' must be a list")
    return [row.get(_PROBABILITIES) if isinstance(row, dict) else row for row in predictions]


def _matrix(rows: Any) -> NDArray[np.float32]:
    try:
        values = np.array(rows, np.float32)
    except (TypeError, ValueError):
        values = np.zeros(0, np.float32)
    if values.ndim != 2 or not np.isfinite(values).all():
        raise _without_probabilities()
    return values


def _is_tensor(value: Any) -> bool:
    return isinstance(value, dict) and isinstance(value.get("name"), str) and isinstance(value.get("data"), list)


def _without_probabilities() -> Exception:
    return invalid(f"the answer has no {_PROBABILITIES}, a list of numbers for each text")
