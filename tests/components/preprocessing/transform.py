"""Run Transform's executor on rows of a test."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import tensorflow as tf
from tfx.components.transform import executor as transform
from tfx.dsl.components.base import base_beam_executor
from tfx.types import artifact_utils, standard_artifacts, standard_component_specs

from components.data_gate.schema import complete_schema
from components.data_gate.settings import DataGateSettings
from schema.infer import infer_schema, schema_text
from tests.support.beam import BEAM_ARGUMENTS

Row = Mapping[str, Sequence[str] | Sequence[int] | Sequence[float]]


def run_transform(
    root: Path,
    rows: Sequence[Row],
    labels: Sequence[str],
    tokenizer: Mapping[str, Any],
    *,
    pair: bool = False,
    partial: bool = False,
) -> Path:
    """Write a transform graph to `graph` and examples to `examples/Split-train` below `root`; return `root`.

    Args:
        root: Empty folder.
        rows: Strings of each feature.
        labels: The label list.
        tokenizer: `TokenizerSettings` as JSON.
        pair: Whether the schema has a second text.
        partial: Whether rows may leave labels unknown, and have soft ones.
    """
    examples, schema = standard_artifacts.Examples(), standard_artifacts.Schema()
    examples.uri, schema.uri = str(root / "raw"), str(root / "schema")
    examples.split_names = artifact_utils.encode_split_names(["train"])
    _write_examples(root / "raw" / "Split-train", rows)
    (root / "schema").mkdir()
    inferred = infer_schema(labels, ["channel"], pair=pair)
    if partial:
        inferred = complete_schema(inferred, DataGateSettings(), spans=False, unknown=True, soft=True)
    (root / "schema" / "schema.pbtxt").write_text(schema_text(inferred))
    outputs = {
        standard_component_specs.TRANSFORM_GRAPH_KEY: standard_artifacts.TransformGraph(),
        standard_component_specs.TRANSFORMED_EXAMPLES_KEY: standard_artifacts.Examples(),
    }
    outputs[standard_component_specs.TRANSFORM_GRAPH_KEY].uri = str(root / "graph")
    outputs[standard_component_specs.TRANSFORMED_EXAMPLES_KEY].uri = str(root / "examples")
    context = base_beam_executor.BaseBeamExecutor.Context(
        beam_pipeline_args=list(BEAM_ARGUMENTS), tmp_dir=str(root / "tmp"), unique_id="1"
    )
    settings = {"tokenizer": dict(tokenizer), "labels": list(labels)}
    transform.Executor(context).Do(
        {
            standard_component_specs.EXAMPLES_KEY: [examples],
            standard_component_specs.SCHEMA_KEY: [schema],
        },
        {key: [artifact] for key, artifact in outputs.items()},
        {
            standard_component_specs.PREPROCESSING_FN_KEY: "components.preprocessing.preprocessing.preprocessing_fn",
            standard_component_specs.CUSTOM_CONFIG_KEY: json.dumps({"preprocessing": settings}),
            standard_component_specs.DISABLE_STATISTICS_KEY: 1,
        },
    )
    return root


def transformed_examples(root: Path) -> tf.Tensor:
    """Return the examples that `run_transform` wrote: serialized tf.Examples in the order of the rows, string [n]."""
    files = [str(path) for path in (root / "examples" / "Split-train").iterdir()]
    return next(iter(tf.data.TFRecordDataset(files, "GZIP").batch(1_000_000)))


def serialized(row: Row) -> bytes:
    """Return a serialized tf.Example of strings."""
    features = {name: _feature(values) for name, values in row.items()}
    example: bytes = tf.train.Example(features=tf.train.Features(feature=features)).SerializeToString()
    return example


def _feature(values: Sequence[str] | Sequence[int] | Sequence[float]) -> tf.train.Feature:
    if values and isinstance(values[0], int):
        return tf.train.Feature(int64_list=tf.train.Int64List(value=values))
    if values and isinstance(values[0], float):
        return tf.train.Feature(float_list=tf.train.FloatList(value=values))
    return tf.train.Feature(bytes_list=tf.train.BytesList(value=[str(value).encode() for value in values]))


def _write_examples(folder: Path, rows: Sequence[Row]) -> None:
    folder.mkdir(parents=True)
    with tf.io.TFRecordWriter(str(folder / "rows.gz"), "GZIP") as writer:
        for row in rows:
            writer.write(serialized({"channel": ["chat"], **row}))
