"""`tracked.json`: where a run was logged."""

from typing import ClassVar

from components.common.record import Record


class Tracked(Record):
    """A run of MLflow.

    Attributes:
        uri: Address of the tracking server, or folder of the file store.
        experiment_id: Id of the experiment.
        run_id: Id of the run.
    """

    FILE: ClassVar[str] = "tracked.json"

    uri: str
    experiment_id: str
    run_id: str
