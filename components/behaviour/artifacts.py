"""What the behavioural tests make."""

from tfx.types.artifact import Artifact


class BehaviourResults(Artifact):  # type: ignore[misc]
    """How the candidate did: `results.json`, a `components.behaviour.results.Results`."""

    TYPE_NAME = "components.BehaviourResults"
