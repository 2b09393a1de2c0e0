"""Process in which an ONNX variant is tried: it runs the client that is beside the model, and nothing of this project.

    python -I onnx_probe.py

Commands and answers are those of `components.canary.probe`. Bytes that are not UTF-8 are dropped, as the tokenizer in
the exported graph does.
"""

import base64
import importlib.util
import json
import os
import signal
import sys
import time
from pathlib import Path
from typing import Any

# Packages that a client does not have, besides those of this project, which python -I does not find.
_NOT_IN_A_CLIENT = {"tensorflow", "tensorflow_text", "keras", "tfx", "apache_beam", "onnx", "transformers", "torch"}
_GRACE_S = 10  # for the parent process to kill this one first


class _ClientFinder:
    """Module finder that hides the packages that a client does not have."""

    def find_spec(self, fullname: str, path: Any = None, target: Any = None) -> None:  # noqa: ARG002
        if fullname.partition(".")[0] in _NOT_IN_A_CLIENT:
            raise ImportError(f"{fullname} is hidden: a client does not have it")


class _Model:
    """The model under trial."""

    def __init__(self) -> None:
        self._classifier: Any = None

    def run(self, command: dict[str, Any]) -> dict[str, Any]:
        started, cpu = time.perf_counter(), time.process_time()
        answer = self._load(Path(command["load"])) if "load" in command else self._ask(command["inputs"]["texts"])
        return answer | {"seconds": time.perf_counter() - started, "cpu_s": time.process_time() - cpu}

    def _load(self, folder: Path) -> dict[str, Any]:
        sys.dont_write_bytecode = True  # it would be a file of the variant that nobody exported
        spec = importlib.util.spec_from_file_location("client", folder / "client.py")
        assert spec is not None
        assert spec.loader is not None
        client = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(client)
        self._classifier = client.Classifier(folder)
        outputs = {"probabilities": "float32", "labels": "string"}
        return {"signatures": {"serve_text": {"inputs": {"texts": "string"}, "outputs": outputs}}}

    def _ask(self, texts: list[str]) -> dict[str, Any]:
        probabilities = self._classifier.probabilities(
            [base64.b64decode(text).decode("utf-8", "ignore") for text in texts]
        )
        shape = list(probabilities.shape)
        rows = [[*labels, *[""] * (shape[1] - len(labels))] for labels in self._classifier.decisions(probabilities)]
        data = [base64.b64encode(label.encode()).decode() for row in rows for label in row]
        array = {"dtype": probabilities.dtype.name, "shape": shape}
        return {
            "outputs": {
                "probabilities": array | {"data": base64.b64encode(probabilities.tobytes()).decode()},
                "labels": {"dtype": "string", "shape": shape, "data": data},
            }
        }


def main() -> None:
    """Answer commands until stdin ends."""
    answers = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)  # what libraries print goes to stderr
    sys.meta_path.insert(0, _ClientFinder())
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
