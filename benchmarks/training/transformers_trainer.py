"""Peer of `benchmarks.train`: the Trainer of Transformers as it is, with batches grouped by length.

It runs in the peers' environment: `python -m benchmarks.training.transformers_trainer JOB.json`, see
`benchmarks.training.pytorch`.
"""

import json
import sys
from pathlib import Path
from typing import Any

import numpy as np
import torch
from transformers import Trainer, TrainerCallback, TrainingArguments

from benchmarks.training.measure import Meter
from benchmarks.training.pytorch import load_model


class _Texts(torch.utils.data.Dataset):  # type: ignore[misc]  # PyTorch is not installed here
    """Token ids and labels of a job."""

    def __init__(self, path: str) -> None:
        data = np.load(path, allow_pickle=False)
        self._ids = np.split(data["ids"], np.cumsum(data["lengths"])[:-1])
        self.labels = data["labels"]

    def __len__(self) -> int:
        return len(self._ids)

    def __getitem__(self, index: int) -> dict[str, Any]:
        return {"input_ids": self._ids[index], "labels": self.labels[index]}


class _Progress(TrainerCallback):  # type: ignore[misc]
    """Callback that tells a meter of the steps."""

    def __init__(self, meter: Meter, batch_size: int) -> None:
        self._meter, self._batch_size = meter, batch_size

    def on_step_end(self, *_: Any, **__: Any) -> None:
        self._meter.step(self._batch_size)

    def on_log(self, *_: Any, logs: dict[str, float] | None = None, **__: Any) -> None:
        if logs and "loss" in logs:
            self._meter.add_mean_loss(float(logs["loss"]))


def _collate(rows: list[dict[str, Any]]) -> dict[str, torch.Tensor]:
    """Pad a batch to its longest text, as DataCollatorWithPadding does."""
    longest = max(len(row["input_ids"]) for row in rows)
    ids = np.zeros((len(rows), longest), np.int64)
    mask = np.zeros((len(rows), longest), np.int64)
    for index, row in enumerate(rows):
        ids[index, : len(row["input_ids"])], mask[index, : len(row["input_ids"])] = row["input_ids"], 1
    labels = torch.from_numpy(np.stack([row["labels"] for row in rows]))
    return {"input_ids": torch.from_numpy(ids), "attention_mask": torch.from_numpy(mask), "labels": labels}


def main(job: dict[str, Any]) -> dict[str, Any]:
    """Train as a job says and return the measurements."""
    torch.set_num_threads(job["threads"])
    texts, meter = _Texts(job["data"]), Meter(job)
    arguments = TrainingArguments(
        output_dir=job["folder"], use_cpu=True, seed=job["seed"], bf16=job["precision"] == "bfloat16",
        per_device_train_batch_size=job["batch_size"], max_steps=min(job["steps"], len(texts) // job["batch_size"]),
        learning_rate=job["learning_rate"], weight_decay=0.01, warmup_steps=job["steps"] // 10,
        train_sampling_strategy="group_by_length", remove_unused_columns=False,
        logging_steps=job["curve"], save_strategy="no", report_to="none", disable_tqdm=True,
    )  # fmt: skip
    Trainer(
        model=load_model(job, texts.labels.shape[1]),
        args=arguments,
        train_dataset=texts,
        data_collator=_collate,
        callbacks=[_Progress(meter, job["batch_size"])],
    ).train()
    return meter.result()


if __name__ == "__main__":
    print(json.dumps(main(json.loads(Path(sys.argv[1]).read_text(encoding="utf-8")))))
