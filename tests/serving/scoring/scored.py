"""A registry with a small model, and scorings of files with it, in process."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from components import registry
from components.registry import ModelRecord, checksums, content_id
from pipeline.config.score import score_configuration
from pipeline.console import PlainConsole
from pipeline.score import score
from serving.scoring.record import ScoringRecord
from tests.components.behaviour import keyword_model


def push(base: Path, folder: Path, *, pair: bool = False, note: str = "") -> registry.Version:
    """Push the keyword model as a version; another note makes it another model."""
    exported = keyword_model.export(folder, pair=pair)
    (exported / "assets").mkdir(exist_ok=True)
    (exported / "assets" / "note.txt").write_text(note)
    record = ModelRecord.read(str(exported))
    record = record.model_copy(update={"model_id": content_id(checksums(str(exported)))})
    record.write(str(exported))
    return registry.push(str(exported), str(base), record)


def score_files(model: Path | str, output: Path, files: list[str], *overrides: str, **options: Any) -> ScoringRecord:
    """Score files in this process; overrides are those of `--set`, options replace keys of `scoring`."""
    configuration = score_configuration(None, overrides, {"output": str(output), **options}, files)
    return score(configuration, str(model), PlainConsole(quiet=True))


def rows_of(output: Path) -> list[Mapping[str, Any]]:
    """Return all scored rows in their order."""
    paths = sorted((output / "scores").iterdir())
    if paths[0].suffix == ".jsonl":
        return [json.loads(line) for path in paths for line in path.read_text(encoding="utf-8").splitlines()]
    rows: list[Mapping[str, Any]] = pa.concat_tables([pq.read_table(path) for path in paths]).to_pylist()
    return rows
