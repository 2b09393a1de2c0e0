"""GoEmotions as benchmarks read it: tab-separated files of text, label indices and id, and a file of the labels."""

import os
from pathlib import Path

GOEMOTIONS = Path(os.environ.get("GOEMOTIONS_DIR", "../shared/data/goemotions"))


def read_rows(path: Path, limit: int | None = None) -> list[list[str]]:
    """Read [text, comma-separated label indices, id] of each line, the first ones only if there is a limit."""
    return [line.split("\t") for line in path.read_text(encoding="utf-8").split("\n") if line][:limit]


def read_labels(folder: Path) -> list[str]:
    """Read the label of each index."""
    return (folder / "labels.txt").read_text(encoding="utf-8").split()


def missing(folder: Path) -> str | None:
    """Return why a benchmark cannot run, for its result; None if the data are there."""
    if (folder / "train.tsv").is_file():
        return None
    return f"no train.tsv in {folder}: `python -m benchmarks.fetch_goemotions FOLDER` fetches it"
