"""The outcome of runs whose summary.json was written before it had one."""

import json
from pathlib import Path
from typing import Any

import pytest

from components.common.outcome import Outcome
from components.report.summary import Summary, failed_summary
from tests.components.report.made_up import material

_EARLY: dict[str, Any] = {"blessed": False, "pushed": None}


@pytest.mark.parametrize(
    ("summary", "outcome"),
    [
        (_EARLY | {"reasons": ["no span is newer than 7, which was trained on 2026-11-23"]}, "no_new_data"),
        (_EARLY | {"reasons": ["Trainer failed: MemoryError: no message"]}, "failed"),
        (_EARLY | {"reasons": ["rows.csv:3: unknown label 'x'"]}, "refused"),
        ({"blessed": True, "pushed": "/registry/1", "reasons": []}, "blessed"),
    ],
)
def test_infers_the_outcome_of_an_old_summary(tmp_path: Path, summary: dict[str, Any], outcome: Outcome) -> None:
    Path(tmp_path, "summary.json").write_text(json.dumps(summary))
    assert Summary.read(str(tmp_path)).outcome == outcome


def test_infers_that_an_old_model_was_judged_but_not_pushed() -> None:
    old = material().summary.model_dump(mode="json", exclude={"outcome", "attention"})
    assert Summary.model_validate(old).outcome == "not_blessed"


def test_keeps_the_outcome_that_was_set(tmp_path: Path) -> None:
    failed_summary("no span is newer than 7", "failed").write(str(tmp_path))
    assert Summary.read(str(tmp_path)).outcome == "failed"
