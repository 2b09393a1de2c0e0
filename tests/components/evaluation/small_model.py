"""Model with known predictions, exported as the Trainer exports models, and examples and artifacts to evaluate it on.

Its "text" is the index of a row in a table of probabilities.
"""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt
import tensorflow as tf
from google.protobuf import text_format
from tensorflow_metadata.proto.v0 import schema_pb2
from tfx.types import Artifact, standard_artifacts

from components.registry import ModelRecord, checksums, content_id

# No example has the label "never"; "shy" is never predicted.
LABELS = ["billing", "refund", "shipping", "shy", "never"]
THRESHOLDS = [0.5, 0.3, 0.7, 0.9, 0.4]
ROWS = 60


def truth(seed: int = 0) -> npt.NDArray[np.bool_]:
    """Return which row has which label, [ROWS, n_labels]; the first row has none."""
    labels = np.random.default_rng(seed).random((ROWS, len(LABELS))) < [0.4, 0.3, 0.3, 0.1, 0.0]
    labels[0] = False
    labels[1, 3] = True
    return labels


def good_probabilities(noise: float = 0.25, seed: int = 1) -> npt.NDArray[np.float32]:
    """Return probabilities that are mostly on the correct side of THRESHOLDS, [ROWS, n_labels]."""
    labels = truth()
    generator = np.random.default_rng(seed)
    probabilities = np.where(labels, 0.8, 0.2) + generator.normal(0, noise, labels.shape)
    probabilities[:, 3] = np.where(labels[:, 3], 0.7, 0.3) + generator.normal(0, 0.1, ROWS)
    # No two labels of a row are equally probable: their ranking would depend on the last bit.
    return (np.clip(probabilities, 0.01, 0.89) + 1e-4 * np.arange(len(LABELS))).astype(np.float32)


def bad_probabilities() -> npt.NDArray[np.float32]:
    """Return the probabilities of a model that has learnt nothing: noise below every threshold, [ROWS, n_labels]."""
    return np.random.default_rng(2).uniform(0.01, 0.1, (ROWS, len(LABELS))).astype(np.float32)


def decision_scores(probabilities: npt.NDArray[np.float32], thresholds: Sequence[float]) -> npt.NDArray[np.float32]:
    """Return probabilities as the `evaluation` signature maps them, with each label's threshold at 0.5."""
    cuts = np.asarray(thresholds, np.float32)
    return np.where(probabilities < cuts, 0.5 * probabilities / cuts, 0.5 + 0.5 * (probabilities - cuts) / (1 - cuts))


class SmallModel(tf.Module):  # type: ignore[misc]
    """Model that looks its probabilities up, with the signatures that the Trainer exports."""

    def __init__(
        self, probabilities: npt.NDArray[np.float32], labels: Sequence[str], thresholds: Sequence[float]
    ) -> None:
        super().__init__()
        self.table = tf.Variable(probabilities)
        self.thresholds = tf.Variable(np.asarray(thresholds, np.float32))
        self.labels = tf.constant(list(labels))

    @tf.function(input_signature=[tf.TensorSpec([None], tf.string)])  # type: ignore[untyped-decorator]
    def serve_text(self, texts: tf.Tensor) -> dict[str, tf.Tensor]:
        return {"probabilities": tf.gather(self.table, tf.strings.to_number(texts, tf.int32))}

    @tf.function(  # type: ignore[untyped-decorator]
        input_signature=[tf.TensorSpec([None], tf.string, "texts"), tf.TensorSpec([None], tf.string, "labels")]
    )
    def explain(self, texts: tf.Tensor, labels: tf.Tensor) -> dict[str, tf.Tensor]:
        rows = tf.size(texts)
        column = tf.argmax(tf.cast(labels[:, None] == self.labels, tf.int32), axis=1)
        probabilities = tf.gather(self.serve_text(texts)["probabilities"], column, batch_dims=1)
        logits = tf.math.log(probabilities / (1 - probabilities))
        nothing = tf.zeros_like(logits)
        return {
            "pieces": tf.stack([tf.fill([rows], "[CLS]"), texts, tf.fill([rows], "[SEP]")], axis=1),
            "attributions": tf.stack([nothing, logits, nothing], axis=1),
            "logits": logits,
            "baseline_logits": nothing,
            "steps": tf.fill([rows], 16),
        }

    @tf.function(input_signature=[tf.TensorSpec([None], tf.string)])  # type: ignore[untyped-decorator]
    def serving_default(self, examples: tf.Tensor) -> dict[str, tf.Tensor]:
        spec = {"text": tf.io.FixedLenFeature([], tf.string)}
        return dict(self.serve_text(tf.io.parse_example(examples, spec)["text"]))

    @tf.function(input_signature=[tf.TensorSpec([None], tf.string)])  # type: ignore[untyped-decorator]
    def transform_features(self, examples: tf.Tensor) -> dict[str, tf.Tensor]:
        spec = {"labels": tf.io.RaggedFeature(tf.string)}
        names = tf.io.parse_example(examples, spec)["labels"].to_tensor("")
        multi_hot = tf.reduce_any(names[:, :, None] == self.labels, axis=1)
        return {"labels": tf.cast(multi_hot, tf.float32), "token_ids": tf.zeros_like(multi_hot, tf.int64)}

    @tf.function(input_signature=[tf.TensorSpec([None], tf.string)])  # type: ignore[untyped-decorator]
    def evaluation(self, examples: tf.Tensor) -> dict[str, tf.Tensor]:
        p, t = self.serving_default(examples)["probabilities"], self.thresholds
        return {"decision_scores": tf.where(p < t, 0.5 * p / t, 0.5 + 0.5 * (p - t) / (1 - t))}


def export(
    model_uri: Path,
    probabilities: npt.NDArray[np.float32],
    labels: Sequence[str] = LABELS,
    thresholds: Sequence[float] = THRESHOLDS,
    without: Sequence[str] = (),
    retired: Sequence[str] = (),
    renamed: dict[str, str] | None = None,
) -> ModelRecord:
    """Write `<model_uri>/Format-Serving` as the Trainer does.

    Args:
        model_uri: URI of the Model artifact.
        probabilities: [ROWS, n_labels]; must be 0 for retired labels, as the Trainer ensures.
        labels: Labels in the order of the outputs.
        thresholds: Threshold of each label; must be 1 for retired labels.
        without: Signatures to leave out.
        retired: Labels that are no longer in use.
        renamed: Former name -> present name.

    Returns:
        The record of the model.
    """
    model = SmallModel(probabilities, labels, thresholds)
    names = ["serving_default", "serve_text", "transform_features", "evaluation", "explain"]
    signatures = {name: getattr(model, name) for name in names if name not in without}
    model_dir = model_uri / "Format-Serving"
    tf.saved_model.save(model, str(model_dir), signatures=signatures)
    record = ModelRecord(
        model_id=content_id(checksums(str(model_dir))),
        labels=list(labels),
        thresholds=list(thresholds),
        checkpoint="none",
        created="2026-01-01T00:00:00+00:00",
        versions={"tensorflow": tf.__version__},
        retired=list(retired),
        renamed=renamed or {},
    )
    record.write(str(model_dir))
    return record


def write_examples(uri: Path, labels: npt.NDArray[np.bool_], splits: Sequence[str] = ("train", "eval", "test")) -> None:
    """Write Examples whose test split has these labels, and whose other splits have none."""
    for split in splits:
        rows = labels if split == "test" else np.zeros_like(labels)
        folder = uri / f"Split-{split}"
        folder.mkdir(parents=True)
        with tf.io.TFRecordWriter(str(folder / "data.gz"), "GZIP") as writer:
            for row, multi_hot in enumerate(rows):
                writer.write(_example(row, [LABELS[column] for column in np.flatnonzero(multi_hot)]))


def language(row: int) -> str:
    """Return the value of a row in the column `language`."""
    return "zh" if row % 3 == 0 else "en"


def channel(row: int) -> str:
    """Return the value of a row in the column `channel`."""
    return "mail" if row % 2 == 0 else "chat"


def length(row: int) -> int:
    """Return the value of a row in the column `text_length`, which ExampleGen fills: from 0 to 177."""
    return 3 * row


def write_schema(uri: Path) -> None:
    """Write the schema of the examples."""
    features = [
        f'feature {{ name: "{name}" type: BYTES shape {{ dim {{ size: 1 }} }} presence {{ min_fraction: 1 }} }}'
        for name in ("id", "text", "language", "channel")
    ]
    features += [
        'feature { name: "labels" type: BYTES }',
        'feature { name: "text_length" type: INT shape { dim { size: 1 } } presence { min_fraction: 1 } }',
    ]
    schema = text_format.Parse(" ".join(features), schema_pb2.Schema())
    uri.mkdir(parents=True)
    (uri / "schema.pbtxt").write_text(text_format.MessageToString(schema))


def artifact(kind: type[Artifact], uri: Path, number: int = 1) -> Artifact:
    """Return a TFX artifact at `uri`, whose folder is created."""
    result = kind()
    result.uri = str(uri)
    result.id = number
    uri.mkdir(parents=True, exist_ok=True)
    if kind is standard_artifacts.Examples:
        result.split_names = '["train", "eval", "test"]'
    return result


def _example(row: int, labels: Sequence[str]) -> bytes:
    values = {
        "id": [f"row-{row}"],
        "text": [str(row)],
        "language": [language(row)],
        "channel": [channel(row)],
        "labels": labels,
    }
    features = {
        name: tf.train.Feature(bytes_list=tf.train.BytesList(value=[value.encode() for value in texts]))
        for name, texts in values.items()
    }
    features["text_length"] = tf.train.Feature(int64_list=tf.train.Int64List(value=[length(row)]))
    serialized: bytes = tf.train.Example(features=tf.train.Features(feature=features)).SerializeToString()
    return serialized
