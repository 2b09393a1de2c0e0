"""Model that gives a label to every text that contains its name, exported as for serving."""

from collections.abc import Sequence
from pathlib import Path

import tensorflow as tf

from components.registry import ModelRecord

LABELS = ["billing", "refund", "gone", "shipping"]
THRESHOLDS = [0.5, 0.3, 1.0, 0.7]


class KeywordModel(tf.Module):  # type: ignore[misc]
    """Probability 0.9 for a label whose name is in the text or its pair, 0.1 for others, 0 for retired ones."""

    @tf.function(input_signature=[tf.TensorSpec([None], tf.string, "texts")])  # type: ignore[untyped-decorator]
    def serve_text(self, texts: tf.Tensor) -> dict[str, tf.Tensor]:
        tf.debugging.assert_less_equal(tf.size(texts), 256)  # a server's limit
        matches = [tf.strings.regex_full_match(texts, f"(?s).*{label}.*") for label in LABELS]
        return {"probabilities": tf.where(tf.stack(matches, axis=1), 0.9, 0.1) * [1.0, 1.0, 0.0, 1.0]}

    @tf.function(  # type: ignore[untyped-decorator]
        input_signature=[tf.TensorSpec([None], tf.string, "texts"), tf.TensorSpec([None], tf.string, "text_pairs")]
    )
    def serve_pair(self, texts: tf.Tensor, text_pairs: tf.Tensor) -> dict[str, tf.Tensor]:
        return dict(self.serve_text(tf.strings.join([texts, text_pairs])))


def export(model_dir: Path, *, pair: bool = False) -> Path:
    """Export the model with its model.json; return the folder."""
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
    """Write raw tf.Examples as ExampleGen does, in two files. Row rN has the N-th text, counted from 0."""
    folder.mkdir(parents=True)
    for part in range(2):
        with tf.io.TFRecordWriter(str(folder / f"data_tfrecord-0000{part}-of-00002.gz"), "GZIP") as writer:
            for index in range(part, len(texts), 2):
                values = {"id": f"r{index}", "text": texts[index]}
                feature = {
                    name: tf.train.Feature(bytes_list=tf.train.BytesList(value=[value.encode()]))
                    for name, value in values.items()
                }
                writer.write(tf.train.Example(features=tf.train.Features(feature=feature)).SerializeToString())
