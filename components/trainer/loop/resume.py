"""Saved states, from which a killed training resumes.

TFX gives a retried execution new folders, so states are saved elsewhere: in a folder below the pipeline's own, named by
the fingerprint of everything that decides the outcome of the training. Only the same training finds its state. When a
training has ended, its state is deleted, and so are those of killed trainings that nobody resumed, which would fill the
disk: a pipeline has one run at a time.

    <resume_dir>/<fingerprint>/state.npz     variables, optimizer, best epoch and position in the data
"""

import hashlib
import json
import re
import zipfile
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from components.common.files import (
    DECOMPRESSION_ERRORS,
    create_whole,
    exists,
    list_folder,
    make_folder,
    open_seekable,
    remove_folder,
)
from components.common.progress import PROGRESS
from components.trainer.loop.history import History

_FILE = "state.npz"
# What reading a file raises that was cut, zeroed or changed: of zip, of its compression, of NumPy, JSON and pydantic.
_DAMAGE = (zipfile.BadZipFile, *DECOMPRESSION_ERRORS, OSError, ValueError, KeyError, TypeError, AttributeError)
_SUMMARY = "progress"
_FINGERPRINT = re.compile("[0-9a-f]{64}")


@dataclass
class Progress:
    """Progress of a training, apart from its current weights.

    Attributes:
        step: Batches trained on.
        loss: Sum of the losses of this epoch's examples.
        examples: Examples of this epoch trained on.
        history: Losses of the past epochs.
        waited: Epochs since the best one.
        best: Weights of the best epoch; empty before the first has ended.
    """

    step: int = 0
    loss: float = 0.0
    examples: float = 0.0
    history: History = field(default_factory=History)
    waited: int = 0
    best: list[NDArray[Any]] = field(default_factory=list)

    def summary(self) -> str:
        """Return everything but the weights as JSON."""
        fields = {"step": self.step, "loss": self.loss, "examples": self.examples, "waited": self.waited}
        return json.dumps(fields | {"history": self.history.model_dump(), "best": [None] * len(self.best)})

    @classmethod
    def from_summary(cls, summary: str, best: Any) -> "Progress":
        """Return the progress of a summary.

        Args:
            summary: JSON from `summary`.
            best: Mapping from the name `best_<number>` to each of the best epoch's weights.
        """
        fields = json.loads(summary)
        weights = [best[f"best_{number}"] for number in range(len(fields["best"]))]
        return cls(**fields | {"history": History.model_validate(fields["history"]), "best": weights})


class TrainingState:
    """State of one training on disk, complete or absent.

    Args:
        folder: Folder of the training, created when something is saved.
        every: Minimum number of batches between two saves.
        is_writer: Whether this process saves, of several that train together; all of them restore.
    """

    def __init__(self, folder: str, every: int, *, is_writer: bool = True) -> None:
        self._folder, self._every, self._is_writer = folder.rstrip("/"), every, is_writer
        self._last_step = 0

    def restore(self, variables: Sequence[Any]) -> Progress:
        """Set the variables to their saved values.

        Args:
            variables: Variables of the model and the optimizer, in the order in which they were saved.

        Returns:
            The saved progress; that of a new training if nothing was saved, or what was saved is damaged. Then no
            variable has changed: a damaged state costs time, never truth.
        """
        path = f"{self._folder}/{_FILE}"
        if not exists(path):
            return Progress()
        try:
            values, progress = _read_state(path, [tuple(variable.shape) for variable in variables])
        except _DAMAGE as error:
            PROGRESS.warning("%s: is damaged (%s); training begins anew", path, " ".join(str(error).split()))
            return Progress()
        for variable, value in zip(variables, values, strict=True):
            variable.assign(value)
        self._last_step = progress.step
        return progress

    def save_if_due(self, variables: Sequence[Any], progress: Progress) -> None:
        """Save if enough batches have passed. To be called right after an update, when no gradient is accumulated."""
        if progress.step - self._last_step < self._every:
            return
        self._last_step = progress.step
        if self._is_writer:
            self._save(variables, progress)

    def _save(self, variables: Sequence[Any], progress: Progress) -> None:
        arrays = {f"variable_{number}": np.asarray(variable) for number, variable in enumerate(variables)}
        arrays |= {f"best_{number}": weight for number, weight in enumerate(progress.best)}
        # The partial file of a process that was killed while it saved is deleted with the folder.
        make_folder(self._folder)
        with create_whole(f"{self._folder}/{_FILE}") as file:
            np.savez(file, allow_pickle=False, **{_SUMMARY: np.array(progress.summary())}, **arrays)

    def delete(self) -> None:
        """Delete the state of this training, which has ended, and those of killed trainings beside it."""
        if not self._is_writer:
            return
        remove_folder(self._folder)
        parent = self._folder.rpartition("/")[0]
        for name in list_folder(parent):
            if _FINGERPRINT.fullmatch(name.rstrip("/")):
                remove_folder(f"{parent}/{name}")


def _read_state(path: str, shapes: Sequence[tuple[int, ...]]) -> tuple[list[NDArray[Any]], Progress]:
    """Return the values of the variables and the progress, all of them read and checked before any is used."""
    with open_seekable(path) as file, np.load(file) as state:
        values = [state[f"variable_{number}"] for number in range(len(shapes))]
        progress = Progress.from_summary(str(state[_SUMMARY]), state)
    for number, (value, shape) in enumerate(zip(values, shapes, strict=True)):
        if value.shape != shape:
            raise ValueError(f"variable_{number} has shape {value.shape}, expected {shape}")
    return values, progress


def fingerprint(**values: Any) -> str:
    """Compute the SHA-256, in hex, of values that JSON can hold.

    Example:
        >>> fingerprint(a=1, b=[2]) == fingerprint(b=[2], a=1)
        True
    """
    return hashlib.sha256(json.dumps(values, sort_keys=True).encode()).hexdigest()
