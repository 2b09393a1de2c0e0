"""Texts and labels as Transform would leave them, for benchmarks that begin there."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from components.checkpoints.find import Checkpoint
from components.checkpoints.vocabulary import read_vocabulary
from components.preprocessing.features import LABELS, TOKEN_IDS
from components.preprocessing.tokenizer import BertTokenizer


def write_transformed(
    path: Path, texts: Sequence[str], given: Sequence[str], n_labels: int, checkpoint: Checkpoint, max_tokens: int
) -> tuple[list[list[int]], NDArray[np.float32]]:
    """Writes a TFRecord file (gzip) of transformed examples.

    Args:
        path: The file.
        texts: One each.
        given: The positions of each text's labels, as GoEmotions has them: "4,27".
        n_labels: Width of the multi-hot vectors.
        checkpoint: Whose tokens they become.
        max_tokens: Longer texts are cut.

    Returns:
        Token ids of each text, and labels float32 [n, n_labels].
    """
    tokenizer = BertTokenizer(
        read_vocabulary(str(checkpoint.vocabulary)), lower_case=checkpoint.lower_case, max_tokens=max_tokens
    )
    ids: list[list[int]] = tokenizer(tf.constant(list(texts))).to_list()
    labels = np.zeros((len(texts), n_labels), np.float32)
    for row, positions in enumerate(given):
        labels[row, [int(position) for position in positions.split(",")]] = 1
    with tf.io.TFRecordWriter(str(path), "GZIP") as writer:
        for tokens, multi_hot in zip(ids, labels, strict=True):
            features = {
                TOKEN_IDS: tf.train.Feature(int64_list=tf.train.Int64List(value=tokens)),
                LABELS: tf.train.Feature(float_list=tf.train.FloatList(value=multi_hot)),
            }
            writer.write(tf.train.Example(features=tf.train.Features(feature=features)).SerializeToString())
    return ids, labels
