"""Process in which a model is tried: a script that imports TensorFlow, TensorFlow Text and nothing else.

    python -I probe.py

Each line on stdin is a command in JSON, each line on stdout its answer. Byte strings are base64.

    {"load": DIRECTORY, "timeout_s": 60}
        -> {"signatures": {NAME: {"inputs": {NAME: DTYPE}, "outputs": {NAME: DTYPE}}}, "seconds": 1.5, "cpu_s": 2.1}
    {"signature": NAME, "inputs": {NAME: [BYTES, ...]}, "timeout_s": 60}
        -> {"outputs": {NAME: {"dtype": DTYPE, "shape": [...], "data": BYTES, or a list of them}}, "seconds": 0.1,
            "cpu_s": 0.2}

`seconds` is wall time and `cpu_s` processor time, all threads together. A command that fails is answered with
{"error": "..."}, and the process lives on. It ends with stdin. An alarm kills it if a command exceeds its timeout and
the parent process, which should kill it first, is gone.
"""

import base64
import json
import os
import signal
import sys
import time
from typing import Any

# Packages that a server does not have. Keras is not among them: TensorFlow Text cannot be imported without it.
_NOT_IN_A_SERVER = {
    *("components", "pipeline", "runners", "schema", "serving"),
    *("keras_hub", "tf_keras", "tensorflow_hub"),
    *("tfx", "tfx_bsl", "tensorflow_transform", "tensorflow_model_analysis", "tensorflow_data_validation"),
    *("apache_beam", "ml_metadata"),
}
_GRACE_S = 10  # for the parent process to kill this one first


class _ServerFinder:
    """Module finder that hides the packages that a server does not have."""

    def __init__(self, finder: Any) -> None:
        self._finder = finder

    def find_spec(self, fullname: str, path: Any = None, target: Any = None) -> Any:
        hidden = fullname.partition(".")[0] in _NOT_IN_A_SERVER
        return None if hidden else self._finder.find_spec(fullname, path, target)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._finder, name)


class _Model:
    """The model under trial."""

    def __init__(self) -> None:
        import tensorflow
        import tensorflow_text  # noqa: F401 - registers the tokenizer's operations

        self._tf = tensorflow
        self._loaded: Any = None  # signatures alone do not keep their variables

    def run(self, command: dict[str, Any]) -> dict[str, Any]:
        return self._load(command["load"]) if "load" in command else self._ask(command)

    def _load(self, directory: str) -> dict[str, Any]:
        started, cpu = time.perf_counter(), time.process_time()
        self._loaded = self._tf.saved_model.load(directory)
        seconds, cpu_s = time.perf_counter() - started, time.process_time() - cpu
        signatures = {
            name: {
                "inputs": {key: spec.dtype.name for key, spec in signature.structured_input_signature[1].items()},
                "outputs": {key: spec.dtype.name for key, spec in signature.structured_outputs.items()},
            }
            for name, signature in self._loaded.signatures.items()
        }
        return {"signatures": signatures, "seconds": seconds, "cpu_s": cpu_s}

    def _ask(self, command: dict[str, Any]) -> dict[str, Any]:
        signature = self._loaded.signatures[command["signature"]]
        inputs = {
            name: self._tf.constant([base64.b64decode(value) for value in values], self._tf.string)
            for name, values in command["inputs"].items()
        }
        started, cpu = time.perf_counter(), time.process_time()
        outputs = {name: tensor.numpy() for name, tensor in signature(**inputs).items()}
        seconds, cpu_s = time.perf_counter() - started, time.process_time() - cpu
        encoded = {name: _encode(array) for name, array in outputs.items()}
        return {"outputs": encoded, "seconds": seconds, "cpu_s": cpu_s}


def _encode(array: Any) -> dict[str, Any]:
    if array.dtype == object:
        strings = [_base64(value) for value in array.ravel().tolist()]
        return {"dtype": "string", "shape": list(array.shape), "data": strings}
    return {"dtype": array.dtype.name, "shape": list(array.shape), "data": _base64(array.tobytes())}


def _base64(value: bytes) -> str:
    return base64.b64encode(value).decode()


def hide_packages() -> None:
    """Make the packages that a server does not have impossible to import."""
    sys.meta_path[:] = [_ServerFinder(finder) for finder in sys.meta_path]


def main() -> None:
    """Answer commands until stdin ends."""
    answers = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)  # what libraries print goes to stderr
    hide_packages()
    model = _Model()
    for line in sys.stdin:
        command = json.loads(line)
        signal.alarm(int(command["timeout_s"]) + _GRACE_S)
        try:
            answer = model.run(command)
        except Exception as error:
            answer = {"error": f"{type(error).__name__}: {error}"}
        signal.alarm(0)
        answers.write(json.dumps(answer) + "\n")
        answers.flush()


if __name__ == "__main__":
    main()
