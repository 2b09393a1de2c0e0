"""A model that gives a label where its text has the label's very name, exported with what serving needs."""

from collections.abc import Sequence
from pathlib import Path

import tensorflow as tf

from components.registry import ModelRecord

LABELS = ["billing", "refund", "gone", "shipping"]
THRESHOLDS = [0.5, 0.3, 1.0, 0.7]


class KeywordModel(tf.Module):  # type: ignore[misc]
    """0.9 where the label's name is in the text, or in its pair; else 0.1. What is retired has 0."""

    @tf.function(input_signature=[tf.TensorSpec([None], tf.string, "texts")])  # type: ignore[untyped-decorator]
    def serve_text(self, texts: tf.Tensor) -> dict[str, tf.Tensor]:
        tf.debugging.assert_less_equal(tf.size(texts), 256)  # a server's limit
        found = [tf.strings.regex_full_match(texts, f"(?s).*{label}.*") for label in LABELS]
        return {"probabilities": tf.where(tf.stack(found, axis=1), 0.9, 0.1) * [1.0, 1.0, 0.0, 1.0]}

    @tf.function(  # type: ignore[untyped-decorator]
        input_signature=[tf.TensorSpec([None], tf.string, "texts"), tf.TensorSpec([None], tf.string, "text_pairs")]
    )
    def serve_pair(self, texts: tf.Tensor, text_pairs: tf.Tensor) -> dict[str, tf.Tensor]:
        return dict(self.serve_text(tf.strings.join([texts, text_pairs])))


def export(model_dir: Path, *, pair: bool = False) -> Path:
    """Writes it with its model.json."""
    model = KeywordModel()
    serve = model.serve_pair if pair else model.serve_text
    tf.saved_model.save(model, str(model_dir), signatures={"serve_text": serve})
    record = ModelRecord(
        model_id="0",
        labels=LABELS,
        thresholds=THRESHOLDS,
        checkpoint="none",
        created="2026-01-01T00:00:00+00:00",
        versions={},
        retired=["gone"],
    )
    record.write(str(model_dir))
    return model_dir


def write_test_split(folder: Path, texts: Sequence[str]) -> None:
    """Raw tf.Examples as the ExampleGen writes them, in two files; row rN has the N-th text."""
    folder.mkdir(parents=True)
    for part in range(2):
        with tf.io.TFRecordWriter(str(folder / f"data_tfrecord-0000{part}-of-00002.gz"), "GZIP") as writer:
            for number in range(part, len(texts), 2):
                values = {"id": f"r{number}", "text": texts[number]}
                feature = {
                    name: tf.train.Feature(bytes_list=tf.train.BytesList(value=[value.encode()]))
                    for name, value in values.items()
                }
                writer.write(tf.train.Example(features=tf.train.Features(feature=feature)).SerializeToString())
