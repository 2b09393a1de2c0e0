"""The report: one HTML file that needs no network, and reads the same without its script.

Every text is escaped by the template engine, its control characters made visible, and isolated from the direction of
what is around it; a policy in the page allows no script but its own, should one slip through even so.
"""

import base64
import hashlib
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from components.common.files import write_whole
from components.report.views import decision
from components.report.views import run as view
from components.report.views.behaviour import group_views, groups_table
from components.report.views.canary import canary_view
from components.report.views.data import data_view
from components.report.views.label import calibration_charts, confusion_view, label_views, training_charts
from components.report.views.material import Material

REPORT_FILE = "report.html"
_TEMPLATES = Path(__file__).parent / "templates"
# Of one text on the page, whatever it is; a report is not where one reads a book.
_MOST_CHARACTERS = 20_000
# Control characters as their pictures; what has none, and halves of characters, as what cannot be shown.
_VISIBLE = (
    {code: 0x2400 + code for code in range(0x20) if chr(code) not in "\n\t"}
    | {0x7F: 0x2421}
    | dict.fromkeys([*range(0x80, 0xA0), *range(0xD800, 0xE000)], 0xFFFD)
)


def build_page(material: Material) -> str:
    """The whole file's text."""
    script = (_TEMPLATES / "report.js").read_text(encoding="utf-8")
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    summary = material.summary
    labels, labels_left_out = label_views(material)
    slices, slices_left_out = view.slices_tables(summary)
    content: dict[str, Any] = {
        "style": Markup((_TEMPLATES / "report.css").read_text(encoding="utf-8")),
        "script": Markup(script),
        "script_hash": Markup(f"sha256-{digest}"),
        "name": material.name,
        "when": material.when.strftime("%Y-%m-%d %H:%M UTC"),
        "verdict": decision.verdict(summary),
        "figures": decision.figures(summary),
        "baseline_note": summary.baseline_note,
        "metrics": summary.metrics is not None,
        "behaviour": groups_table(material.behaviour),
        "behaviour_groups": group_views(material.behaviour, texts=material.texts),
        "canary": canary_view(summary.canary),
        "few": view.FEW,
        "texts": material.texts,
        "insights": material.insights is not None,
        "each_label": labels,
        "labels_left_out": labels_left_out,
        "confusion": confusion_view(material.insights),
        "calibration": calibration_charts(material),
        "slices": slices,
        "min_support": summary.min_support,
        "slices_left_out": slices_left_out,
        "training": training_charts(material.training, material.batches),
        "data": data_view(material),
        "run": view.run_tables(material),
        "model": material.model,
        "peak_memory_mb": summary.peak_memory_mb,
        "configuration": material.configuration,
    }
    if summary.metrics is not None:
        content |= {
            "gates": decision.gates_table(summary.gates),
            "averages": view.averages_table(summary),
            "labels": view.labels_table(summary),
        }
    return environment().get_template("report.html.j2").render(content).translate(_VISIBLE)


def write_page(folder: str, material: Material) -> None:
    """Writes report.html into a folder, local or remote, complete or not at all."""
    write_whole(f"{folder}/{REPORT_FILE}", build_page(material).encode())


def environment() -> Environment:
    """The templates of this folder; what they print is escaped, and has an end."""
    made = Environment(
        loader=FileSystemLoader(_TEMPLATES),
        autoescape=True,
        undefined=StrictUndefined,
        finalize=_cut,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    made.tests["markup"] = lambda value: isinstance(value, Markup)
    return made


def _cut(value: Any) -> Any:
    """A text without its end, where it is endless; anything else as it is."""
    if not isinstance(value, str) or isinstance(value, Markup) or len(value) <= _MOST_CHARACTERS:
        return value
    return f"{value[:_MOST_CHARACTERS]} …"
