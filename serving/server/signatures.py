"""Signatures of a model, and what the server needs of a model."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from serving.request_log.rows import LogHeader, PieceCounter

Array = NDArray[Any]
Columns = Mapping[str, Sequence[bytes]]
"""Strings by input name: all inputs of one length, the number of rows."""

STRING = "string"


@dataclass(frozen=True)
class TensorSpec:
    """Type and shape of a tensor.

    Attributes:
        dtype: TensorFlow's name of the type, such as `float32`.
        shape: Sizes; -1 for one that varies.
    """

    dtype: str
    shape: tuple[int, ...]


@dataclass(frozen=True)
class Signature:
    """Signature of a model whose inputs are columns of strings."""

    name: str
    inputs: Mapping[str, TensorSpec]
    outputs: Mapping[str, TensorSpec]

    @property
    def merges(self) -> bool:
        """True if rows of several requests may be answered together, as no output is padded to the longest row."""
        return all(-1 not in spec.shape[1:] for spec in self.outputs.values())


class Model(Protocol):
    """Loaded version of a model."""

    @property
    def header(self) -> LogHeader: ...

    @property
    def signatures(self) -> Mapping[str, Signature]: ...

    @property
    def signature_defs(self) -> Mapping[str, Any]: ...

    @property
    def count_pieces(self) -> PieceCounter | None: ...

    def call(self, signature: str, columns: Columns) -> dict[str, Array]:
        """Return the outputs, each with a row for every row of the columns.

        Raises:
            RequestError: The model refuses the input.
        """
        ...


def concatenate(parts: Sequence[Mapping[str, Array]]) -> dict[str, Array]:
    """Return the rows of several answers as one."""
    if len(parts) == 1:
        return dict(parts[0])
    return {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}
