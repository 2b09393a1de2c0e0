"""Transformed examples, as Transform would write them, for benchmarks that start from them."""

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
    path: Path, texts: Sequence[str], label_lists: Sequence[str], n_labels: int, checkpoint: Checkpoint, max_tokens: int
) -> tuple[list[list[int]], NDArray[np.float32]]:
    """Write a TFRecord file (gzip) of transformed examples.

    Args:
        path: File to write.
        texts: Text of each example.
        label_lists: Comma-separated label indices of each example, as in GoEmotions: "4,27".
        n_labels: Width of the multi-hot vectors.
        checkpoint: Checkpoint whose tokenizer is used.
        max_tokens: Number of tokens that longer texts are truncated to.

    Returns:
        Token ids of each text, and labels float32 [n, n_labels].
    """
    tokenizer = BertTokenizer(
        read_vocabulary(str(checkpoint.vocabulary)),
        lower_case=checkpoint.tokenization.lower_case,
        max_tokens=max_tokens,
    )
    ids: list[list[int]] = tokenizer(tf.constant(list(texts))).to_list()
    labels = np.zeros((len(texts), n_labels), np.float32)
    for row, indices in enumerate(label_lists):
        labels[row, [int(index) for index in indices.split(",")]] = 1
    with tf.io.TFRecordWriter(str(path), "GZIP") as writer:
        for tokens, multi_hot in zip(ids, labels, strict=True):
            features = {
                TOKEN_IDS: tf.train.Feature(int64_list=tf.train.Int64List(value=tokens)),
                LABELS: tf.train.Feature(float_list=tf.train.FloatList(value=multi_hot)),
            }
            writer.write(tf.train.Example(features=tf.train.Features(feature=features)).SerializeToString())
    return ids, labels
