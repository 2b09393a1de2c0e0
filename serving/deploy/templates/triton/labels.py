"""Probabilities to labels, by Triton's Python backend."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import triton_python_backend_utils as pb_utils


class TritonPythonModel:
    """Model that Triton loads by this name."""

    def initialize(self, args: dict[str, str]) -> None:
        """Read labels and thresholds beside this file."""
        folder = Path(args["model_repository"]) / args["model_version"]
        record = json.loads((folder / "labels.json").read_text(encoding="utf-8"))
        self.labels = np.array([label.encode() for label in record["labels"]], object)
        self.thresholds = np.array(record["thresholds"], np.float32)

    def execute(self, requests: list[Any]) -> list[Any]:
        """Return the labels of each request above their thresholds, the most probable first, padded with ""."""
        responses = []
        for request in requests:
            probabilities = pb_utils.get_input_tensor_by_name(request, "probabilities").as_numpy()
            labels = np.full(probabilities.shape, b"", object)
            for row, values in enumerate(probabilities):
                order = np.argsort(-values, kind="stable")
                given = order[values[order] > self.thresholds[order]]
                labels[row, : len(given)] = self.labels[given]
            responses.append(pb_utils.InferenceResponse(output_tensors=[pb_utils.Tensor("labels", labels)]))
        return responses
