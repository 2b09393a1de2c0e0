"""Judgement of a model: `gates.json` in the final ModelBlessing. Needs no TensorFlow."""

from collections.abc import Sequence
from typing import ClassVar

from pydantic import Field

from components.common.record import Record
from components.evaluation.gates.result import GateResult


class Judgement(Record):
    """Whether a model may go live, and why.

    Attributes:
        blessed: Whether it may go live.
        reasons: Why not; empty if it may.
        note: That the model is blessed without having passed any gate, and why; empty otherwise.
        min_support: Gates on slices with fewer examples were not asked.
        small_slices: Those slices -> their numbers of examples.
        gates: Result of each gate: those of the configuration in its order, then the groups of behavioural tests.
        model_id: Id of the model; None in judgements older than this attribute.
    """

    FILE: ClassVar[str] = "gates.json"

    blessed: bool
    reasons: list[str]
    note: str = ""
    min_support: int = 0
    small_slices: dict[str, int] = Field(default={})
    gates: list[GateResult] = Field(default=[])
    model_id: str | None = None


def judge_model(
    results: Sequence[GateResult],
    *,
    evaluator_blessed: bool,
    min_support: int = 0,
    small_slices: dict[str, int] | None = None,
) -> Judgement:
    """Return the judgement of a model: blessed if the Evaluator blessed it and it failed no gate.

    Args:
        results: Results of all gates.
        evaluator_blessed: Whether the Evaluator blessed the model; if not, it is never blessed.
        min_support: For the record: gates on slices with fewer examples were not asked.
        small_slices: For the record: those slices -> their numbers of examples.
    """
    reasons = [result.note for result in results if not result.passed]
    if not evaluator_blessed and not reasons:
        reasons = ["the Evaluator did not bless the model: a TFMA threshold failed, see its validation result"]
    return Judgement(
        blessed=not reasons,
        reasons=reasons,
        note=_note_no_gate(results),
        min_support=min_support,
        small_slices=small_slices or {},
        gates=list(results),
    )


def _note_no_gate(results: Sequence[GateResult]) -> str:
    if not results:
        return "no gate is configured: every model is blessed"
    return "" if any(result.asked for result in results) else "no gate was asked: the model is blessed unchecked"
