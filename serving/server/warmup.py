"""Replay of the requests that an export brings to warm a server up, as TensorFlow Serving replays them."""

from collections.abc import Iterator

import tensorflow as tf
from tensorflow_serving.apis import prediction_log_pb2

from components.common.files import exists
from serving.server.signatures import Columns, Model

WARMUP_FILE = "assets.extra/tf_serving_warmup_requests"
"""Path in a SavedModel: kRequestsFileName in servables/tensorflow/saved_model_warmup_util.h of 2.19.1, line 32."""

_MOST_RECORDS = 1000  # kMaxNumRecords, line 33
# For exports of older releases, which bring none.
_TEXTS = (b"one text", b"two texts of several words, with a comma", b"many words " * 40)


def warm_up(model: Model, model_dir: str) -> int:
    """Call a model with the requests of its export, or with a few texts if it brings none.

    Returns:
        Number of requests.

    Raises:
        ValueError: The file is damaged.
        RequestError: The model refuses a request.
    """
    count = 0
    for count, (signature, columns) in enumerate(_requests(model, model_dir), start=1):  # noqa: B007
        model.call(signature, columns)
    return count


def read_warmup(model_dir: str) -> Iterator[tuple[str, Columns]]:
    """Yield signature and columns of each request in the warm-up file; nothing if there is none.

    Raises:
        ValueError: The file is damaged.
    """
    path = f"{model_dir.rstrip('/')}/{WARMUP_FILE}"
    if not exists(path):
        return
    try:
        for number, record in enumerate(tf.data.TFRecordDataset(path).as_numpy_iterator()):
            if number >= _MOST_RECORDS:
                raise ValueError(f"{path}: has more than {_MOST_RECORDS} records")
            request = prediction_log_pb2.PredictionLog.FromString(record).predict_log.request
            columns = {name: tf.make_ndarray(tensor).ravel().tolist() for name, tensor in request.inputs.items()}
            yield request.model_spec.signature_name, columns
    except tf.errors.OpError as error:
        raise ValueError(f"{path}: is damaged ({error.message})") from None


def _requests(model: Model, model_dir: str) -> Iterator[tuple[str, Columns]]:
    found = False
    for signature, columns in read_warmup(model_dir):
        found = True
        yield signature or "serving_default", columns
    if not found and "serve_text" in model.signatures:
        for text in _TEXTS:
            yield "serve_text", {name: [text] for name in model.signatures["serve_text"].inputs}
