"""The artifact type of the search for label errors."""

from tfx.types.artifact import Artifact


class SuspectedLabels(Artifact):  # type: ignore[misc]
    """Likely label errors of the train split.

    `suspects.json` is a `components.suspects.suspects.Suspects`; `suspects.csv` has all errors, the most likely first.
    """

    TYPE_NAME = "components.SuspectedLabels"
