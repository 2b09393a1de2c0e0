"""The `suspects` section of the configuration, and what the step gets."""

from pydantic import Field

from components.common.settings import Settings
from components.preprocessing.settings import WindowSettings

FOLDS, TOP = 5, 20


class SuspectsSettings(Settings):
    """Search for likely label errors in the train split, as a step of each run."""

    top: int = Field(TOP, ge=0, description="Number of likely errors in the report; suspects.csv has all of them.")
    folds: int = Field(
        FOLDS, ge=2, description="Parts of the train split; each is judged by a head trained on the others."
    )


class SuspectsConfig(Settings):
    """Everything that the step needs.

    Attributes:
        search: Section `suspects` of the configuration.
        checkpoint: Name or path for `components.checkpoints.find.find_checkpoint`.
        checkpoint_fingerprint: Fingerprint of the checkpoint's files, which makes changed weights a cache miss.
        soft_cut: Share of annotators from which on a label counts as given; None if labels are yes or no.
        windows: Windows that long texts are read in; None if they are truncated.
    """

    search: SuspectsSettings
    checkpoint: str
    checkpoint_fingerprint: str
    soft_cut: float | None = None
    windows: WindowSettings | None = None
