"""What tells one state of the inputs from another, without reading them. Needs no TFX."""

import json
from collections.abc import Sequence
from hashlib import sha256
from typing import Any

from components.common.files import modified
from components.example_gen.settings import ExamplesSettings, IndexedLabels
from components.example_gen.sources.sources import InputFile, Sources


def fingerprint(settings: ExamplesSettings, sources: Sources, project: str = "") -> str:
    """SHA-256, in hex, over name, size and time of change of everything that is read, or what queries have for it."""
    if settings.format == "bigquery":
        from components.example_gen.sources.bigquery import check as bigquery_check

        described: list[Any] = [bigquery_check.fingerprint(sources.queries, project), *_label_names(settings)]
        return sha256(json.dumps(described).encode()).hexdigest()
    described = [*_described(sources.files), *_label_names(settings)]
    return sha256(json.dumps(described).encode()).hexdigest()


def _described(files: Sequence[InputFile]) -> list[list[str | int | float]]:
    return [[file.name, file.size, modified(file.path)] for file in files]


def _label_names(settings: ExamplesSettings) -> list[list[str | int | float]]:
    if not isinstance(settings.labels, IndexedLabels):
        return []
    path = f"{settings.input_base.rstrip('/')}/{settings.labels.names}"
    return [[settings.labels.names, modified(path)]]
