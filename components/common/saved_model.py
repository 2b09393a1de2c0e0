"""Facts about a SavedModel that can be read without loading it."""

from collections.abc import Mapping
from typing import TYPE_CHECKING

from components.common.files import read_bytes

if TYPE_CHECKING:
    from tensorflow.core.protobuf.meta_graph_pb2 import SignatureDef


def read_signatures(model_dir: str) -> "Mapping[str, SignatureDef]":
    """Return the signatures of a SavedModel by name.

    Args:
        model_dir: Its directory, a path or a gs:// address.

    Raises:
        OSError: It has no saved_model.pb.
        DecodeError: The file, read by protobuf, is damaged.
    """
    from tensorflow.core.protobuf import saved_model_pb2

    content = read_bytes(f"{model_dir.rstrip('/')}/saved_model.pb")
    return dict(saved_model_pb2.SavedModel.FromString(content).meta_graphs[0].signature_def)
