"""The peer of `benchmarks.quality`: Hugging Face's BERT on PyTorch, with this project's chances.

It runs in an environment of its own, with torch, transformers and numpy but without this project:

    python peer_quality.py JOB

The job, in JSON, has a model folder, the folder of the splits as token ids and labels, the recipe, and the path of
the result: labels of eval and test, and their probabilities after each epoch. Texts of similar length
share a batch, sorted within windows of 50 shuffled batches. bfloat16 by autocast if the job says so, fused AdamW
without decay of biases and LayerNorm, gradients clipped by their global norm, warmup over a tenth of the steps and
linear decay; the head's bias starts at each label's log odds.
"""

import json
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import torch
from transformers import AutoModelForSequenceClassification

_WINDOW, _EVAL_BATCH = 50, 128


class _Split:
    """Texts of a split as token ids, and their labels."""

    def __init__(self, path: Path) -> None:
        with np.load(path) as data:
            self._ids, self.lengths = data["ids"], data["lengths"]
            self.labels = torch.from_numpy(data["labels"])
        self._starts = np.concatenate(([0], np.cumsum(self.lengths)[:-1]))

    def inputs(self, rows: Any) -> dict[str, torch.Tensor]:
        """Return the model's inputs for some rows, padded to the longest."""
        longest = int(self.lengths[rows].max())
        tokens = np.zeros((len(rows), longest), np.int64)
        for row, index in enumerate(rows):
            start = self._starts[index]
            tokens[row, : self.lengths[index]] = self._ids[start : start + self.lengths[index]]
        mask = (np.arange(longest) < self.lengths[rows][:, None]).astype(np.int64)
        return {"input_ids": torch.from_numpy(tokens), "attention_mask": torch.from_numpy(mask)}

    def batches(self, size: int, rng: Any) -> list[Any]:
        """Return the rows of each batch of an epoch."""
        order = rng.permutation(len(self.lengths))
        batches: list[Any] = []
        for start in range(0, len(order), _WINDOW * size):
            window = order[start : start + _WINDOW * size]
            window = window[np.argsort(self.lengths[window], kind="stable")]
            in_window = [window[first : first + size] for first in range(0, len(window), size)]
            batches += [in_window[index] for index in rng.permutation(len(in_window))]
        return batches


def main(job: dict[str, Any]) -> None:
    """Train as a job says and save the probabilities."""
    torch.set_num_threads(job["threads"])
    torch.manual_seed(job["seed"])
    splits = {name: _Split(Path(job["splits"], f"{name}-ids.npz")) for name in ("train", "eval", "test")}
    train = splits["train"]
    model = AutoModelForSequenceClassification.from_pretrained(
        job["model"], num_labels=train.labels.shape[1], problem_type="multi_label_classification"
    )
    share = train.labels.mean(dim=0).double().clamp(1e-6, 1 - 1e-6)
    with torch.no_grad():
        model.classifier.bias.copy_((share.log() - (-share).log1p()).float())
    rng = np.random.default_rng(job["seed"])
    n_batches = -(-len(train.lengths) // job["batch_size"])
    optimizer, schedule = _optimizer(model, job["learning_rate"], job["epochs"] * n_batches)
    after_epochs = []
    started = time.perf_counter()
    for _ in range(job["epochs"]):
        model.train()
        for rows in train.batches(job["batch_size"], rng):
            with torch.autocast("cpu", torch.bfloat16, enabled=job["bfloat16"]):
                logits = model(**train.inputs(rows)).logits
            torch.nn.functional.binary_cross_entropy_with_logits(logits.float(), train.labels[rows]).backward()
            torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
            optimizer.step()
            schedule.step()
            optimizer.zero_grad(set_to_none=True)
        after_epochs.append({name: _predict(model, splits[name]).sigmoid().numpy() for name in ("eval", "test")})
    arrays: dict[str, Any] = {"seconds": time.perf_counter() - started}
    for name in ("eval", "test"):
        arrays[name] = splits[name].labels.numpy()
        arrays[f"{name}_probabilities"] = np.stack([each[name] for each in after_epochs])
    partial_path = Path(job["path"]).with_suffix(".part.npz")
    np.savez_compressed(partial_path, **arrays)
    partial_path.rename(job["path"])


def _predict(model: Any, split: _Split) -> torch.Tensor:
    """Compute the logits of a split in float32."""
    model.eval()
    logits = torch.empty(split.labels.shape)
    by_length = np.argsort(split.lengths, kind="stable")
    with torch.no_grad():
        for start in range(0, len(by_length), _EVAL_BATCH):
            rows = by_length[start : start + _EVAL_BATCH]
            logits[rows] = model(**split.inputs(rows)).logits
    return logits


def _optimizer(model: Any, learning_rate: float, total: int) -> tuple[Any, Any]:
    without_decay = ("bias", "LayerNorm.weight")
    named = list(model.named_parameters())
    groups = [
        {"params": [p for name, p in named if not name.endswith(without_decay)], "weight_decay": 0.01},
        {"params": [p for name, p in named if name.endswith(without_decay)], "weight_decay": 0.0},
    ]
    optimizer = torch.optim.AdamW(groups, lr=learning_rate, eps=1e-6, fused=True)
    warmup = max(1.0, 0.1 * total)
    return optimizer, torch.optim.lr_scheduler.LambdaLR(
        optimizer, lambda step: min((step + 1) / warmup, max(0.0, (total - step) / max(1.0, total - warmup)))
    )


if __name__ == "__main__":
    main(json.loads(sys.argv[1]))
