"""An ONNX variant in `benchmarks.serve`, measured through the client beside it.

python -m benchmarks.serving.variant JOB.json
"""

import importlib.util
import json
import sys
from functools import partial
from pathlib import Path
from typing import Any

from benchmarks.serving.measure import Predict, measure


def _load(model: Path) -> Predict:
    spec = importlib.util.spec_from_file_location("client", model / "client.py")
    assert spec is not None
    assert spec.loader is not None
    client = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(client)
    predict: Predict = client.Classifier(model).probabilities
    return predict


if __name__ == "__main__":
    job: dict[str, Any] = json.loads(Path(sys.argv[1]).read_text(encoding="utf-8"))
    print(json.dumps(measure(partial(_load, Path(job["model"])), job)))
