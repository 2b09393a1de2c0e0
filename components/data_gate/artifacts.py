"""The artifact type of the data gate."""

from tfx.types.artifact import Artifact


class DataVerdict(Artifact):  # type: ignore[misc]
    """Verdict on the data: `verdict.json`, a `data_gate.verdict.Verdict`, and `distributions.json` beside it."""

    TYPE_NAME = "components.DataVerdict"
