"""Project small enough for tests: easy data, a checkpoint, a schema and a configuration."""

import csv
import random
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from schema.infer import infer_schema, schema_text
from tests.support.tiny_bert import write_tiny_bert

LABELS = ("account", "praise", "refund")
_WORDS = {"account": ("login", "password"), "praise": ("thanks", "love"), "refund": ("refund", "money")}
_FILLERS = ("the", "a", "is", "my", "i", "to", "and", "it", "not", "broken", "slow")


@dataclass(frozen=True)
class Project:
    """Project in a folder."""

    folder: Path

    @property
    def configuration(self) -> Path:
        return self.folder / "pipeline.yaml"

    @property
    def registry(self) -> Path:
        return self.folder / "registry"

    @property
    def runs(self) -> Path:
        return self.folder / "work" / "runs"

    @property
    def data(self) -> Path:
        return self.folder / "data" / "rows.csv"

    def configure(self, **changes: Any) -> None:
        """Replace top-level keys of the configuration."""
        content = yaml.safe_load(self.configuration.read_text())
        self.configuration.write_text(yaml.safe_dump(content | changes))


def make_project(folder: Path, *, rows: int = 400, seed: int = 0, checkpoint: str = "bert") -> Project:
    """Write a project whose labels a pretrained BERT learns in seconds, as each has two words of its own.

    Args:
        folder: Folder to write to.
        rows: Number of rows.
        seed: Seed of the rows.
        checkpoint: `bert`, a tiny random BERT with which everything runs but little is learned, or `minilm-l6`.
    """
    (folder / "data").mkdir(parents=True)
    write_tiny_bert(folder / "bert")
    write_rows(folder / "data" / "rows.csv", rows, seed=seed)
    (folder / "schema.pbtxt").write_text(schema_text(infer_schema(LABELS, ["channel"])))
    project = Project(folder)
    project.configuration.write_text(yaml.safe_dump({
        "name": "small",
        "work_dir": "work",
        "schema_file": "schema.pbtxt",
        "registry": "registry",
        "checkpoint": checkpoint,
        "max_tokens": 32,
        "examples": {
            "input_base": "data",
            "id": "id",
            "labels": {"kind": "delimited", "column": "labels"},
            "slices": ["channel"],
            "split_by": "id",
            "inputs": [{"pattern": "*.csv", "split": {"train": 6, "eval": 2, "test": 2}}],
        },
        "training": {"epochs": 3, "batch_size": 16, "learning_rate": 3e-4},
        "evaluation": {"slices": ["channel"], "gates": ["macro_f1 >= 0.8", "macro_f1 >= baseline - 0.2"]},
    }))  # fmt: skip
    return project


def write_rows(path: Path, rows: int, *, seed: int, probability: float = 0.35, labels: Sequence[str] = LABELS) -> None:
    """Write a CSV file of random rows, each of which has each label with this probability."""
    rng = random.Random(seed)
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(["id", "text", "labels", "channel"])
        for number in range(rows):
            row_labels = [label for label in labels if rng.random() < probability]
            words = [rng.choice(_WORDS[label]) for label in row_labels] + rng.choices(_FILLERS, k=rng.randint(1, 6))
            rng.shuffle(words)
            writer.writerow([f"r{number}", " ".join(words), "|".join(row_labels), rng.choice(["chat", "mail"])])
