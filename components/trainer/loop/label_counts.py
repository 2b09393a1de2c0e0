"""Label frequencies of the train split, which losses are weighted by and the head's bias begins at."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class LabelCounts:
    """Number of examples of a split and how many of them have each label, or may have it.

    Attributes:
        examples: Number of examples.
        positives: float64 [n_labels], examples that have the label.
        unknown: float64 [n_labels], examples of which nobody knows whether they have the label; None for no label.
    """

    examples: int
    positives: NDArray[np.float64]
    unknown: NDArray[np.float64] | None = None

    @property
    def known(self) -> NDArray[np.float64] | int:
        """Number of examples by label, float64 [n_labels], of which somebody knows whether they have the label."""
        return self.examples if self.unknown is None else self.examples - self.unknown

    @property
    def negatives(self) -> NDArray[np.float64]:
        """Number of examples by label, float64 [n_labels], that are known not to have the label."""
        return self.known - self.positives

    @property
    def has_unknown(self) -> bool:
        """Whether a label of an example is unknown."""
        return self.unknown is not None and bool(self.unknown.any())

    @property
    def known_per_example(self) -> float:
        """Mean number of known labels of an example."""
        known = np.broadcast_to(self.known, self.positives.shape).sum()
        return float(known) / max(self.examples, 1)

    def log_odds(self) -> NDArray[np.float64]:
        """Compute log(p / (1 - p)) of each label's frequency p among the examples that are known to have it or not.

        Half an example is added to the positives and to the negatives, so that the log odds are finite.

        Returns:
            float64 [n_labels].

        Example:
            >>> LabelCounts(100, np.array([50.0, 1.0])).log_odds().round(2).tolist()
            [0.0, -4.19]
        """
        return np.asarray(np.log(self.positives + 0.5) - np.log(self.negatives + 0.5))

    def without(self, retired: Sequence[int]) -> "LabelCounts":
        """Return the counts without the columns of retired labels."""
        columns = list(retired)
        unknown = None if self.unknown is None else np.delete(self.unknown, columns)
        return LabelCounts(self.examples, np.delete(self.positives, columns), unknown)
