"""Settings of the decision whether a model may go live."""

from collections.abc import Mapping, Sequence

from pydantic import Field

from components.common.settings import Settings
from components.evaluation.gates.checks import GateNames, unverifiable_gates
from components.evaluation.gates.gate import Gate
from components.evaluation.settings import EvaluationSettings
from schema.label_list import LabelList


class BlessingSettings(Settings):
    """Settings of `Blessing`.

    Attributes:
        gates: The gates, in the order of the configuration.
        min_support: Gates on a slice with fewer examples are not asked.
        unverified: The gates on a slice whose value the schema does not list: without examples, they fail.
    """

    gates: list[Gate]
    min_support: int
    unverified: list[Gate] = Field(default=[])


def blessing_settings(
    evaluation: EvaluationSettings, labels: LabelList, domains: Mapping[str, Sequence[str]]
) -> BlessingSettings:
    """Return the settings of `Blessing` for a configured evaluation.

    Args:
        evaluation: Settings of the evaluation.
        labels: Labels of the schema.
        domains: Column -> its values, for the slice columns whose values the schema lists.
    """
    names = GateNames(labels, evaluation.slicing(len(labels.active)), domains)
    return BlessingSettings(
        gates=evaluation.gates,
        min_support=evaluation.min_support,
        unverified=unverifiable_gates(evaluation.gates, names),
    )
