"""Transform's preprocessing of raw examples, traced once into the graph that serving runs too."""

from typing import Any

import tensorflow as tf
import tensorflow_transform as tft

from components.checkpoints.find import find_checkpoint
from components.checkpoints.vocabulary import read_vocabulary
from components.preprocessing import features
from components.preprocessing.settings import PreprocessingSettings, TokenizerSettings
from components.preprocessing.tokenizer import BertTokenizer
from schema import features as raw

Batch = dict[str, tf.Tensor | tf.SparseTensor]


def preprocessing_fn(inputs: Batch, custom_config: dict[str, Any]) -> Batch:
    """Return token ids and multi-hot labels of raw examples, and segment ids if the schema has a second text.

    No output depends on another's input, so the graph can be applied to texts alone.

    Args:
        inputs: `text` string [n, 1], `labels` sparse string [n, None], `id` string [n, 1] and, in examples of text
            pairs, `text_pair` string [n, 1]. Other features are ignored.
        custom_config: `PreprocessingSettings` as JSON under "preprocessing".

    Returns:
        The features of `components.preprocessing.features`: token ids (and segment ids of pairs) sparse int64
        [n, None], labels float32 [n, n_labels], id string [n].

    Raises:
        pydantic.ValidationError: The settings are not valid.
        Refused: The vocabulary cannot be used, or the checkpoint does not exist.
    """
    settings = PreprocessingSettings.model_validate(custom_config["preprocessing"])
    tokenizer = tft.make_and_track_object(lambda: _tokenizer(settings.tokenizer), name="bert_tokenizer")
    return {
        **_tokens(tokenizer, inputs),
        features.LABELS: _labels(inputs, settings),
        features.ID: tf.squeeze(inputs[raw.ID], axis=1),
    }


def _labels(inputs: Batch, settings: PreprocessingSettings) -> tf.Tensor:
    given = multi_hot(inputs[raw.LABELS], settings.labels, settings.retired)
    if raw.SOFT_LABELS in inputs:
        soft, scores = inputs[raw.SOFT_LABELS], inputs[raw.SOFT_SCORES]
        values = multi_hot(soft, settings.labels, settings.retired, tf.cast(scores.values, tf.float32))
        given = tf.where(values > 0, values, given)
    if raw.UNKNOWN_LABELS not in inputs:
        return given
    unknown = multi_hot(inputs[raw.UNKNOWN_LABELS], settings.labels, settings.retired)
    return tf.where((unknown > 0) & (given == 0), features.UNKNOWN, given)


def multi_hot(
    labels: tf.SparseTensor,
    names: tuple[str, ...],
    retired: tuple[str, ...] = (),
    values: tf.Tensor | None = None,
) -> tf.Tensor:
    """Return a multi-hot vector for each row. Labels without a name here, and retired ones, count for nothing.

    Args:
        labels: Labels of the rows, string [n, None]; a label may be repeated.
        names: Label of each element.
        retired: Labels whose element is always 0.
        values: Element of each of the labels, float32 [number of labels of all rows], at most 1; None for 1.

    Returns:
        float32 [n, len(names)] of 0 and 1, or of 0 and the values.
    """
    matches = tf.cast(labels.values[:, tf.newaxis] == tf.constant(names), tf.float32)
    if retired:
        matches *= tf.constant([0.0 if name in retired else 1.0 for name in names])
    if values is not None:
        matches *= values[:, tf.newaxis]
    counts = tf.math.unsorted_segment_sum(matches, labels.indices[:, 0], labels.dense_shape[0])
    return tf.minimum(counts, 1.0)


def _tokens(tokenizer: BertTokenizer, inputs: Batch) -> Batch:
    texts = tf.squeeze(inputs[raw.TEXT], axis=1)
    # Sparse, because Transform would write a ragged tensor under another name.
    if raw.TEXT_PAIR not in inputs:
        return {features.TOKEN_IDS: tokenizer(texts).to_sparse()}
    token_ids, segment_ids = tokenizer.pair(texts, tf.squeeze(inputs[raw.TEXT_PAIR], axis=1))
    return {features.TOKEN_IDS: token_ids.to_sparse(), features.SEGMENT_IDS: segment_ids.to_sparse()}


def _tokenizer(settings: TokenizerSettings) -> BertTokenizer:
    return BertTokenizer(
        read_vocabulary(_vocabulary(settings), settings.special_tokens),
        lower_case=settings.lower_case,
        strip_accents=settings.strip_accents,
        max_tokens=settings.max_tokens,
        truncation=settings.truncation,
        special_tokens=settings.special_tokens,
    )


def _vocabulary(settings: TokenizerSettings) -> str:
    """Return the path of the vocabulary."""
    if settings.checkpoint is None:
        assert settings.vocabulary is not None
        return settings.vocabulary
    return str(find_checkpoint(settings.checkpoint).vocabulary)
