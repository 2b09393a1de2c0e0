"""Loading and calling of an exported SavedModel, with nothing but TensorFlow and TensorFlow Text."""

import tempfile
from typing import Any

import tensorflow as tf
import tensorflow_text  # noqa: F401 - registers the tokenizer's operations
from grpc import StatusCode

from components.common.files import is_remote
from components.common.saved_model import read_signatures
from components.registry import ModelRecord, Version, check_export, copy_model, differences
from schema.errors import Refused
from serving.pieces import SIGNATURE, piece_counter
from serving.request_log.rows import LogHeader, PieceCounter
from serving.server.errors import RequestError
from serving.server.signatures import STRING, Array, Columns, Signature, TensorSpec
from serving.server.warmup import warm_up


class SavedModel:
    """Loaded version.

    Args:
        model_dir: Its directory.
        header: What answers of it are logged with.
        counts_pieces: Whether word pieces can be counted.

    Attributes:
        header: See above.
        signature_defs: Its signatures as TensorFlow describes them, by name.
        signatures: Those of them whose inputs are columns of strings.
        count_pieces: Counter of word pieces; None if the model has no signature that tells them.
    """

    def __init__(self, model_dir: str, header: LogHeader, *, counts_pieces: bool = True) -> None:
        self.header = header
        self.signature_defs = read_signatures(model_dir)
        self.signatures = {
            name: signature for name, each in self.signature_defs.items() if (signature := _signature(name, each))
        }
        self._loaded = tf.saved_model.load(model_dir)  # signatures alone do not keep their variables
        self._functions = {name: self._loaded.signatures[name] for name in self.signatures}
        self.count_pieces: PieceCounter | None = _piece_counter(self) if counts_pieces else None

    def call(self, signature: str, columns: Columns) -> dict[str, Array]:
        """Return the outputs, each with a row for every row of the columns; strings as bytes.

        Raises:
            RequestError: The model refuses the input, or there is no memory for it.
        """
        tensors = {name: tf.constant(list(values), tf.string) for name, values in columns.items()}
        try:
            outputs = self._functions[signature](**tensors)
        except tf.errors.InvalidArgumentError as error:
            raise RequestError(StatusCode.INVALID_ARGUMENT, error.message) from None
        except tf.errors.ResourceExhaustedError as error:
            raise RequestError(StatusCode.RESOURCE_EXHAUSTED, error.message) from None
        return {name: output.numpy() for name, output in outputs.items()}


def load_version(version: Version, name: str) -> SavedModel:
    """Verify a version, load it, and call it, so that it can answer at once and at full speed.

    Args:
        version: Version of a registry, or a directory with a number that stands for one.
        name: Name that it is served under.

    Raises:
        Refused: Its files are not those that were pushed, or it does not answer as it should.
        RequestError: It refuses a request that warms it up.
    """
    if not is_remote(version.path):
        return _load(version, version.path, name)
    # What is verified is what is loaded.
    with tempfile.TemporaryDirectory(prefix="bert-multilabel-") as folder:
        copy_model(version.path, folder)
        return _load(version, folder, name)


def _load(version: Version, model_dir: str, name: str) -> SavedModel:
    record = ModelRecord.read(model_dir)
    if record.files:
        if found := differences(model_dir, record):
            raise Refused(f"{version.path}: {found[0]}")
    else:  # not pushed: an export
        check_export(model_dir, record)
    header = LogHeader(
        model=name,
        version=version.number,
        model_id=record.model_id,
        labels=tuple(record.labels),
        thresholds=tuple(record.thresholds),
        retired=tuple(record.retired),
        slices=tuple(record.slices),
    )
    try:
        model = SavedModel(model_dir, header)
        warm_up(model, model_dir)
        _check_answers(model)
    except (tf.errors.OpError, ValueError, OSError) as error:
        raise Refused(f"{version.path}: cannot be loaded ({str(error).splitlines()[0]})") from error
    return model


def _check_answers(model: SavedModel) -> None:
    """Check that the model answers a text with a probability for each label."""
    if "serve_text" not in model.signatures:
        raise ValueError("it has no signature serve_text")
    columns = {name: [b"a text"] for name in model.signatures["serve_text"].inputs}
    probabilities = model.call("serve_text", columns).get("probabilities")
    if probabilities is None or probabilities.shape != (1, len(model.header.labels)):
        raise ValueError("its answers do not have a probability for each label")
    if not ((probabilities >= 0) & (probabilities <= 1)).all():
        raise ValueError("its probabilities are not from 0 to 1")


def _signature(name: str, definition: Any) -> Signature | None:
    if not definition.inputs:  # of initialization, whose output has no type
        return None
    inputs = {alias: _spec(info) for alias, info in definition.inputs.items()}
    outputs = {alias: _spec(info) for alias, info in definition.outputs.items()}
    if any(spec != TensorSpec(STRING, (-1,)) for spec in inputs.values()):
        return None
    return Signature(name, inputs, outputs)


def _spec(info: Any) -> TensorSpec:
    return TensorSpec(tf.as_dtype(info.dtype).name, tuple(dimension.size for dimension in info.tensor_shape.dim))


def _piece_counter(model: SavedModel) -> PieceCounter | None:
    """Return a counter that tokenizes with the model's own graph; None if it has no signature for that."""
    if SIGNATURE not in model.signatures:
        return None
    return piece_counter(lambda examples: model.call(SIGNATURE, {"examples": examples})["token_ids"])
