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
BATCH = 16


class Classifier:
    """Classifier of texts; those of similar length are computed together, since what is padded costs time as well."""

    def __init__(self, folder: Path, options: onnxruntime.SessionOptions | None = None) -> None:
        record = json.loads((folder / "model.json").read_text(encoding="utf-8"))
        self.labels, self.thresholds = record["labels"], np.array(record["thresholds"], np.float32)
        self.tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
        self.tokenizer.no_padding()
        if options is None:
            options = onnxruntime.SessionOptions()
            # Threads that wait do not take the processor from other processes.
            options.add_session_config_entry("session.intra_op.allow_spinning", "0")
        self.session = onnxruntime.InferenceSession(folder / MODEL_FILE, options, providers=["CPUExecutionProvider"])

    def probabilities(self, texts: Sequence[str]) -> Any:
        """Return the probability of each label, float32 [n, n_labels]; a label that implies others is above its
        threshold only if they are.
        """
        rows = [each.ids for each in self.tokenizer.encode_batch_fast(list(texts))]
        found = np.zeros([len(rows), len(self.labels)], np.float32)
        order = sorted(range(len(rows)), key=lambda row: len(rows[row]))
        for start in range(0, len(order), BATCH):
            part = order[start : start + BATCH]
            ids = np.zeros([len(part), len(rows[part[-1]])], np.int64)
            mask = np.zeros_like(ids)
            for at, row in enumerate(part):
                ids[at, : len(rows[row])], mask[at, : len(rows[row])] = rows[row], 1
            found[part] = self.session.run(["probabilities"], {"input_ids": ids, "attention_mask": mask})[0]
        return found

    def decisions(self, probabilities: Any) -> list[list[str]]:
        """Return the labels above their thresholds, the most probable first."""
        orders = np.argsort(-probabilities, axis=1, kind="stable")
        given = [order[row[order] > self.thresholds[order]] for row, order in zip(probabilities, orders, strict=True)]
        return [[self.labels[column] for column in columns] for columns in given]


if __name__ == "__main__":
    classifier = Classifier(Path(__file__).parent)
    for text, labels in zip(sys.argv[1:], classifier.decisions(classifier.probabilities(sys.argv[1:])), strict=True):
        sys.stdout.write(f"{text}\t{labels}\n")
