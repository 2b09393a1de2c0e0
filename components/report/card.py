"""The model card, in Markdown: what is to be known of a model by whoever meets it, from the report's own numbers.

After Mitchell et al., 2019, "Model Cards for Model Reporting". What only a person can say is left open, and says so.
"""

import re

from components.common.files import write_whole
from components.report.drawing.tables import Table, in_words, number
from components.report.page import environment
from components.report.summary import LabelSummary, Summary
from components.report.views import decision
from components.report.views import run as view
from components.report.views.behaviour import groups_table
from components.report.views.canary import canary_view
from components.report.views.data import left_out
from components.report.views.material import Material

CARD_FILE = "model_card.md"
_MOST_CHARACTERS = 500
# What Markdown, or the HTML that may stand in it, takes for its own; what it does so only at the beginning of a line;
# underscores are marks only where a word begins or ends.
_MARKS = re.compile(r"([\\`*{}\[\]<>|&~$]|^[-+#]|(?<=^\d)[.)](?=\s|$)|(?<![^\W_])_|_(?![^\W_]))")


def build_card(material: Material) -> str:
    """The whole file's text; of a run that judged no model, why there is none."""
    summary = material.summary
    made = environment()
    made.autoescape = False
    made.finalize = None
    made.filters |= {"plain": plain, "table": _table, "number": lambda value: number(value).shown}
    made.filters |= {"outcome": decision.outcome, "gate_line": decision.gate_line}
    content = {
        "name": material.name,
        "when": material.when.strftime("%Y-%m-%d %H:%M UTC"),
        "verdict": decision.verdict(summary),
        "summary": summary,
        "model": material.model,
        "data": summary.data,
        "labels": view.labels_table(summary) if summary.metrics is not None else None,
        "averages": view.averages_table(summary) if summary.metrics is not None else None,
        "behaviour": groups_table(material.behaviour),
        "canary": canary_view(summary.canary),
        "left_out": left_out(summary.data) if summary.data is not None else "",
        "limitations": limitations(summary),
        "in_words": in_words,
    }
    return made.get_template("model_card.md.j2").render(content)


def write_card(folder: str, material: Material) -> None:
    """Writes model_card.md into a folder, local or remote, complete or not at all."""
    write_whole(f"{folder}/{CARD_FILE}", build_card(material).encode("utf-8", "replace"))


def limitations(summary: Summary) -> list[str]:
    """What the numbers themselves say against relying on the model."""
    if summary.metrics is None:
        return []
    per_label = summary.metrics.per_label
    found = []
    groups = (
        (f"Fewer than {view.FEW} test rows; its numbers say little", lambda each: 0 < each.support < view.FEW),
        ("No test row has it: nothing is known of it", lambda each: each.support == 0),
        ("Less than half of the rows that have it are found", lambda each: each.support and (each.recall or 0) < 0.5),
        ("Less than half of the rows that it is given to have it", _often_wrong),
    )
    for what, applies in groups:
        names = [label for label, measured in per_label.items() if applies(measured)]
        if names:
            found.append(f"{what}: {', '.join(plain(name) for name in names)}.")
    for name, models in summary.slices.items():
        metrics = models["candidate"]
        overall = summary.metrics.micro_f1
        few = metrics.examples < view.FEW or name in summary.small_slices
        if name.startswith("labels=") or few or None in (metrics.micro_f1, overall):
            continue
        if metrics.micro_f1 < overall - 0.1:  # type: ignore[operator]
            rows = f"{metrics.examples:,} rows"
            found.append(f"On {plain(name)} ({rows}) micro F1 is {metrics.micro_f1:.3f}, {overall:.3f} overall.")
    return found


def plain(text: str) -> str:
    """A text that Markdown shows as it is, in one line and in any place."""
    line = " ".join("".join(each if each.isprintable() else " " for each in text[:_MOST_CHARACTERS]).split())
    return _MARKS.sub(r"\\\1", line)


def _often_wrong(measured: LabelSummary) -> bool:
    given = bool(measured.recall)  # one that is never given is wrong about nothing
    return given and (measured.precision or 0) < 0.5


def _table(table: Table) -> str:
    """A table in the notation that GitHub introduced."""
    heads = " | ".join(plain(head.name) for head in table.heads)
    rule = " | ".join("---:" if head.numeric else "---" for head in table.heads)
    numeric = [head.numeric for head in table.heads]
    rows = [
        " | ".join(cell.shown if bare else plain(cell.shown) for bare, cell in zip(numeric, row, strict=True))
        for row in table.rows
    ]
    return "\n".join(f"| {line} |" for line in [heads, rule, *rows])
