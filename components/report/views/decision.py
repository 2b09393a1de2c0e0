"""What was decided of a model and why: the first screen of a report, and the gates."""

from collections.abc import Sequence
from dataclasses import dataclass

from components.evaluation.gates.result import GateResult
from components.evaluation.metrics.catalogue import LABEL_COUNTS
from components.report.drawing.charts import bullet
from components.report.drawing.tables import (
    Cell,
    Head,
    Table,
    any_number,
    change,
    count,
    in_words,
    interval,
    number,
    text,
)
from components.report.summary import Summary


@dataclass(frozen=True)
class Verdict:
    """What was decided, and why.

    Attributes:
        word: good, bad or stopped.
        headline: In a few words.
        why: Sentences.
        reasons: What stood against it, one by one.
    """

    word: str
    headline: str
    why: str
    reasons: Sequence[str]


@dataclass(frozen=True)
class Figure:
    """A number of the first screen."""

    name: str
    value: str
    note: str
    look: str = ""


def verdict(summary: Summary) -> Verdict:
    """The decision on the first screen."""
    if summary.metrics is None:
        return Verdict("stopped", "Stopped before a model was judged", "Nothing was pushed.", summary.reasons)
    why = [_what_was_asked(summary)]
    if summary.canary is not None and not summary.canary.passed:
        why.append("The canary did not pass.")
    if not summary.blessed:
        why.append("The model that is live stays live." if summary.baseline else "Nothing was pushed.")
        return Verdict("bad", "Not blessed", " ".join(why), summary.reasons)
    if summary.pushed is None:
        return Verdict("bad", "Blessed, but not pushed", " ".join(why), summary.reasons)
    version = summary.pushed.rstrip("/").rsplit("/", 1)[-1]
    why.append(f"It is version {version} of the registry.")
    return Verdict("good", "Blessed and pushed", " ".join(why), summary.reasons)


def figures(summary: Summary) -> list[Figure]:
    """The numbers of the first screen."""
    metrics = summary.metrics
    if metrics is None:
        return []
    found = []
    for name in ("macro_f1", "micro_f1", "macro_auc"):
        now = getattr(metrics, name)
        before = None if summary.baseline is None else getattr(summary.baseline, name)
        moved = change(now, before)
        note = f"{moved.shown} vs baseline" if moved.key is not None else ""
        found.append(Figure(in_words(name), str(number(now).shown), note, moved.look))
    found.append(Figure("test rows", f"{metrics.examples:,}", f"{len(metrics.per_label)} labels"))
    return found


def outcome(gate: GateResult) -> str:
    """In a word or two: failed, held, not asked."""
    if not gate.passed:
        return "failed"
    return "held" if was_asked(gate) else "not asked"


def was_asked(gate: GateResult) -> bool:
    """Whether a gate decided anything; in summaries of older runs that is told by its bound."""
    return gate.asked and not (gate.passed and gate.bound is None)


def gates_table(gates: Sequence[GateResult]) -> Table:
    """Each gate with its value and bound, in the order of the configuration."""
    heads = [Head("gate", False), Head("outcome", False), Head("value"), Head("bound"), Head("", False)]
    more = [
        (head, name)
        for head, name in (
            ("value, 95 %", "interval"), ("change vs baseline, 95 %", "change_interval"), ("rows", "support"),
        )
        if any(getattr(gate, name) is not None for gate in gates)
    ]  # fmt: skip
    heads += [*(Head(head) for head, _ in more), Head("in words", False)]
    rows = []
    for gate in gates:
        shown = [text(gate.gate), outcome_cell(outcome(gate)), *_value_and_bound(gate)]
        shown += [any_number(getattr(gate, name)) or Cell("–") for _, name in more]
        rows.append([*shown, text(gate.note, "soft")])
    return Table("What was asked of the model", heads, rows, "gates", sortable=False)


def gate_line(gate: GateResult) -> str:
    """A gate in words, with its intervals, for where there is no table."""
    said = [gate.note] if gate.note else []
    said += [f"95 % interval {interval(gate.interval)}"] if gate.interval else []
    said += [f"of the change {interval(gate.change_interval)}"] if gate.change_interval else []
    return f"{gate.gate} ({'; '.join(said)})" if said else gate.gate


def outcome_cell(word: str) -> Cell:
    """What came of a gate, in its colour; what was not asked has none."""
    return Cell(word, word, {"failed": "look down", "held": "look up"}.get(word, "look"))


def _value_and_bound(gate: GateResult) -> list[Cell]:
    """With a bar of both, but for counts, which have no end to draw to."""
    if gate.gate.partition("[")[0].strip() in LABEL_COUNTS:
        return [*(Cell("–" if each is None else f"{each:,g}", each) for each in (gate.value, gate.bound)), Cell("")]
    look = {"failed": "bad", "held": "good"}.get(outcome(gate), "unasked")
    return [number(gate.value), number(gate.bound), Cell(bullet(gate.value, gate.bound, look), gate.value)]


def _what_was_asked(summary: Summary) -> str:
    asked = [gate for gate in summary.gates if was_asked(gate)]
    unasked = len(summary.gates) - len(asked)
    if not asked:
        which = "could be asked" if unasked else "is configured"
        note = summary.gates_note or f"no gate {which}: nothing was asked of the model"
        return f"{note[0].upper()}{note[1:]}."
    failed = sum(not gate.passed for gate in asked)
    gates = f"{count(len(asked)).shown} gate{'s' * (len(asked) > 1)}{' that could be asked' if unasked else ''}"
    if failed:
        held = f"{failed} of {gates} did not hold."
    else:
        held = f"All {gates} held." if len(asked) > 1 else f"The only {gates.removeprefix('1 ')} held."
    return f"{held} {count(unasked).shown} {'was' if unasked == 1 else 'were'} not asked." if unasked else held
