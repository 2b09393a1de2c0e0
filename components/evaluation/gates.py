"""The gates: what a person writes in the configuration to say when a model may go live.

    macro_f1 >= 0.45                    an average of all labels
    f1[refund] >= 0.6                   one label's metric
    macro_f1 >= baseline - 0.01         against the last blessed model, both measured on the same test split
    f1[refund] >= baseline - 0.05

A gate is read here, once, into a `Gate`; `eval_config` turns it into TFMA's threshold, `results` into words.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from typing import NoReturn

from schema.errors import Refused
from schema.label_list import LabelList

LABEL_METRICS = ("precision", "recall", "f1", "auc", "pr_auc")
AVERAGES = (
    "macro_f1",
    "micro_f1",
    "macro_precision",
    "micro_precision",
    "macro_recall",
    "micro_recall",
    "macro_auc",
    "macro_pr_auc",
)
_BASELINE = "baseline"


@dataclass(frozen=True)
class Gate:
    """One bound from below.

    Attributes:
        text: the gate as it was written.
        metric: one of `AVERAGES`, or with a label one of `LABEL_METRICS`.
        label: whose metric it is, None for an average.
        bound: the least allowed value, or for a baseline gate the least allowed change (-0.01: may lose 0.01).
        baseline: whether the bound is relative to the last blessed model's value.
    """

    text: str
    metric: str
    label: str | None
    bound: float
    baseline: bool

    @property
    def key(self) -> str:
        """The name under which the Evaluator reports the gated number: `macro_f1`, `f1/refund`."""
        return self.metric if self.label is None else label_key(self.metric, self.label)

    @property
    def name(self) -> str:
        """The gated number as a person writes it: `macro_f1`, `f1[refund]`."""
        return self.metric if self.label is None else f"{self.metric}[{self.label}]"


def label_key(metric: str, label: str) -> str:
    """The name of one label's metric in TFMA's output."""
    return f"{metric}/{label}"


def parse_gate(text: str) -> Gate:
    """Reads one gate.

    Args:
        text: for example `f1[refund] >= baseline - 0.05`. A label may contain anything but the characters `] >=` in
            this order.

    Raises:
        Refused: in one line: the gate, the column where reading stopped, what was expected there.
    """
    reader = _Reader(text)
    metric = reader.metric()
    label = reader.label(metric)
    reader.expect(">=", "'>=' (gates are bounds from below)")
    baseline = reader.optional(_BASELINE)
    bound = reader.change() if baseline else reader.value()
    reader.end()
    return Gate(text=text.strip(), metric=metric, label=label, bound=bound, baseline=baseline)


def check_gates(gates: Sequence[Gate], labels: LabelList) -> None:
    """Refuses gates on labels that do not exist, or not any more.

    Args:
        gates: parsed gates; their metrics exist, or `parse_gate` would have refused them.
        labels: the labels of the schema.

    Raises:
        Refused: naming the gate and the nearest label.
    """
    for gate in gates:
        if gate.label is None or gate.label in labels.active:
            continue
        if gate.label in labels.retired:
            raise Refused(f"gate {gate.text!r}: label {gate.label!r} is retired; take the gate out")
        if gate.label in labels.aliases:
            now = labels.aliases[gate.label]
            raise Refused(f"gate {gate.text!r}: label {gate.label!r} is called {now!r} now; write the gate with that")
        hint = _did_you_mean(gate.label, labels.active) or f"the labels are: {', '.join(labels.active)}"
        raise Refused(f"gate {gate.text!r}: there is no label {gate.label!r}; {hint}")


class _Reader:
    """Reads a gate from left to right; every method skips blanks, takes what it names, or refuses with the column."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._at = 0

    def metric(self) -> str:
        start = self._skip_blanks()
        word = self._take(r"\w+")
        known = LABEL_METRICS + AVERAGES
        if word is None:
            self._refuse(start, "expected a metric such as macro_f1 or f1[LABEL]")
        if word not in known:
            hint = _did_you_mean(word, known) or f"the metrics are: {', '.join(known)}"
            self._refuse(start, f"there is no metric {word!r}; {hint}")
        return word

    def label(self, metric: str) -> str | None:
        start = self._skip_blanks()
        bracket = self._take(r"\[(.+?)\](?=\s*>=)|\[(.*)\]") or self._take(r"\[")
        if metric in AVERAGES:
            if bracket is not None:
                self._refuse(start, f"{metric} is an average of all labels: it takes no [LABEL]")
            return None
        if bracket is None:
            self._refuse(start, f"{metric} is one label's: write {metric}[LABEL], or macro_{metric} for the average")
        label = bracket[1:-1].strip()
        if not label:
            self._refuse(start, "expected a label and ']'")
        return label

    def expect(self, token: str, what: str) -> None:
        start = self._skip_blanks()
        if self._take(re.escape(token)) is None:
            self._refuse(start, f"expected {what}")

    def optional(self, word: str) -> bool:
        self._skip_blanks()
        return self._take(rf"{word}\b") is not None

    def value(self) -> float:
        start = self._skip_blanks()
        number = self._number()
        if number is None:
            self._refuse(start, f"expected a number, or {_BASELINE} and a change such as '- 0.01'")
        if not 0 <= number <= 1:
            self._refuse(start, f"{number:g} can never decide anything: metrics lie between 0 and 1")
        return number

    def change(self) -> float:
        """What follows `baseline`: nothing, or a sign and a number."""
        start = self._skip_blanks()
        sign = self._take(r"[+-]")
        if sign is None:
            return 0.0
        start = self._skip_blanks()
        number = self._number()
        if number is None:
            self._refuse(start, "expected a number")
        if number >= 1:
            self._refuse(start, f"{number:g} can never decide anything: metrics lie between 0 and 1")
        return -number if sign == "-" else number

    def end(self) -> None:
        start = self._skip_blanks()
        if start < len(self._text):
            self._refuse(start, "expected the end of the gate")

    def _number(self) -> float | None:
        digits = self._take(r"(\d+\.?\d*|\.\d+)(?![\w.])")
        return None if digits is None else float(digits)

    def _skip_blanks(self) -> int:
        self._take(r"\s+")
        return self._at

    def _take(self, pattern: str) -> str | None:
        found = re.compile(pattern).match(self._text, self._at)
        if found is None:
            return None
        self._at = found.end()
        return found.group()

    def _refuse(self, at: int, why: str) -> NoReturn:
        found = self._text[at:].split(maxsplit=1)[:1]
        where = f"at {found[0]!r}" if found else "at its end"
        raise Refused(f"gate {self._text.strip()!r}, column {at + 1}, {where}: {why}")


def _did_you_mean(word: str, known: Sequence[str]) -> str:
    near = get_close_matches(word, known, n=1)
    return f"did you mean {near[0]!r}?" if near else ""
