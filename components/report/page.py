"""report.html: one file that needs no network, and reads the same without its script.

The template engine escapes every text, its control characters are made visible, and it is isolated from the direction
of the text around it. Should a script slip through nevertheless, the page's content security policy blocks it.
"""

import base64
import hashlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from components.common.files import write_whole
from components.report.attention import headline
from components.report.drawing.tables import Table
from components.report.summary import Summary
from components.report.views import decision
from components.report.views.behaviour import behaviour_view
from components.report.views.calibration import calibration_view
from components.report.views.canary import canary_view
from components.report.views.comparison import compare
from components.report.views.confusions import confusion_view
from components.report.views.data import data_view
from components.report.views.label import labels_view
from components.report.views.labels import FEW, label_anchors
from components.report.views.labels import labels_view as all_labels_view
from components.report.views.material import Material
from components.report.views.metrics import averages_table
from components.report.views.run import run_view
from components.report.views.short import cut_lines, more_lines, short_gates, short_labels, short_run
from components.report.views.slices import slices_view
from components.report.views.suspects import suspects_view
from components.report.views.training import training_charts
from components.report.views.trend import trend_chart
from components.report.views.tuning import tuning_view
from components.report.views.variants import variants_view

REPORT_FILE, SHORT_FILE = "report.html", "report-short.html"
_TEMPLATES = Path(__file__).parent / "templates"
# Longer texts are cut, whatever they are: nobody reads a book in a report.
_MOST_CHARACTERS = 20_000
_MOST_LINKS = 12  # of labels that need attention
# ASCII control characters become their Unicode pictures; other controls and lone surrogates, U+FFFD.
VISIBLE = (
    {code: 0x2400 + code for code in range(0x20) if chr(code) not in "\n\t"}
    | {0x7F: 0x2421}
    | dict.fromkeys([*range(0x80, 0xA0), *range(0xD800, 0xE000)], 0xFFFD)
)


@dataclass(frozen=True)
class Section:
    """Section of the page, drawn by the template `sections/TEMPLATE.html.j2`.

    Attributes:
        name: The section's id on the page.
        title: Heading, and name in the navigation.
        view: Returns what the template gets as `view`; None leaves the section out.
        template: Name of the template; empty if it is that of the section.
    """

    name: str
    title: str
    view: Callable[[Material], Any]
    template: str = ""


# In the order of the page.
SECTIONS: Sequence[Section] = (
    Section("gates", "Gates", lambda run: _gates(run.summary)),
    Section(
        "labels",
        "Labels",
        lambda run: all_labels_view(run.summary, {} if run.model is None else run.model.implies),
    ),
    Section("metrics", "Averages", lambda run: averages_table(run.summary)),
    Section("slices", "Slices", lambda run: slices_view(run.summary)),
    Section("behaviour", "Behavioural tests", lambda run: behaviour_view(run.behaviour, texts=run.texts)),
    Section("canary", "Canary", lambda run: canary_view(run.summary.canary)),
    Section("variants", "Variants", lambda run: variants_view(run.summary)),
    Section("confusions", "Confusions", lambda run: confusion_view(run.insights) if run.summary.metrics else None),
    Section("each", "Label by label", labels_view),
    Section("calibration", "Calibration", calibration_view),
    Section("tuning", "Search for hyperparameters", tuning_view),
    Section("training", "Training", lambda run: training_charts(run.training, run.batches)),
    Section("data", "Data", data_view),
    Section("suspects", "Suspects", suspects_view),
    Section("run", "Run", run_view),
)


_SHORT_SECTIONS = (
    Section("gates", "Gates", lambda run: short_gates(run.summary), "short"),
    Section("labels", "Labels", lambda run: short_labels(run.summary), "short"),
    Section("run", "Data and cost", short_run, "short"),
)


@dataclass(frozen=True)
class _Shown:
    """Section with its content, as the template of the page gets it."""

    name: str
    title: str
    template: str
    view: Any


def build_page(material: Material, *, short: bool = False) -> str:
    """Return the content of report.html.

    Args:
        material: The run.
        short: Whether to build the short report instead: two pages in print, without what only an engineer needs.
    """
    summary = material.summary
    verdict, attention = decision.verdict(summary), summary.attention
    if short:
        verdict, attention = replace(verdict, reasons=cut_lines(verdict.reasons)), cut_lines(attention)
    content: dict[str, Any] = {
        "name": material.name,
        "when": when_shown(material),
        "verdict": verdict,
        "figures": decision.figures(summary),
        "attention": attention,
        "attention_headline": headline(len(summary.attention_labels), len(summary.attention)),
        "attention_links": [] if short else _attention_links(summary),
        "trend": trend_chart(material.past, summary, material.when),
        "baseline_note": summary.baseline_note,
        "sections": list(_shown_sections(material, _SHORT_SECTIONS if short else SECTIONS)),
        # What is printed of the whole report, unless a box on the page asks for all of it.
        "brief": [] if short else list(_shown_sections(material, _SHORT_SECTIONS)),
        "more_reasons": more_lines(verdict.reasons),
        "more_attention": more_lines(attention),
        "few": FEW,
        "texts": material.texts,
        "short": short,
    }
    return _render("report.html.j2", content)


def build_comparison(first: Material, second: Material) -> str:
    """Return the content of a page that shows two runs side by side; it shows texts if both may show them."""
    content = {
        "view": compare(first, second),
        "first": _Side.of(first),
        "second": _Side.of(second),
        "texts": first.texts,
        "short": False,
    }
    return _render("comparison.html.j2", content)


@dataclass(frozen=True)
class _Side:
    """One of two runs, as the head of their comparison shows it."""

    name: str
    when: str
    verdict: decision.Verdict

    @classmethod
    def of(cls, material: Material) -> "_Side":
        return cls(material.name, when_shown(material), decision.verdict(material.summary))


def when_shown(material: Material) -> str:
    """Return the time of a run as pages show it."""
    return material.when.strftime("%Y-%m-%d %H:%M UTC")


def _render(template: str, content: Mapping[str, Any]) -> str:
    script = (_TEMPLATES / "report.js").read_text(encoding="utf-8")
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    frame = {
        "style": Markup((_TEMPLATES / "report.css").read_text(encoding="utf-8")),
        "script": Markup(script),
        "script_hash": Markup(f"sha256-{digest}"),
    }
    return environment().get_template(template).render({**frame, **content}).translate(VISIBLE)


def _shown_sections(material: Material, sections: Sequence[Section]) -> Iterator[_Shown]:
    for section in sections:
        view = section.view(material)
        if view is not None and view != []:
            template = f"sections/{section.template or section.name}.html.j2"
            yield _Shown(section.name, section.title, template, view)


def _gates(summary: Summary) -> Table | None:
    """Return the table of the gates, also if there are none, which the page says; None if no model was judged."""
    return None if summary.metrics is None else decision.gates_table(summary.gates, label_anchors(summary.metrics))


def _attention_links(summary: Summary) -> list[tuple[str, str]]:
    """Return (id, label) of the sections of the labels that need attention."""
    anchors = label_anchors(summary.metrics)
    found = [(anchors[label], label) for label in summary.attention_labels if label in anchors]
    return found[:_MOST_LINKS]


def write_page(folder: str, material: Material, *, short: bool = False) -> str:
    """Write report.html, or report-short.html, into a folder, local or remote, complete or not at all.

    Returns:
        Path of the page.
    """
    path = f"{folder}/{SHORT_FILE if short else REPORT_FILE}"
    write_whole(path, build_page(material, short=short).encode())
    return path


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
