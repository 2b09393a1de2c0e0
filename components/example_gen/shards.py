"""How the examples of a split lie in files, and in what order."""

import math
import uuid
from collections.abc import Iterable, Sequence
from hashlib import blake2b

import tensorflow as tf
from tfx.components.example_gen.write_split import DEFAULT_FILE_NAME

from components import files
from components.example_gen.inputs import InputFile
from components.example_gen.parsing import Record
from components.example_gen.settings import SPLITS, ExamplesSettings, Split
from schema.features import ID, LABELS, TEXT

_INPUT_BYTES_PER_SHARD = 128 << 20
_GZIP_RATIO = 3  # of text, roughly
_ORDER_BYTES = 8
_UNFINISHED = "unfinished"


def shard_counts(settings: ExamplesSettings, inputs: Sequence[InputFile]) -> dict[Split, int]:
    """How many files each split is written to: one, until its share of the input passes 128 MiB."""
    amounts = dict.fromkeys(SPLITS, 0.0)
    for file in inputs:
        size = file.size * (_GZIP_RATIO if file.path.endswith(".gz") else 1)
        weights = settings.inputs[file.input].weights
        total = sum(weight for _, weight in weights)
        for split, weight in weights:
            amounts[split] += size * weight / total
    return {split: max(1, math.ceil(amount / _INPUT_BYTES_PER_SHARD)) for split, amount in amounts.items()}


def order_of(file: str, line: int) -> bytes:
    """Where an example stands among those of its split: shuffled, but alike in every run and under every runner."""
    return blake2b(f"{file}:{line}".encode(), digest_size=_ORDER_BYTES).digest()


def shard_name(split: Split, order: bytes, count: int) -> str:
    """The file, relative to the artifact, that an example goes to."""
    shard = int.from_bytes(order, "big") % count
    return f"Split-{split}/{DEFAULT_FILE_NAME}-{shard:05d}-of-{count:05d}.gz"


def serialize(record: Record, slices: Sequence[str]) -> bytes:
    """A serialized tf.Example: id [1], text [1], labels [0..n] and each of `slices` [1], all strings."""
    example = tf.train.Example()
    feature = example.features.feature
    feature[ID].bytes_list.value.append(record.id.encode())
    feature[TEXT].bytes_list.value.append(record.text.encode())
    # Without this, a row of no labels would lack the feature instead of having an empty one.
    feature[LABELS].bytes_list.SetInParent()
    feature[LABELS].bytes_list.value.extend([label.encode() for label in record.labels])
    for name, value in zip(slices, record.slices, strict=True):
        feature[name].bytes_list.value.append(value.encode())
    serialized: bytes = example.SerializeToString(deterministic=True)
    return serialized


def write_shard(name: str, ordered: Iterable[bytes], uri: str) -> None:
    """Writes one file of examples, in their order, complete or not at all.

    Args:
        name: From `shard_name`.
        ordered: Each an `order_of` followed by a serialized example.
        uri: Of the examples artifact.
    """
    # Not beside its place: a reader of the split takes every file there for examples.
    partial = f"{uri}/{_UNFINISHED}/{name.replace('/', '-')}-{uuid.uuid4().hex}"
    path = f"{uri}/{name}"
    with tf.io.TFRecordWriter(partial, tf.io.TFRecordOptions(compression_type="GZIP")) as writer:
        for example in sorted(ordered):
            writer.write(example[_ORDER_BYTES:])
    files.rename(partial, path)


def make_folders(uri: str) -> None:
    """Makes the folders that `write_shard` writes to."""
    for folder in (*(f"Split-{split}" for split in SPLITS), _UNFINISHED):
        files.make_folder(f"{uri}/{folder}")


def remove_unfinished(uri: str) -> None:
    """Removes what interrupted attempts at writing a shard may have left."""
    files.remove_folder(f"{uri}/{_UNFINISHED}")
