"""Fingerprint of the inputs: detects a change without reading them. Needs no TFX."""

import json
from collections.abc import Sequence
from hashlib import sha256
from typing import Any

from components.common.files import modification_time
from components.example_gen.parsing.settings import PositionalLabels
from components.example_gen.settings import ExamplesSettings
from components.example_gen.sources.sources import InputFile, Sources


def fingerprint(settings: ExamplesSettings, sources: Sources, project: str = "") -> str:
    """Return a fingerprint of everything that is read.

    Args:
        settings: Kind of the labels, and the path of their list.
        sources: Files or queries that are read.
        project: Google Cloud project that pays for queries; "" if there are none.

    Returns:
        SHA-256 in hexadecimal over name, size and time of modification of every file, or over what BigQuery reports
        about the queries and their tables.
    """
    if settings.has_queries:
        from components.example_gen.sources.bigquery import check as bigquery_check

        inputs: list[Any] = [bigquery_check.fingerprint(sources.queries, project)]
    else:
        inputs = _describe_files(sources.files)
    return sha256(json.dumps([*inputs, *_describe_label_names(settings)]).encode()).hexdigest()


def _describe_files(files: Sequence[InputFile]) -> list[list[str | int | float]]:
    return [[file.name, file.size, modification_time(file.path)] for file in files]


def _describe_label_names(settings: ExamplesSettings) -> list[list[str | int | float]]:
    if not isinstance(settings.labels, PositionalLabels):
        return []
    path = f"{settings.input_base.rstrip('/')}/{settings.labels.names}"
    return [[settings.labels.names, modification_time(path)]]
