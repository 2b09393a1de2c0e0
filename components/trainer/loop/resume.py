"""Going on with a training that was killed.

TFX gives a retried execution new folders, so what is to survive is kept elsewhere: in a folder below the pipeline's
own, named by the fingerprint of all that decides the training's outcome. Whoever would train the same finds it, whoever
would train anything else does not. When a training has ended, its own is removed, and so are those of others that were
killed before: one run of a pipeline goes at a time, and what nobody went on with would fill the disk.

    <resume_dir>/<fingerprint>/state.npz     variables, optimizer state, best epoch, where in the data: whole or absent
"""

import hashlib
import json
import re
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from components.common.files import create_whole, exists, list_folder, make_folder, open_seekable, remove_folder

_FILE = "state.npz"
_SUMMARY = "progress"
_FINGERPRINT = re.compile("[0-9a-f]{64}")


@dataclass
class Progress:
    """How far a training is, but for its weights.

    Attributes:
        step: Batches trained on.
        loss: Of this epoch's batches, summed over examples.
        examples: This epoch's.
        history: loss and val_loss of each epoch.
        waited: Epochs since the best.
        best: The weights of the best epoch, none before the first ended.
    """

    step: int = 0
    loss: float = 0.0
    examples: float = 0.0
    history: dict[str, list[float]] = field(default_factory=lambda: {"loss": [], "val_loss": []})
    waited: int = 0
    best: list[NDArray[Any]] = field(default_factory=list)


class Interruption:
    """The state of one training on disk.

    Args:
        folder: Its own, made when there is something to keep.
        every: Batches between two states.
        writes: Whether this process keeps it, of several that train together; all of them read.
    """

    def __init__(self, folder: str, every: int, *, writes: bool = True) -> None:
        self._folder, self._every, self._writes = folder.rstrip("/"), every, writes
        self._last = 0

    def read(self, variables: Sequence[Any]) -> Progress:
        """Sets the variables as they were; returns how far training was, nowhere if nothing was kept."""
        path = f"{self._folder}/{_FILE}"
        if not exists(path):
            return Progress()
        with open_seekable(path) as file, np.load(file) as state:
            for number, variable in enumerate(variables):
                variable.assign(state[f"variable_{number}"])
            progress = Progress(**json.loads(str(state[_SUMMARY])))
            progress.best = [state[f"best_{number}"] for number in range(len(progress.best))]
        self._last = progress.step
        return progress

    def keep(self, variables: Sequence[Any], progress: Progress) -> None:
        """Keeps the state if it is time to; only right after an update, when no gradient is gathered."""
        if progress.step - self._last < self._every:
            return
        self._last = progress.step
        if self._writes:
            self._write(variables, progress)

    def _write(self, variables: Sequence[Any], progress: Progress) -> None:
        summary = asdict(progress) | {"best": [None] * len(progress.best)}
        arrays = {f"variable_{number}": np.asarray(variable) for number, variable in enumerate(variables)}
        arrays |= {f"best_{number}": weight for number, weight in enumerate(progress.best)}
        # The last one's leftovers, if that was killed while it wrote, go with the folder.
        make_folder(self._folder)
        with create_whole(f"{self._folder}/{_FILE}") as file:
            np.savez(file, allow_pickle=False, **{_SUMMARY: np.array(json.dumps(summary))}, **arrays)

    def forget(self) -> None:
        """Removes the state, and those that others left beside it: the training has ended."""
        if not self._writes:
            return
        remove_folder(self._folder)
        beside = self._folder.rpartition("/")[0]
        for name in list_folder(beside):
            if _FINGERPRINT.fullmatch(name.rstrip("/")):
                remove_folder(f"{beside}/{name}")


def fingerprint(**decides: Any) -> str:
    """SHA-256, in hex, over all that is given, which JSON must be able to hold."""
    return hashlib.sha256(json.dumps(decides, sort_keys=True).encode()).hexdigest()
