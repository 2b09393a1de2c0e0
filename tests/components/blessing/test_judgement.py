"""Judgement of a model, from the results of its gates."""

from pathlib import Path

from components.blessing.judgement import Judgement, judge_model
from components.evaluation.gates.result import GateResult

PASSED = GateResult(gate="macro_auc >= 0.4", value=0.5, bound=0.4, passed=True, note="macro_auc is 0.5, at least 0.4")
FAILED = GateResult(gate="macro_auc >= 0.6", value=0.5, bound=0.6, passed=False, note="macro_auc is 0.5, below 0.6")
NOT_ASKED = GateResult(
    gate="macro_auc >= baseline", value=0.5, bound=None, passed=True, note="no baseline yet", asked=False
)


def test_never_blesses_what_the_evaluator_did_not_bless(tmp_path: Path) -> None:
    assert judge_model([PASSED], evaluator_blessed=True).blessed
    judgement = judge_model([PASSED], evaluator_blessed=False)
    assert not judgement.blessed
    assert judgement.reasons == [
        "the Evaluator did not bless the model: a TFMA threshold failed, see its validation result"
    ]
    for evaluator_blessed in (True, False):
        assert judge_model([PASSED, FAILED], evaluator_blessed=evaluator_blessed).reasons == [FAILED.note]
    judgement.write(str(tmp_path))
    assert Judgement.read(str(tmp_path)) == judgement


def test_notes_that_the_model_passed_no_gate() -> None:
    assert judge_model([], evaluator_blessed=True) == Judgement(
        blessed=True, reasons=[], note="no gate is configured: every model is blessed"
    )
    assert judge_model([NOT_ASKED], evaluator_blessed=True).note == (
        "no gate was asked: the model is blessed unchecked"
    )
    assert judge_model([PASSED, NOT_ASKED], evaluator_blessed=True).note == ""
