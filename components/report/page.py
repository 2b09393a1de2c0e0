"""report.html: one file that needs no network, and reads the same without its script.

The template engine escapes every text, its control characters are made visible, and it is isolated from the direction
of the text around it. Should a script slip through nevertheless, the page's content security policy blocks it.
"""

import base64
import hashlib
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from components.common.files import write_whole
from components.report.attention import headline
from components.report.views import decision
from components.report.views import run as run_view
from components.report.views.behaviour import group_views, groups_table
from components.report.views.canary import canary_view
from components.report.views.data import data_view
from components.report.views.label import calibration_charts, confusion_view, label_views, training_charts
from components.report.views.material import Material

REPORT_FILE = "report.html"
_TEMPLATES = Path(__file__).parent / "templates"
# Longer texts are cut, whatever they are: nobody reads a book in a report.
_MOST_CHARACTERS = 20_000
# ASCII control characters become their Unicode pictures; other controls and lone surrogates, U+FFFD.
_VISIBLE = (
    {code: 0x2400 + code for code in range(0x20) if chr(code) not in "\n\t"}
    | {0x7F: 0x2421}
    | dict.fromkeys([*range(0x80, 0xA0), *range(0xD800, 0xE000)], 0xFFFD)
)


def build_page(material: Material) -> str:
    """Return the content of report.html."""
    script = (_TEMPLATES / "report.js").read_text(encoding="utf-8")
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    summary = material.summary
    labels, labels_left_out = label_views(material)
    slices, slices_left_out = run_view.slices_tables(summary)
    content: dict[str, Any] = {
        "style": Markup((_TEMPLATES / "report.css").read_text(encoding="utf-8")),
        "script": Markup(script),
        "script_hash": Markup(f"sha256-{digest}"),
        "name": material.name,
        "when": material.when.strftime("%Y-%m-%d %H:%M UTC"),
        "verdict": decision.verdict(summary),
        "figures": decision.figures(summary),
        "attention": summary.attention,
        "attention_headline": headline(len(summary.attention_labels), len(summary.attention)),
        "baseline_note": summary.baseline_note,
        "metrics": summary.metrics is not None,
        "behaviour": groups_table(material.behaviour),
        "behaviour_groups": group_views(material.behaviour, texts=material.texts),
        "canary": canary_view(summary.canary),
        "few": run_view.FEW,
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
        "run": run_view.run_tables(material),
        "model": material.model,
        "peak_memory_mb": summary.peak_memory_mb,
        "configuration": material.configuration,
    }
    if summary.metrics is not None:
        content |= {
            "gates": decision.gates_table(summary.gates),
            "averages": run_view.averages_table(summary),
            "labels": run_view.labels_table(summary),
        }
    return environment().get_template("report.html.j2").render(content).translate(_VISIBLE)


def write_page(folder: str, material: Material) -> None:
    """Write report.html into a folder, local or remote, complete or not at all."""
    write_whole(f"{folder}/{REPORT_FILE}", build_page(material).encode())


def environment() -> Environment:
    """Return the environment of the templates, which escapes every text and cuts those that are too long."""
    templates = Environment(
        loader=FileSystemLoader(_TEMPLATES),
        autoescape=True,
        undefined=StrictUndefined,
        finalize=_cut,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    templates.tests["markup"] = lambda value: isinstance(value, Markup)
    return templates


def _cut(value: Any) -> Any:
    if not isinstance(value, str) or isinstance(value, Markup) or len(value) <= _MOST_CHARACTERS:
        return value
    return f"{value[:_MOST_CHARACTERS]} …"
