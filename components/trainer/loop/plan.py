"""Length of a training in epochs, batches and updates."""

import math
from dataclasses import dataclass

from components.trainer.loop.settings import LoopSettings


@dataclass(frozen=True)
class Plan:
    """Length of a training.

    Attributes:
        epochs: Maximum number of epochs.
        batches: Batches per epoch.
        accumulate: Batches per update; the last update of an epoch has the remaining ones.

    Example:
        >>> plan = Plan.of(LoopSettings(epochs=3, batch_size=8, accumulate=4), n_examples=50)
        >>> plan.batches, plan.steps, plan.updates
        (7, 21, 6)
    """

    epochs: int
    batches: int
    accumulate: int

    @classmethod
    def of(cls, settings: LoopSettings, n_examples: int) -> "Plan":
        """Plan a training on a number of examples.

        With fewer `max_steps` than the epochs have, it is a trial run of one epoch of that many batches.
        """
        batches = math.ceil(n_examples / settings.batch_size)
        if settings.max_steps is not None and settings.max_steps < settings.epochs * batches:
            return cls(1, settings.max_steps, settings.accumulate)
        return cls(settings.epochs, batches, settings.accumulate)

    @property
    def steps(self) -> int:
        """Maximum number of batches over all epochs."""
        return self.epochs * self.batches

    @property
    def updates(self) -> int:
        """Maximum number of weight updates, by which the learning rate is scheduled."""
        return self.epochs * self.updates_per_epoch

    @property
    def updates_per_epoch(self) -> int:
        """Weight updates of an epoch."""
        return math.ceil(self.batches / self.accumulate)

    def ends_update(self, batch: int) -> bool:
        """Return whether the weights are updated after a batch of an epoch, counted from 0."""
        return (batch + 1) % self.accumulate == 0 or batch + 1 == self.batches

    def update_of(self, step: int) -> int:
        """Return the number of the update, from 0, that a batch belongs to, given its number from 0 over all epochs."""
        epoch, batch = divmod(step, self.batches)
        return epoch * self.updates_per_epoch + batch // self.accumulate
