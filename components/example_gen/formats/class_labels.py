"""Names of the numbers in columns of labels, which Hugging Face's datasets keep in the metadata of a Parquet file.

Source: https://huggingface.co/docs/datasets/about_dataset_features; `datasets.arrow_writer.ArrowWriter` writes the key
`huggingface` with `{"info": {"features": ...}}`, in which a ClassLabel is alone, in a list of one, or under `feature`
of a Sequence or List. -1 stands for a label that is not known, as in test splits whose labels are kept back.
"""

import json
from collections.abc import Mapping
from typing import Any

from components.example_gen.formats.rows import LabelName, Reason, Unlabelled
from components.example_gen.formats.values import UnusableValueError, printable

METADATA_KEY = b"huggingface"
_FLAGS = frozenset(("0", "1", "no", "yes", "false", "true", "n", "y", "f", "t"))
_NOT_KNOWN = "-1"


def class_names(metadata: Mapping[bytes, bytes] | None) -> dict[str, tuple[str, ...]]:
    """Return the names of the labels by column, out of the metadata of a file.

    Columns that are flags, with names such as no and yes, or several columns of two classes, are left as 0 and 1.

    Example:
        >>> feature = b'{"_type": "ClassLabel", "names": ["joy", "anger", "fear"]}'
        >>> class_names({b"huggingface": b'{"info": {"features": {"label": ' + feature + b"}}}"})
        {'label': ('joy', 'anger', 'fear')}
    """
    try:
        features = json.loads((metadata or {})[METADATA_KEY])["info"]["features"]
        found = {column: _class_label(feature) for column, feature in features.items()}
    except (KeyError, TypeError, ValueError, AttributeError):
        return {}  # not of Hugging Face, or of a version that writes something else
    named = {column: names for column, names in found.items() if names}
    binary = [column for column, names in named.items() if len(names) == 2 and "names" in features[column]]
    are_flags = len(binary) > 1 or any(_FLAGS.issuperset(map(str.lower, named[column])) for column in binary)
    return {column: names for column, names in named.items() if not (are_flags and column in binary)}


def name_of(number: str | None, names: tuple[str, ...], column: str) -> str:
    """Return the name of a number; "" for null.

    Raises:
        UnusableValueError: No label has the number.
    """
    if not number:
        return ""
    if number == _NOT_KNOWN:
        return Unlabelled("")
    if not number.isdigit() or int(number) >= len(names):
        detail = f"{number} in '{printable(column)}' is not in 0 to {len(names) - 1}"
        raise UnusableValueError(Reason.INDEX_OUT_OF_RANGE, detail)
    return LabelName(names[int(number)])


def _class_label(feature: Any) -> tuple[str, ...]:
    if isinstance(feature, list) and len(feature) == 1:
        return _class_label(feature[0])
    if not isinstance(feature, dict):
        return ()
    if feature.get("_type") == "ClassLabel":
        names = feature.get("names")
        if not isinstance(names, list) or not all(isinstance(name, str) and name.strip() for name in names):
            return ()
        return tuple(name.strip() for name in names)
    if feature.get("_type") in ("Sequence", "List", "LargeList"):
        return _class_label(feature.get("feature"))
    return ()
