"""model_card.md: what a user of the model should know of it, in Markdown, from the same numbers as the report.

After Mitchell et al., 2019, "Model Cards for Model Reporting". What only a person can know is left open and marked so.
"""

import re

from components.common.files import write_whole
from components.report.attention import lagging_slices
from components.report.drawing.tables import Table, number
from components.report.page import environment
from components.report.summary import LabelSummary, Summary
from components.report.views import decision
from components.report.views.behaviour import groups_table
from components.report.views.canary import canary_view
from components.report.views.data import left_out
from components.report.views.labels import FEW, labels_table
from components.report.views.material import Material
from components.report.views.metrics import averages_table

CARD_FILE = "model_card.md"
_MOST_CHARACTERS = 500
# Characters with a meaning in Markdown, or in HTML inside it: some anywhere, some only at the start of a line, and
# underscores only at the start or end of a word.
_MARKS = re.compile(r"([\\`*{}\[\]<>|&~$]|^[-+#]|(?<=^\d)[.)](?=\s|$)|(?<![^\W_])_|_(?![^\W_]))")


def build_card(material: Material) -> str:
    """Return the content of model_card.md; for a run that judged no model, it says why."""
    summary = material.summary
    templates = environment()
    templates.autoescape = False
    templates.finalize = None
    templates.filters |= {"plain": plain, "table": _table, "number": lambda value: number(value).shown}
    templates.filters["gate_line"] = decision.gate_line
    content = {
        "name": material.name,
        "when": material.when.strftime("%Y-%m-%d %H:%M UTC"),
        "verdict": decision.verdict(summary),
        "summary": summary,
        "model": material.model,
        "data": summary.data,
        "labels": labels_table(summary),
        "averages": averages_table(summary),
        "behaviour": groups_table(material.behaviour),
        "canary": canary_view(summary.canary),
        "left_out": left_out(summary.data) if summary.data is not None else "",
        "limitations": limitations(summary, material.slice_drop),
    }
    return templates.get_template("model_card.md.j2").render(content)


def write_card(folder: str, material: Material) -> None:
    """Write model_card.md into a folder, local or remote, complete or not at all."""
    write_whole(f"{folder}/{CARD_FILE}", build_card(material).encode("utf-8", "replace"))


def limitations(summary: Summary, slice_drop: float) -> list[str]:
    """Return the reasons against relying on the model that follow from its metrics, one line each.

    Args:
        summary: Summary of the run.
        slice_drop: How far a slice's micro F1 may be below that of all examples before it is named.
    """
    if summary.metrics is None:
        return []
    found = []
    groups = (
        (
            f"Fewer than {FEW} test rows, so that the metrics are uncertain",
            lambda each: 0 < each.support < FEW,
        ),
        ("No test row, so that nothing is known", lambda each: each.support == 0),
        ("Recall below 0.5", lambda each: each.support and (each.recall or 0) < 0.5),
        ("Precision below 0.5", _is_imprecise),
    )
    for what, applies in groups:
        names = [label for label, measured in summary.metrics.per_label.items() if applies(measured)]
        if names:
            found.append(f"{what}: {', '.join(plain(name) for name in names)}.")
    return found + [f"{plain(line)}." for line in lagging_slices(summary, slice_drop)]


def plain(text: str) -> str:
    r"""Return a text in one line, escaped so that Markdown shows it as it is.

    Example:
        >>> plain("*not* bold")
        '\\*not\\* bold'
    """
    line = " ".join("".join(each if each.isprintable() else " " for each in text[:_MOST_CHARACTERS]).split())
    return _MARKS.sub(r"\\\1", line)


def _is_imprecise(measured: LabelSummary) -> bool:
    # With a recall of 0 the label may never have been given, in which case its precision is 0 without a mistake.
    return bool(measured.recall) and (measured.precision or 0) < 0.5


def _table(table: Table) -> str:
    """Return a table in GitHub's notation, without its columns of drawings, which have no name."""
    columns = [column for column, head in enumerate(table.heads) if head.name]
    heads = " | ".join(plain(table.heads[column].name) for column in columns)
    rule = " | ".join("---:" if table.heads[column].numeric else "---" for column in columns)
    rows = [
        " | ".join(row[column].shown if table.heads[column].numeric else plain(row[column].shown) for column in columns)
        for row in table.rows
    ]
    return "\n".join(f"| {line} |" for line in [heads, rule, *rows])
