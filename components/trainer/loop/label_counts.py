"""Label frequencies of the train split, which losses are weighted by and the head's bias begins at."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class LabelCounts:
    """Number of examples of a split and how many of them have each label.

    Attributes:
        examples: Number of examples.
        positives: float64 [n_labels], examples that have the label.
    """

    examples: int
    positives: NDArray[np.float64]

    def log_odds(self) -> NDArray[np.float64]:
        """Compute log(p / (1 - p)) of each label's frequency p.

        Half an example is added to the positives and to the negatives, so that the log odds are finite.

        Returns:
            float64 [n_labels].

        Example:
            >>> LabelCounts(100, np.array([50.0, 1.0])).log_odds().round(2).tolist()
            [0.0, -4.19]
        """
        return np.asarray(np.log(self.positives + 0.5) - np.log(self.examples - self.positives + 0.5))

    def without(self, retired: Sequence[int]) -> "LabelCounts":
        """Return the counts without the columns of retired labels."""
        return LabelCounts(self.examples, np.delete(self.positives, list(retired)))
