"""`history.json`: the losses of each epoch."""

from typing import ClassVar

from pydantic import Field

from components.common.record import Record


class History(Record):
    """Losses of the epochs so far.

    Attributes:
        loss: Mean loss on the train split, by epoch.
        val_loss: Mean loss on the eval split, by epoch.
    """

    FILE: ClassVar[str] = "history.json"

    loss: list[float] = Field(default=[])
    val_loss: list[float] = Field(default=[])

    def with_epoch(self, loss: float, val_loss: float) -> "History":
        """Return the history with another epoch."""
        return History(loss=[*self.loss, loss], val_loss=[*self.val_loss, val_loss])
