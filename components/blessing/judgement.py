"""`gates.json` in the final ModelBlessing: what was asked of the model, and what came of it. Needs no TensorFlow."""

from collections.abc import Mapping, Sequence

from pydantic import Field

from components.common.files import read_bytes
from components.common.settings import Settings, write_json
from components.evaluation.gates.checks import Known, unverified
from components.evaluation.gates.gate import parse_gate
from components.evaluation.gates.result import GateResult
from components.evaluation.settings import EvaluationSettings
from schema.label_list import LabelList

_FILE = "gates.json"


class BlessingSettings(Settings):
    """What `Blessing` is told of the configuration.

    Attributes:
        gates: as configured.
        min_support: of a slice with fewer examples nothing is asked.
        unverified: the gates on a slice that only the data tells to exist.
    """

    gates: list[str]
    min_support: int
    unverified: list[str] = Field(default=[])


def blessing_settings(
    evaluation: EvaluationSettings, labels: LabelList, domains: Mapping[str, Sequence[str]]
) -> BlessingSettings:
    """What the configuration and the schema's labels and domains say of the gates."""
    gates = [parse_gate(gate) for gate in evaluation.gates]
    known = Known(labels, evaluation.slicing, domains)
    return BlessingSettings(
        gates=evaluation.gates, min_support=evaluation.min_support, unverified=unverified(gates, known)
    )


class Judgement(Settings):
    """Whether a model may go live, and why.

    Attributes:
        blessed: whether it may.
        reasons: why not; empty if it may.
        note: that nothing was asked of the model, and why, if so; empty otherwise.
        min_support: of slices with fewer examples nothing was asked.
        small_slices: these slices -> their examples.
        gates: the outcome of each gate: those of the configuration in its order, then any others.
    """

    blessed: bool
    reasons: list[str]
    note: str = ""
    min_support: int = 0
    small_slices: dict[str, int] = Field(default={})
    gates: list[GateResult] = Field(default=[])


def judgement(
    results: Sequence[GateResult],
    *,
    evaluator_blessed: bool,
    min_support: int = 0,
    small_slices: dict[str, int] | None = None,
) -> Judgement:
    """Blesses what the Evaluator has blessed and no gate speaks against.

    Args:
        results: of all gates, whoever decided them.
        evaluator_blessed: the Evaluator's word: what it has not blessed never is.
        min_support: for the record.
        small_slices: likewise.
    """
    reasons = [result.note for result in results if not result.passed]
    if not evaluator_blessed and not reasons:
        reasons = ["the Evaluator did not bless the model: a TFMA threshold failed, see its validation result"]
    return Judgement(
        blessed=not reasons,
        reasons=reasons,
        note=_nothing_asked(results),
        min_support=min_support,
        small_slices=small_slices or {},
        gates=list(results),
    )


def _nothing_asked(results: Sequence[GateResult]) -> str:
    if not results:
        return "no gate is configured: nothing was asked of the model"
    return "" if any(result.asked for result in results) else "no gate could be asked: nothing was asked of the model"


def write_judgement(uri: str, judged: Judgement) -> None:
    """Writes it into the ModelBlessing artifact, beside TFX's own BLESSED or NOT_BLESSED."""
    write_json(uri, _FILE, judged)


def read_judgement(uri: str) -> Judgement:
    """Reads it from the ModelBlessing of `Blessing`.

    Raises:
        OSError: there is none.
    """
    return Judgement.model_validate_json(read_bytes(f"{uri}/{_FILE}"))
