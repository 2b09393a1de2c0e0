"""Client of this folder's ONNX model: python client.py "a text" "another text". Needs onnxruntime and tokenizers."""

import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
from tokenizers import Tokenizer

MODEL_FILE = "model.onnx"


class Classifier:
    """Classifier of texts, which are padded to the longest of a call: send long lists in parts of some 64."""

    def __init__(self, folder: Path, options: onnxruntime.SessionOptions | None = None) -> None:
        record = json.loads((folder / "model.json").read_text(encoding="utf-8"))
        self.labels, self.thresholds = record["labels"], np.array(record["thresholds"], np.float32)
        self.tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
        self.session = onnxruntime.InferenceSession(folder / MODEL_FILE, options, providers=["CPUExecutionProvider"])

    def probabilities(self, texts: Sequence[str]) -> Any:
        """Return the probability of each label, float32 [n, n_labels]; a label that implies others is above its
        threshold only if they are.
        """
        if not texts:
            return np.zeros([0, len(self.labels)], np.float32)
        encoded = self.tokenizer.encode_batch_fast(list(texts))
        ids = np.array([each.ids for each in encoded], np.int64)
        mask = np.array([each.attention_mask for each in encoded], np.int64)
        return self.session.run(["probabilities"], {"input_ids": ids, "attention_mask": mask})[0]

    def decisions(self, probabilities: Any) -> list[list[str]]:
        """Return the labels above their thresholds, the most probable first."""
        orders = np.argsort(-probabilities, axis=1, kind="stable")
        given = [order[row[order] > self.thresholds[order]] for row, order in zip(probabilities, orders, strict=True)]
        return [[self.labels[column] for column in columns] for columns in given]


if __name__ == "__main__":
    classifier = Classifier(Path(__file__).parent)
    for text, labels in zip(sys.argv[1:], classifier.decisions(classifier.probabilities(sys.argv[1:])), strict=True):
        sys.stdout.write(f"{text}\t{labels}\n")
