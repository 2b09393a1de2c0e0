"""Decision whether the rows that were read can make a data set."""

from collections.abc import Iterable

from components.common.files import display
from components.example_gen.formats.rows import Reason
from components.example_gen.quarantine import QuarantinedRow
from components.example_gen.report import IngestReport
from components.example_gen.settings import ExamplesSettings
from components.example_gen.sources.settings import SPLITS
from components.example_gen.splitting import describe_rule
from schema.errors import Refused

_MOST_REASONS_NAMED = 3


def refuse_unusable(report: IngestReport, settings: ExamplesSettings, quarantined: Iterable[QuarantinedRow]) -> None:
    """Refuse data that leaves a split empty, or that is known to be incomplete.

    Args:
        report: Counts of the rows.
        settings: Rules by which splits are filled, for messages.
        quarantined: Quarantined rows in order. Only read for a message, since a refused run keeps no quarantine.

    Raises:
        Refused: A file is damaged, no row was accepted, or a split has no row.
    """
    base = display(settings.input_base.rstrip("/"))
    if Reason.DAMAGED in report.reasons:
        row = next(row for row in quarantined if row.reason.startswith(Reason.DAMAGED))
        raise Refused(f"{base}/{row.file}:{row.line}: {row.reason}; the rest of it is lost, so replace the file")
    if not report.accepted:
        raise Refused(
            f"{base}: all {report.rows_read} rows were quarantined: {_reasons(report, quarantined)}; {_remedy(report)}"
        )
    for split in SPLITS:
        if not report.splits[split]:
            rule = describe_rule(settings.inputs, split, settings.split_by)
            others = f"{report.accepted} rows in other splits"
            lost = f", {report.quarantined} quarantined: {_reasons(report, quarantined)}" if report.quarantined else ""
            raise Refused(
                f"{base}: no row in the split '{split}', which {rule} should fill ({others}{lost});"
                " add rows or change its rule"
            )


def _reasons(report: IngestReport, quarantined: Iterable[QuarantinedRow]) -> str:
    commonest = list(report.reasons)[:_MOST_REASONS_NAMED]
    first: dict[str, QuarantinedRow] = {}
    for row in quarantined:
        first.setdefault(row.reason.partition(": ")[0], row)
        if all(reason in first for reason in commonest):
            break
    return ", ".join(
        f"{report.reasons[reason]} {first[reason].reason} (first at {first[reason].file}:{first[reason].line})"
        for reason in commonest
    )


def _remedy(report: IngestReport) -> str:
    return _REMEDIES.get(next(iter(report.reasons)), "set examples.labels")


_FLAGS = "correct them, or name the values that mean unknown in examples.labels.unknown"
_REMEDIES: dict[str, str] = {
    Reason.MALFORMED_QUOTE: "if quotes are ordinary characters, set examples.quoting to false",
    Reason.UNTERMINATED_QUOTE: "if quotes are ordinary characters, set examples.quoting to false",
    Reason.WRONG_FIELDS: "check examples.format, examples.quoting and examples.columns",
    Reason.NOT_JSON: "check examples.format",
    Reason.NOT_A_RECORD: "check examples.format",
    Reason.TOO_LONG: "check examples.format",
    Reason.MISSING_FIELD: "name columns under examples that hold one string in every row",
    Reason.NOT_A_STRING: "name columns under examples that hold one string in every row",
    Reason.NOT_0_OR_1: _FLAGS,
    Reason.NOT_A_VECTOR: _FLAGS,
    Reason.NOT_LABELLED: "label some rows, or correct examples.labels.unknown and examples.inputs[].asked",
    Reason.CONTRADICTION: "correct them, or set examples.implied to complete",
    Reason.NOT_A_LABEL: "correct them, or add the label to the schema (bert-multilabel labels add)",
    Reason.NOT_A_LIST: "write whole lists, or set examples.labels.kind to delimited",
    Reason.INVALID_UTF8: "set examples.encoding, or save the files as UTF-8",
    Reason.BLANK_KEY: "set examples.merge_by",
    Reason.OTHER_TEXT: "set examples.merge_by to a column that identifies a text, or leave it out",
    Reason.BLANK_ID: "set examples.id",
    Reason.BLANK_TEXT: "set examples.text",
}
