"""`history.json`: losses and eval scores of each epoch."""

from typing import ClassVar

from pydantic import Field

from components.common.record import Record
from components.trainer.decisions.scores import EvalScores
from components.trainer.loop.settings import Monitor


class History(Record):
    """Losses and scores of the epochs so far.

    Attributes:
        loss: Mean loss on the train split, by epoch.
        val_loss: Mean loss on the eval split, by epoch.
        val_macro_f1: Macro F1 on the eval split at the thresholds chosen after the epoch, by epoch; empty in files of
            earlier versions and where nothing scores.
        val_f1: The same by label and epoch.
        monitor: Which of them decides which epoch is the best.
    """

    FILE: ClassVar[str] = "history.json"

    loss: list[float] = Field(default=[])
    val_loss: list[float] = Field(default=[])
    val_macro_f1: list[float] = Field(default=[])
    val_f1: dict[str, list[float]] = Field(default={})
    monitor: Monitor = "loss"

    @property
    def best_epoch(self) -> int | None:
        """Epoch whose weights the training keeps, from 1: the first of the best ones; None without epochs."""
        if not self.val_loss:
            return None
        if self.monitor == "macro_f1":
            return self.val_macro_f1.index(max(self.val_macro_f1)) + 1
        return self.val_loss.index(min(self.val_loss)) + 1

    def with_epoch(self, loss: float, val_loss: float, scores: EvalScores | None = None) -> "History":
        """Return the history with another epoch."""
        added = {} if scores is None else scores.f1
        return History(
            loss=[*self.loss, loss],
            val_loss=[*self.val_loss, val_loss],
            val_macro_f1=[*self.val_macro_f1, *([] if scores is None else [scores.macro_f1])],
            val_f1={label: [*self.val_f1.get(label, []), f1] for label, f1 in added.items()},
            monitor=self.monitor,
        )

    def last_epoch(self) -> dict[str, float]:
        """Return the losses of the last epoch and, if it was scored, its macro F1, as Keras's callbacks get them."""
        logs = {"loss": self.loss[-1], "val_loss": self.val_loss[-1]}
        return logs | ({"val_macro_f1": self.val_macro_f1[-1]} if self.val_macro_f1 else {})
