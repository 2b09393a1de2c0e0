"""What Transform does to a batch of raw examples, traced once into the graph that serving runs too."""

from typing import Any

import tensorflow as tf
import tensorflow_transform as tft

from components.preprocessing import features
from components.preprocessing.settings import PreprocessingSettings, TokenizerSettings
from components.preprocessing.tokenizer import BertTokenizer, read_vocabulary
from schema import features as raw

Batch = dict[str, tf.Tensor | tf.SparseTensor]


def preprocessing_fn(inputs: Batch, custom_config: dict[str, Any]) -> Batch:
    """Token ids and multi-hot labels of raw examples.

    No output needs more than its own input, so the graph can be applied to texts alone.

    Args:
        inputs: `text` string [n, 1], `labels` sparse string [n, None], `id` string [n, 1]; others are left alone.
        custom_config: a JSON `PreprocessingSettings` under "preprocessing".

    Returns:
        What `components.preprocessing.features` lists: token ids sparse int64 [n, None], labels float32 [n, n_labels],
        id string [n].

    Raises:
        pydantic.ValidationError: the settings are not such.
        Refused: the vocabulary cannot be used.
    """
    settings = PreprocessingSettings.model_validate(custom_config["preprocessing"])
    tokenizer = tft.make_and_track_object(lambda: _tokenizer(settings.tokenizer), name="bert_tokenizer")
    return {
        # Sparse, because Transform would file a ragged tensor under another name than its own.
        features.TOKEN_IDS: tokenizer(tf.squeeze(inputs[raw.TEXT], axis=1)).to_sparse(),
        features.LABELS: multi_hot(inputs[raw.LABELS], settings.labels),
        features.ID: tf.squeeze(inputs[raw.ID], axis=1),
    }


def multi_hot(labels: tf.SparseTensor, names: tuple[str, ...]) -> tf.Tensor:
    """1 for each label that a row has, however often; a name not in `names` counts for nothing.

    Args:
        labels: string [n, None].
        names: one for each column.

    Returns:
        float32 [n, len(names)].
    """
    matches = tf.cast(labels.values[:, tf.newaxis] == tf.constant(names), tf.float32)
    counts = tf.math.unsorted_segment_sum(matches, labels.indices[:, 0], labels.dense_shape[0])
    return tf.minimum(counts, 1.0)


def _tokenizer(settings: TokenizerSettings) -> BertTokenizer:
    return BertTokenizer(
        read_vocabulary(settings.vocabulary),
        lower_case=settings.lower_case,
        strip_accents=settings.strip_accents,
        max_tokens=settings.max_tokens,
    )
