"""Peers of `benchmarks.train`: Hugging Face's BERT on PyTorch in a loop tuned for a CPU, eager or compiled.

It runs in an environment of its own, with torch and transformers but without this project's dependencies:

    python -m benchmarks.training.pytorch JOB.json

The job has a model folder (or none, for a randomly initialized BERT-Base), a file of token ids and labels, and the
recipe; the last line of output is a JSON object. Texts of similar length share a batch, as in this project's input
pipeline: they are sorted within windows of 50 shuffled batches. bfloat16 by autocast, fused AdamW, gradients clipped by
their global norm, warmup and linear decay. Compiled is
`torch.compile(dynamic=True)`, since lengths differ by batch.
"""

import json
import sys
from pathlib import Path
from typing import Any

import numpy as np
import torch
from transformers import AutoModelForSequenceClassification, BertConfig

from benchmarks.training.measure import Meter

_WINDOW = 50


def main(job: dict[str, Any]) -> dict[str, Any]:
    """Train as a job says and return the measurements."""
    torch.set_num_threads(job["threads"])
    torch.manual_seed(job["seed"])
    data = np.load(job["data"], allow_pickle=False)
    ids, lengths, labels = data["ids"], data["lengths"], torch.from_numpy(data["labels"])
    starts = np.concatenate(([0], np.cumsum(lengths)[:-1]))
    model = load_model(job, labels.shape[1])
    model.train()
    forward = torch.compile(model, dynamic=True) if job["side"] == "pytorch_compiled" else model
    optimizer, schedule = _optimizer(model, job, len(lengths))
    batches = _batches(lengths, job["batch_size"], np.random.default_rng(job["seed"]))[: job["steps"]]
    meter = Meter(job)
    for rows in batches:
        longest = int(lengths[rows].max())
        tokens = np.zeros((len(rows), longest), np.int64)
        for row, index in enumerate(rows):
            tokens[row, : lengths[index]] = ids[starts[index] : starts[index] + lengths[index]]
        mask = torch.from_numpy((np.arange(longest) < lengths[rows][:, None]).astype(np.int64))
        with torch.autocast("cpu", torch.bfloat16, enabled=job["precision"] == "bfloat16"):
            logits = forward(input_ids=torch.from_numpy(tokens), attention_mask=mask).logits
        loss = torch.nn.functional.binary_cross_entropy_with_logits(logits.float(), labels[rows])
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        schedule.step()
        optimizer.zero_grad(set_to_none=True)
        meter.step(len(rows), loss.item())
    return meter.result()


def load_model(job: dict[str, Any], n_labels: int) -> Any:
    """Return the classifier of a job, with the loss of several labels."""
    options = {"num_labels": n_labels, "problem_type": "multi_label_classification"}
    if job["model"] is None:
        return AutoModelForSequenceClassification.from_config(BertConfig(**options))
    return AutoModelForSequenceClassification.from_pretrained(job["model"], **options)


def _optimizer(model: Any, job: dict[str, Any], n_examples: int) -> tuple[Any, Any]:
    without_decay = ("bias", "LayerNorm.weight")
    groups = [
        {
            "params": [p for name, p in model.named_parameters() if not name.endswith(without_decay)],
            "weight_decay": 0.01,
        },
        {"params": [p for name, p in model.named_parameters() if name.endswith(without_decay)], "weight_decay": 0.0},
    ]
    optimizer = torch.optim.AdamW(groups, lr=job["learning_rate"], eps=1e-6, fused=True)
    total = min(job["steps"], -(-n_examples // job["batch_size"]))
    warmup = max(1.0, 0.1 * total)
    return optimizer, torch.optim.lr_scheduler.LambdaLR(
        optimizer, lambda step: min((step + 1) / warmup, max(0.0, (total - step) / max(1.0, total - warmup)))
    )


def _batches(lengths: Any, size: int, rng: Any) -> list[Any]:
    order = rng.permutation(len(lengths))
    batches: list[Any] = []
    for start in range(0, len(order), _WINDOW * size):
        window = order[start : start + _WINDOW * size]
        window = window[np.argsort(lengths[window], kind="stable")]
        in_window = [window[first : first + size] for first in range(0, len(window), size)]
        batches += [in_window[index] for index in rng.permutation(len(in_window))]
    return batches


if __name__ == "__main__":
    print(json.dumps(main(json.loads(Path(sys.argv[1]).read_text(encoding="utf-8")))))
