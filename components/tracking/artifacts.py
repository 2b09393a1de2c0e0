"""The artifact type of a tracked run."""

from tfx.types.artifact import Artifact


class TrackedRun(Artifact):  # type: ignore[misc]
    """Where a run was logged: `tracked.json`, a `components.tracking.tracked.Tracked`. Removed if that failed."""

    TYPE_NAME = "components.TrackedRun"
