"""Requests that a server replays when it loads the export, so that the first real request is not the slow one.

TensorFlow Serving reads `assets.extra/tf_serving_warmup_requests`, a TFRecord file of at most 1000 PredictionLogs
(servables/tensorflow/saved_model_warmup_util.h of release 2.19.1, lines 32-33), and does not serve the version before.
The texts are made up: rows of the data do not travel to servers.
"""

from collections.abc import Iterator, Sequence

import tensorflow as tf
from tensorflow_serving.apis import prediction_log_pb2

from schema.features import TEXT, TEXT_PAIR

WARMUP_FILE = "assets.extra/tf_serving_warmup_requests"
_WORDS = "the order of a customer was late , so they asked for help and got an answer .".split()  # noqa: SIM905
_LENGTHS = (1, 8, 24, 64, 160, 400)  # words of a single text
# Words of the texts of larger requests; the last has more tokens than go through the encoder at once.
_BATCHES = ((8, 24) * 4, (12, 24, 48) * 11, (160,) * 26)


def write_warmup(model_dir: str, text_columns: Sequence[str]) -> None:
    """Write the requests into a SavedModel.

    Args:
        model_dir: Its directory; before its files are counted into its id.
        text_columns: Names of serve_text's arguments: `texts`, and `text_pairs` for a model of pairs.
    """
    path = f"{model_dir.rstrip('/')}/{WARMUP_FILE}"
    tf.io.gfile.makedirs(path.rpartition("/")[0])
    with tf.io.TFRecordWriter(path) as writer:
        for lengths in _requests():
            texts = [" ".join(_WORDS[index % len(_WORDS)] for index in range(length)).encode() for length in lengths]
            writer.write(_record("serve_text", dict.fromkeys(text_columns, texts)))
            examples = [_example(text, len(text_columns) > 1) for text in texts]
            writer.write(_record("serving_default", {"examples": examples}))


def _requests() -> Iterator[Sequence[int]]:
    """Yield the number of words of each text of a request."""
    yield from ((length,) for length in _LENGTHS)
    yield from _BATCHES


def _record(signature: str, columns: dict[str, list[bytes]]) -> bytes:
    record = prediction_log_pb2.PredictionLog()
    request = record.predict_log.request
    request.model_spec.signature_name = signature
    for name, values in columns.items():
        request.inputs[name].CopyFrom(tf.make_tensor_proto(values, tf.string))
    serialized: bytes = record.SerializeToString(deterministic=True)
    return serialized


def _example(text: bytes, is_pair: bool) -> bytes:
    example = tf.train.Example()
    for name in (TEXT, TEXT_PAIR) if is_pair else (TEXT,):
        example.features.feature[name].bytes_list.value.append(text)
    serialized: bytes = example.SerializeToString(deterministic=True)
    return serialized
