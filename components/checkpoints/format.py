"""Base of the formats in which a checkpoint may be stored."""

from abc import ABC, abstractmethod
from pathlib import Path
from typing import Any, ClassVar

from components.checkpoints.checkpoint import Checkpoint


class CheckpointFormat(ABC):
    """Format of a checkpoint's folder, told from others by the files in it.

    All methods but `load` are cheap and import no TensorFlow. A new format is a subclass in a module of its own and an
    entry in `components.checkpoints.find.FORMATS`.

    Attributes:
        TITLE: Name and files of the format, for messages.
    """

    TITLE: ClassVar[str]

    @abstractmethod
    def signs(self, folder: Path) -> list[str]:
        """Return the names of files that suggest this format and no other."""

    @abstractmethod
    def missing(self, folder: Path) -> list[str]:
        """Return the names of required files that the folder lacks."""

    def remedy(self, folder: Path) -> str | None:  # noqa: ARG002 - for subclasses
        """Return what to do about the missing files, or None if there is nothing better than to supply them."""
        return None

    @abstractmethod
    def find(self, folder: Path, source: str) -> Checkpoint:
        """Describe the checkpoint by its configuration and vocabulary.

        Args:
            folder: Folder from which no file is missing.
            source: Source as the user named it.

        Raises:
            Refused: The checkpoint is of a model that is not supported, or computes or tokenizes otherwise.
        """

    @abstractmethod
    def load(self, checkpoint: Checkpoint) -> Any:
        """Read the weights into a backbone of KerasHub, see `components.checkpoints.backbone`.

        Raises:
            Refused: The weights cannot be read, or are not those of the described model.
        """
