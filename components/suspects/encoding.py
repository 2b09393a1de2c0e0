"""Examples of a split as feature vectors: the pretrained encoder reads each text once."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import tensorflow as tf
import tensorflow_transform as tft
from numpy.typing import NDArray

from components.common.files import escape_glob, list_files
from components.common.progress import PROGRESS
from components.example_gen.splitting import fold, stable_hash
from components.preprocessing.features import LABELS as MULTI_HOT
from components.preprocessing.features import SEGMENT_IDS, TOKEN_IDS
from components.preprocessing.settings import WindowSettings
from components.preprocessing.windows import cut_windows
from components.trainer.decisions.scores import cut_soft_labels
from components.trainer.input_pipeline import encoder_inputs
from components.trainer.loop.pooled import Pooled
from components.trainer.loop.row_store import RowStore
from schema.features import (
    GROUP_KEY,
    ID,
    LABELS,
    NO_GROUP,
    SOFT_LABELS,
    SOFT_SCORES,
    TEXT,
    TEXT_PAIR,
    UNKNOWN_LABELS,
)

# Examples (of long texts, sequences) that are sorted by length together, and sequences that are encoded at a time.
_WINDOW, _BATCH = 4_096, 128
_LABEL_FEATURES = (LABELS, UNKNOWN_LABELS, SOFT_LABELS, SOFT_SCORES)


@dataclass(frozen=True)
class EncodedSplit:
    """Examples of a split, in the order of its files.

    Attributes:
        examples: Feature vectors and labels.
        text_keys: Hash of each text (and its pair) without regard to case and white space, uint64 [n].
        groups: Group key of each example, int64 [n]; `NO_GROUP` for none.
    """

    examples: Pooled
    text_keys: NDArray[np.uint64]
    groups: NDArray[np.int64]


@dataclass(frozen=True)
class NamedText:
    """Text of an example with its id.

    Attributes:
        id: Id of the example.
        text: Its text.
        text_pair: Its second text; None where single texts are classified.
    """

    id: str
    text: str
    text_pair: str | None


def encode_split(
    backbone: Any,
    transform: tft.TFTransformOutput,
    folder: str,
    temporary: str,
    soft_cut: float | None = None,
    windows: WindowSettings | None = None,
) -> EncodedSplit:
    """Encode the examples of a split.

    A vector is BERT's pooled output beside the mean of the last layer's token vectors. The pooler of a checkpoint may
    never have been trained for anything like this: on GoEmotions (minilm-l6), the head's macro AUC is 0.79 on pooled
    outputs, 0.87 on means, and 0.87 on both. The vector of a text in windows is the mean of theirs.

    Args:
        backbone: Encoder as it was pretrained. One that was trained on these labels would repeat their errors.
        transform: Transform graph.
        folder: Folder of the split's raw tf.Examples.
        temporary: Folder for what does not fit in memory.
        soft_cut: Share of annotators from which on a label counts as given; None if labels are yes or no.
        windows: Windows that long texts are read in; None if they are truncated.
    """
    forward = tf.function(lambda inputs: encoder_vectors(backbone, inputs), reduce_retracing=True)
    n_labels = transform.transformed_feature_spec()[MULTI_HOT].shape[0]
    outputs = RowStore(2 * backbone.hidden_dim, np.float32, temporary)
    labels = RowStore(n_labels, np.int8, temporary)
    text_keys, groups = [], []
    done = 0
    for parsed, tokens in _portions(transform, folder, _WINDOW if windows is None else _WINDOW // windows.most):
        columns = [parsed[name].numpy()[:, 0] for name in (TEXT, TEXT_PAIR) if name in parsed]
        text_keys.append(np.array([_text_key(*texts) for texts in zip(*columns, strict=True)], np.uint64))
        groups.append(parsed[GROUP_KEY].numpy())
        labels.append(cut_soft_labels(tokens[MULTI_HOT].numpy(), soft_cut).astype(np.int8))
        outputs.append(_encode_portion(forward, tokens, windows))
        done += len(groups[-1])
        PROGRESS.info("encoding every text once: %d done", done)
    return EncodedSplit(
        Pooled(outputs.to_array(), labels.to_array()),
        np.concatenate([np.zeros(0, np.uint64), *text_keys]),
        np.concatenate([np.zeros(0, np.int64), *groups]),
    )


def read_texts(folder: str, rows: set[int]) -> dict[int, NamedText]:
    """Return the texts of some rows of a split.

    Args:
        folder: Folder of the split's raw tf.Examples.
        rows: Numbers of the rows, in the order of `encode_split`.
    """
    found = {}
    for row, record in enumerate(_records(folder).as_numpy_iterator()):
        if row in rows:
            feature = tf.train.Example.FromString(record).features.feature
            values = [
                feature[name].bytes_list.value[0].decode("utf-8", "replace") if name in feature else None
                for name in (ID, TEXT, TEXT_PAIR)
            ]
            found[row] = NamedText(values[0] or "", values[1] or "", values[2])
    return found


def encoder_vectors(backbone: Any, inputs: dict[str, tf.Tensor]) -> tf.Tensor:
    """Return pooled outputs beside mean token vectors.

    Args:
        backbone: Encoder from `load_backbone`.
        inputs: Encoder inputs, each int [n, length].

    Returns:
        float32 [n, 2 * hidden].
    """
    outputs = backbone(inputs, training=False)
    mask = tf.cast(inputs["padding_mask"], tf.float32)[:, :, tf.newaxis]
    mean = tf.reduce_sum(tf.cast(outputs["sequence_output"], tf.float32) * mask, 1) / tf.reduce_sum(mask, 1)
    return tf.concat([tf.cast(outputs["pooled_output"], tf.float32), mean], axis=1)


def _records(folder: str) -> tf.data.Dataset:
    # One file after the other, so that the number of a row is always the same.
    return tf.data.TFRecordDataset(list_files(f"{escape_glob(folder)}/*"), compression_type="GZIP")


def _portions(
    transform: tft.TFTransformOutput, folder: str, size: int
) -> Iterator[tuple[dict[str, Any], dict[str, Any]]]:
    """Yield raw and transformed features of examples, `size` at a time."""
    raw = transform.raw_feature_spec()
    spec = {name: raw[name] for name in (TEXT, TEXT_PAIR, *_LABEL_FEATURES) if name in raw}
    spec[GROUP_KEY] = tf.io.FixedLenFeature([], tf.int64, NO_GROUP)
    layer = transform.transform_features_layer()
    for records in _records(folder).batch(max(size, 1)).prefetch(tf.data.AUTOTUNE):
        parsed = tf.io.parse_example(records, spec)
        yield parsed, layer({name: parsed[name] for name in spec if name != GROUP_KEY})


def _encode_portion(forward: Any, tokens: dict[str, Any], windows: WindowSettings | None) -> NDArray[np.float32]:
    """Encode examples in batches of similar length; return their vectors in the order of the examples."""
    ragged = [tf.RaggedTensor.from_sparse(tokens[name]) for name in (TOKEN_IDS, SEGMENT_IDS) if name in tokens]
    if windows is None:
        return _encode_sequences(forward, ragged)
    cut = cut_windows(ragged[0], windows)
    return np.asarray(tf.math.segment_mean(_encode_sequences(forward, [cut.tokens]), cut.texts))


def _encode_sequences(forward: Any, ragged: Sequence[tf.RaggedTensor]) -> NDArray[np.float32]:
    by_length = np.argsort(ragged[0].row_lengths().numpy(), kind="stable")
    parts = []
    for start in range(0, len(by_length), _BATCH):
        rows = by_length[start : start + _BATCH]
        parts.append(forward(encoder_inputs(*(tf.gather(each, rows) for each in ragged))).numpy())
    vectors = np.concatenate(parts)
    ordered = np.empty_like(vectors)
    ordered[by_length] = vectors
    return ordered


def _text_key(*texts: bytes) -> int:
    """Return the hash that copies of a text, or of a pair, have in common."""
    return stable_hash("\n".join(fold(text.decode("utf-8", "replace")) for text in texts))
