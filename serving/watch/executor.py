"""Executor of ModelProfile: answers of a pushed version to texts of its eval split, and their statistics."""

import hashlib
import heapq
from collections.abc import Sequence
from typing import Any

import numpy as np
import pyarrow as pa
import tensorflow as tf
from tensorflow_metadata.proto.v0.statistics_pb2 import DatasetFeatureStatisticsList as Statistics
from tfx import types
from tfx.dsl.components.base import base_executor
from tfx.types import artifact_utils
from tfx.types.standard_component_specs import EXAMPLES_KEY, PUSHED_MODEL_KEY

from components.common.files import escape_glob, list_files
from components.common.progress import PROGRESS
from components.pusher.push_result import PushResult
from components.registry import ModelRecord
from schema.features import ID, LABELS, SPAN, TEXT, TEXT_LENGTH, TEXT_PAIR
from serving.pieces import SIGNATURE, piece_counter
from serving.request_log.language import languages_of
from serving.request_log.rows import Pieces
from serving.scoring.model import TextModel
from serving.watch.profile import read_profile, write_profile
from serving.watch.rows import table_of
from serving.watch.settings import WatchSettings
from serving.watch.statistics import statistics_of

SETTINGS_KEY = "settings"
REGISTRY_KEY = "registry"
_SPLIT = "eval"
_NOT_SLICES = frozenset({ID, TEXT, TEXT_PAIR, LABELS, TEXT_LENGTH, SPAN})
_BATCH_SIZE = 256


class Executor(base_executor.BaseExecutor):  # type: ignore[misc]
    """Executor that leaves the profile of a pushed version in the registry; it does nothing if none was pushed."""

    def Do(  # noqa: N802 - TFX's name
        self,
        input_dict: dict[str, list[types.Artifact]],
        output_dict: dict[str, list[types.Artifact]],  # noqa: ARG002
        exec_properties: dict[str, Any],
    ) -> None:
        settings = WatchSettings.model_validate_json(exec_properties[SETTINGS_KEY])
        registry = exec_properties[REGISTRY_KEY]
        path = PushResult.read(artifact_utils.get_single_uri(input_dict[PUSHED_MODEL_KEY])).path
        if path is None:
            return
        model_id = ModelRecord.read(path).model_id
        if read_profile(registry, model_id) is None:
            split = artifact_utils.get_split_uri(input_dict[EXAMPLES_KEY], _SPLIT)
            rows, statistics = profile_of(path, split, settings.profile_texts)
            write_profile(registry, model_id, rows, statistics)


def profile_of(model_dir: str, split: str, size: int) -> tuple[pa.Table, Statistics]:
    """Return a model's answers to texts of a split, a table of `serving.watch.rows`, and their statistics.

    Args:
        model_dir: Directory of the SavedModel.
        split: Folder of a split's raw tf.Examples.
        size: Number of texts to draw.
    """
    examples = _sample(split, size)
    rows = _answers(TextModel(model_dir), examples)
    return rows, statistics_of(rows)


def _answers(model: TextModel, examples: Sequence[tf.train.Example]) -> pa.Table:
    """Return what a model answers to examples, as a table of `serving.watch.rows`."""
    texts = [text or b"" for text in _column(examples, TEXT)]
    pairs = _column(examples, TEXT_PAIR)
    seconds = None if None in pairs else [pair or b"" for pair in pairs]
    probabilities = model.probabilities(
        texts, seconds, _BATCH_SIZE, lambda done: PROGRESS.info("%d of %d texts", done, len(texts))
    )
    record = model.record
    in_use = [index for index, label in enumerate(record.outputs) if label is not None]
    given = probabilities > np.asarray(record.thresholds, np.float32)
    pieces = _count_pieces(model, texts, seconds)
    names = sorted({name for example in examples for name in example.features.feature} - _NOT_SLICES)
    return table_of(
        {record.labels[index]: probabilities[:, index] for index in in_use},
        [[record.labels[index] for index in in_use if row[index]] for row in given],
        characters=[len(text.decode()) + len((pair or b"").decode()) for text, pair in zip(texts, pairs, strict=True)],
        unknown=None if pieces is None else np.divide(pieces.unknown, np.maximum(pieces.pieces, 1)).astype(np.float32),
        cut=None if pieces is None else np.asarray(pieces.is_cut),
        languages=languages_of([text.decode() for text in texts]),
        slices={
            name: [None if value is None else value.decode() for value in _column(examples, name)] for name in names
        },
    )


def _count_pieces(model: TextModel, texts: Sequence[bytes], pairs: Sequence[bytes] | None) -> Pieces | None:
    """Count word pieces as `serve` counts them for its log; None if the model has no signature for that."""
    signature = model.signature(SIGNATURE)
    if signature is None:
        return None
    count = piece_counter(lambda examples: signature(examples=tf.constant(examples))["token_ids"].numpy())
    parts = [slice(start, start + _BATCH_SIZE) for start in range(0, len(texts), _BATCH_SIZE)]
    found = [count(texts[part], None if pairs is None else pairs[part]) for part in parts]
    return Pieces(
        pieces=[n for each in found for n in each.pieces],
        unknown=[n for each in found for n in each.unknown],
        is_cut=[cut for each in found for cut in each.is_cut],
    )


def _sample(split: str, size: int) -> list[tf.train.Example]:
    """Draw examples of a split by the hash of their texts, whatever the order of its rows."""
    chosen: dict[bytes, bytes] = {}
    files = list_files(f"{escape_glob(split)}/*")
    for record in tf.data.TFRecordDataset(files, compression_type="GZIP").as_numpy_iterator():
        chosen[hashlib.sha256(record).digest()] = record
        if len(chosen) > 2 * size:
            chosen = dict(heapq.nsmallest(size, chosen.items()))
    return [tf.train.Example.FromString(record) for _, record in sorted(chosen.items())[:size]]


def _column(examples: Sequence[tf.train.Example], name: str) -> list[bytes | None]:
    """Return the first value of a string feature of each example; None where it has none."""
    found: list[bytes | None] = []
    for example in examples:
        features = example.features.feature
        values = features[name].bytes_list.value if name in features else ()
        found.append(values[0] if values else None)
    return found
