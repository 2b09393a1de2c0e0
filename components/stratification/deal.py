"""A deal: which split each bucket of rows has been dealt to, for as long as the pipeline exists.

Rows are not remembered one by one. The hash of a row's unit (its group, or its text without regard to case and white
space) names one of four million buckets, and a deal has two bits for each: 1 MiB, however many rows there are. Up to
some hundred thousand units nearly every unit has a bucket of its own.
"""

import zlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from hashlib import sha256
from math import gcd

import numpy as np
from numpy.typing import NDArray

from components.stratification.stratify import UNDEALT
from schema.errors import Refused

BUCKETS = 1 << 22
_SHIFT = np.uint64(64 - 22)
_MAGIC = b"bert-multilabel deal 1\n"
_PER_BYTE = 4

Weights = tuple[int, ...]


@dataclass(frozen=True)
class Deal:
    """Splits of buckets.

    Attributes:
        splits: Split of each bucket, uint8 [BUCKETS], by the weights that they were dealt with (see `reduced`): inputs
            with other weights are dealt out for themselves.
    """

    splits: Mapping[Weights, NDArray[np.uint8]] = field(default_factory=dict)

    def of(self, weights: Weights) -> NDArray[np.uint8]:
        """Return the split of each bucket for some weights, uint8 [BUCKETS]; `UNDEALT` where it has none."""
        return self.splits.get(weights, np.full(BUCKETS, UNDEALT, np.uint8))

    def extended(self, other: "Deal") -> "Deal":
        """Return this deal with what only the other has dealt out."""
        merged = dict(self.splits)
        for weights, splits in other.splits.items():
            own = self.of(weights)
            merged[weights] = np.where(own == UNDEALT, splits, own)
        return Deal(merged)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Deal) and self.to_bytes() == other.to_bytes()

    __hash__ = None  # type: ignore[assignment]  # arrays have none

    def to_bytes(self) -> bytes:
        """Return the content of a file."""
        parts = []
        for weights, splits in sorted(self.splits.items()):
            quarters = splits.reshape(-1, _PER_BYTE)
            packed = (quarters << np.array([0, 2, 4, 6], np.uint8)).sum(axis=1, dtype=np.uint8)
            parts.append(",".join(map(str, weights)).encode() + b"\n" + packed.tobytes())
        body = zlib.compress(b"".join(parts), 1)
        return _MAGIC + sha256(body).hexdigest().encode() + b"\n" + body

    @classmethod
    def from_bytes(cls, content: bytes, name: str) -> "Deal":
        """Read the content of a file.

        Args:
            content: What `to_bytes` returned.
            name: Name of the file for messages.

        Raises:
            Refused: The file is damaged.
        """
        try:
            magic, digest, body = (
                content[: len(_MAGIC)],
                content[len(_MAGIC) : len(_MAGIC) + 64],
                content[len(_MAGIC) + 65 :],
            )
            if magic != _MAGIC or sha256(body).hexdigest().encode() != digest:
                raise ValueError("its checksum is wrong")
            rest, splits = zlib.decompress(body), {}
            while rest:
                head, _, rest = rest.partition(b"\n")
                packed = np.frombuffer(rest[: BUCKETS // _PER_BYTE], np.uint8)
                rest = rest[BUCKETS // _PER_BYTE :]
                quarters = (packed[:, np.newaxis] >> np.array([0, 2, 4, 6], np.uint8)) & np.uint8(3)
                splits[tuple(map(int, head.split(b",")))] = quarters.reshape(BUCKETS)
        except (ValueError, zlib.error) as error:
            raise Refused(f"{name}: is damaged ({error}); restore it") from None
        return cls(splits)


def bucket_of(unit_keys: NDArray[np.uint64]) -> NDArray[np.uint32]:
    """Return the bucket of each unit, [n].

    Args:
        unit_keys: Hash of the unit, [n]. Its high bits are used: its low ones say which partition a text is in.
    """
    return (unit_keys >> _SHIFT).astype(np.uint32)


def reduced(weights: Weights) -> Weights:
    """Return weights without a common factor: splits of 80 and 20 are those of 4 and 1.

    Example:
        >>> reduced((80, 10, 10))
        (8, 1, 1)
    """
    factor = gcd(*weights)
    return tuple(weight // factor for weight in weights)
