"""Small models with the signatures that the Trainer exports, in real registries."""

from pathlib import Path

import tensorflow as tf

from components.registry import ModelRecord, Version, checksums, content_id, push

LABELS = ("billing", "refund", "<b>shipping</b>")
THRESHOLDS = (0.5, 0.25, 0.75)


class WordModel(tf.Module):  # type: ignore[misc]
    """Probability of a label: the share of a text's words that are its first letters; `bias` tells versions apart."""

    def __init__(self, bias: float) -> None:
        super().__init__()
        self.bias = tf.Variable(bias)
        self.thresholds = tf.constant(THRESHOLDS)

    def _probabilities(self, texts: tf.Tensor) -> tf.Tensor:
        lengths = tf.cast(tf.strings.length(texts), tf.float32)
        shares = [lengths % modulus / modulus for modulus in (7.0, 5.0, 3.0)]
        return tf.ensure_shape(0.9 * tf.stack(shares, axis=1) + self.bias, [None, 3])

    @tf.function(input_signature=[tf.TensorSpec([None], tf.string, "texts")])  # type: ignore[untyped-decorator]
    def serve_text(self, texts: tf.Tensor) -> dict[str, tf.Tensor]:
        probabilities = self._probabilities(texts)
        labels = tf.where(probabilities > self.thresholds, tf.constant(LABELS), "")
        return {"probabilities": probabilities, "labels": labels}

    @tf.function(input_signature=[tf.TensorSpec([None], tf.string, "examples")])  # type: ignore[untyped-decorator]
    def serving_default(self, examples: tf.Tensor) -> dict[str, tf.Tensor]:
        parsed = tf.io.parse_example(examples, {"text": tf.io.FixedLenFeature([], tf.string)})
        return {"probabilities": self._probabilities(parsed["text"])}

    @tf.function(  # type: ignore[untyped-decorator]
        input_signature=[tf.TensorSpec([None], tf.string, "texts"), tf.TensorSpec([None], tf.string, "labels")]
    )
    def explain(self, texts: tf.Tensor, labels: tf.Tensor) -> dict[str, tf.Tensor]:
        """Add one to a label's log odds for each word that has its first letter, and take a half for the others."""
        words = tf.strings.split(tf.strings.lower(texts))
        wanted = tf.repeat(tf.strings.substr(labels, 0, 1), words.row_lengths())
        added = tf.where(tf.strings.substr(words.flat_values, 0, 1) == wanted, 1.0, -0.5)
        adds = words.with_flat_values(added)
        ends, nothing = tf.fill([words.nrows(), 1], "[SEP]"), tf.zeros([words.nrows(), 1])
        return {
            "pieces": tf.concat([tf.fill([words.nrows(), 1], "[CLS]"), words, ends], 1).to_tensor(""),
            "attributions": tf.concat([nothing, adds, nothing], 1).to_tensor(),
            "logits": tf.reduce_sum(adds, axis=1),
            "baseline_logits": tf.zeros([words.nrows()]),
            "steps": tf.fill([words.nrows()], 16),
        }

    @tf.function(input_signature=[tf.TensorSpec([None], tf.string, "examples")])  # type: ignore[untyped-decorator]
    def transform_features(self, examples: tf.Tensor) -> dict[str, tf.Tensor]:
        parsed = tf.io.parse_example(examples, {"text": tf.io.FixedLenFeature([], tf.string)})
        words = tf.strings.split(parsed["text"])[:, :30]
        is_unknown = tf.strings.regex_full_match(words.flat_values, r"[^\x00-\x7f]+")
        ids = words.with_flat_values(tf.where(is_unknown, tf.constant(1, tf.int64), tf.constant(9, tf.int64)))
        rows = ids.nrows()
        framed = tf.concat(
            [tf.fill([rows, 1], tf.constant(2, tf.int64)), ids, tf.fill([rows, 1], tf.constant(3, tf.int64))], 1
        )
        return {"token_ids": framed.to_tensor()}


def export_model(model_dir: Path, bias: float = 0.0) -> ModelRecord:
    """Export a model with its model.json."""
    model = WordModel(bias)
    names = ("serve_text", "serving_default", "transform_features", "explain")
    tf.saved_model.save(model, str(model_dir), signatures={name: getattr(model, name) for name in names})
    record = ModelRecord(
        model_id=content_id(checksums(str(model_dir))),
        labels=list(LABELS),
        thresholds=list(THRESHOLDS),
        checkpoint="none",
        created="2026-01-01T00:00:00+00:00",
        versions={},
        slices=["channel"],
    )
    record.write(str(model_dir))
    return record


def push_model(folder: Path, registry: Path, bias: float = 0.0) -> Version:
    """Export a model into a folder and push it."""
    record = export_model(folder, bias)
    return push(str(folder), str(registry), record)
