"""The artifact type of the behavioural tests."""

from tfx.types.artifact import Artifact


class BehaviourResults(Artifact):  # type: ignore[misc]
    """Results of the candidate: `results.json`, a `components.behaviour.results.Results`."""

    TYPE_NAME = "components.BehaviourResults"
