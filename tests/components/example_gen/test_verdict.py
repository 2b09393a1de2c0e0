"""Refusals of rows that cannot make a data set."""

from typing import Any

import pytest

from components.example_gen.formats.rows import Reason
from components.example_gen.quarantine import QuarantinedRow
from components.example_gen.report import IngestReport
from components.example_gen.verdict import refuse_unusable
from schema.errors import Refused
from tests.components.example_gen.support import settings_for


def report_of(train: int, eval_: int, test: int, **reasons: int) -> IngestReport:
    by_reason = {str(Reason[name]): count for name, count in reasons.items()}
    accepted, quarantined = train + eval_ + test, sum(by_reason.values())
    return IngestReport(
        read=accepted + quarantined,
        accepted=accepted,
        quarantined=quarantined,
        reasons=by_reason,
        splits={"train": train, "eval": eval_, "test": test},
        labels={},
    )


def refusal(report: IngestReport, rows: list[QuarantinedRow], **changes: Any) -> str:
    with pytest.raises(Refused) as refused:
        refuse_unusable(report, settings_for("d", **changes), rows)
    return str(refused.value)


def test_accepts_one_row_per_split() -> None:
    refuse_unusable(report_of(1, 1, 1, BLANK_TEXT=7), settings_for("d"), [])


def test_refuses_data_of_which_all_rows_are_quarantined() -> None:
    rows = [
        QuarantinedRow("a.csv", 2, "malformed quote: ',' expected after '\"'", "raw"),
        QuarantinedRow("a.csv", 3, "blank text", "raw"),
        QuarantinedRow("a.csv", 4, "malformed quote: other", "raw"),
    ]
    assert refusal(report_of(0, 0, 0, MALFORMED_QUOTE=2, BLANK_TEXT=1), rows) == (
        "d: all 3 rows were quarantined: 2 malformed quote: ',' expected after '\"' (first at a.csv:2),"
        " 1 blank text (first at a.csv:3); if quotes are ordinary characters, set examples.quoting to false"
    )


@pytest.mark.parametrize("reason", [reason for reason in Reason if reason is not Reason.DAMAGED])
def test_names_a_remedy_for_every_reason(reason: Reason) -> None:
    rows = [QuarantinedRow("a.csv", 2, reason, "raw")]
    assert "; " in refusal(report_of(0, 0, 0, **{reason.name: 1}), rows)


def test_names_the_rule_of_an_empty_split() -> None:
    assert refusal(report_of(4, 0, 1), []) == (
        "d: no row in the split 'eval', which examples.inputs[0] ('*.csv', 1 of 4 by the hash of the text) should fill"
        " (5 rows in other splits); add rows or change its rule"
    )


def test_names_the_reasons_if_an_empty_split_lost_its_rows() -> None:
    inputs = [{"pattern": "*", "split": {"train": 1, "eval": 1}}, {"pattern": "t.csv", "split": "test"}]
    rows = [QuarantinedRow("t.csv", 2, "blank text", "raw")]
    assert refusal(report_of(4, 1, 0, BLANK_TEXT=1), rows, inputs=inputs) == (
        "d: no row in the split 'test', which examples.inputs[1] ('t.csv', every row) should fill"
        " (5 rows in other splits, 1 quarantined: 1 blank text (first at t.csv:2)); add rows or change its rule"
    )


def test_refuses_damaged_data_although_rows_were_read() -> None:
    rows = [QuarantinedRow("a.csv.gz", 900, "damaged data: cut short", "")]
    assert refusal(report_of(1, 1, 1, DAMAGED=1), rows).startswith("d/a.csv.gz:900: damaged data: cut short")
