"""The gates: what a person writes in the configuration to say when a model may go live.

    macro_f1 >= 0.45                    an average of all labels
    f1[refund] >= 0.6                   one label's metric
    hamming_loss <= 0.1                 what is the better the lower is bounded from above
    macro_f1 >= baseline - 0.01         against the last blessed model, both measured on the same test split
    f1[*] >= baseline - 0.05 where support >= 50
                                        every label of which the test split has so many examples
    auc in language=zh >= 0.8           of a slice; auc, f1, ... without a label are the macro average there
    f1[refund] in channel=mail, language=zh >= 0.5

A gate is read here, once, into a `Gate`; `eval_config` turns it into TFMA's threshold where TFMA can say it,
`components.blessing` decides the others and puts all of them into words.
"""

import re
from dataclasses import dataclass
from difflib import get_close_matches
from typing import NoReturn

from components.evaluation.metrics.catalogue import (
    AVERAGES,
    LABEL_COUNTS,
    LABEL_METRICS,
    LOWER_IS_BETTER,
    label_key,
    macro_of,
)
from components.evaluation.metrics.slicing import SliceKey, slice_name
from schema.errors import Refused

EVERY_LABEL = "*"
_BASELINE = "baseline"


@dataclass(frozen=True)
class Gate:
    """One bound.

    Attributes:
        text: the gate as it was written.
        metric: one of `AVERAGES`, or with a label one of `LABEL_METRICS`.
        label: whose metric it is, `*` for every label's, None for an average.
        bound: the least allowed value, or for a baseline gate the least allowed change (-0.01: may lose 0.01); of what
            is the better the lower, the greatest.
        baseline: whether the bound is relative to the last blessed model's value.
        slice: of which examples, empty for all.
        least_support: of a label with fewer examples nothing is asked; 0 where nothing of the kind was written.
    """

    text: str
    metric: str
    label: str | None
    bound: float
    baseline: bool
    slice: SliceKey = ()
    least_support: int = 0

    @property
    def key(self) -> str:
        """The name under which the Evaluator reports the gated number: `macro_f1`, `f1/refund`."""
        return self.metric if self.label is None else label_key(self.metric, self.label)

    @property
    def name(self) -> str:
        """The gated number as a person writes it: `macro_f1`, `f1[refund]`, `macro_auc in language=zh`."""
        return self.name_of(self.label)

    def name_of(self, label: str | None) -> str:
        """Likewise, of one label of those that the gate is about."""
        number = self.metric if label is None else f"{self.metric}[{label}]"
        return f"{number} in {slice_name(self.slice)}" if self.slice else number

    @property
    def lower_is_better(self) -> bool:
        return self.metric in LOWER_IS_BETTER

    @property
    def by_tfma(self) -> bool:
        """Whether a TFMA threshold says the same. None knows of support, neither a label's nor a slice's."""
        return not self.slice and not self.least_support and self.label != EVERY_LABEL


def parse_gate(text: str) -> Gate:
    """Reads one gate.

    Args:
        text: for example `f1[refund] >= baseline - 0.05`. A label may contain anything but the characters `] >=`,
            `] <=` and `] in` in this order.

    Raises:
        Refused: in one line: the gate, the column where reading stopped, what was expected there.
    """
    reader = _Reader(text)
    word = reader.metric()
    metric, label = reader.label(word)
    where = reader.slice()
    if metric == word and label is None and word not in AVERAGES:
        metric = reader.macro(word, in_slice=bool(where))
    reader.operator(metric)
    counts = metric in LABEL_COUNTS
    baseline = reader.optional(_BASELINE)
    bound = reader.change(counts=counts) if baseline else reader.value(counts=counts)
    least_support = reader.support(metric, label)
    reader.end()
    return Gate(text.strip(), metric, label, bound, baseline, where, least_support)


def did_you_mean(word: str, known: tuple[str, ...]) -> str:
    """`did you mean 'refund'?`, empty where nothing known is near."""
    near = get_close_matches(word, known, n=1)
    return f"did you mean {near[0]!r}?" if near else ""


class _Reader:
    """Reads a gate from left to right; every method skips blanks, takes what it names, or refuses with the column."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._at = 0
        self._after_metric = 0

    def metric(self) -> str:
        start = self._skip_blanks()
        word = self._take(r"\w+")
        known = LABEL_METRICS + AVERAGES
        if word is None:
            self._refuse(start, "expected a metric such as macro_f1 or f1[LABEL]")
        if word not in known:
            hint = did_you_mean(word, known) or f"the metrics are: {', '.join(known)}"
            self._refuse(start, f"there is no metric {word!r}; {hint}")
        return word

    def label(self, metric: str) -> tuple[str, str | None]:
        """The metric again, and the label if one stands there."""
        self._after_metric = start = self._skip_blanks()
        bracket = self._take(r"\[(.+?)\](?=\s*(?:>=|<=|in\s))|\[(.*)\]") or self._take(r"\[")
        if bracket is None:
            return metric, None
        if metric in AVERAGES:
            self._refuse(start, f"{metric} is an average of all labels: it takes no [LABEL]")
        label = bracket[1:-1].strip()
        if not label:
            self._refuse(start, "expected a label and ']'")
        return metric, label

    def slice(self) -> SliceKey:
        if not self.optional("in"):
            return ()
        start = self._skip_blanks()
        text = self._take(r".+?(?=\s*(?:>=|<=)\s*(?:baseline\b|[\d.]))") or self._take(r"[^<>]+") or ""
        pairs = [part.partition("=") for part in re.split(r",\s*(?=[^=,]+=)", text.strip())]
        key = tuple(sorted((column.strip(), value.strip()) for column, _, value in pairs))
        if not all(column and value for column, value in key):
            self._refuse(start, "expected a slice such as language=zh, or channel=mail, language=zh")
        return key

    def macro(self, metric: str, *, in_slice: bool) -> str:
        """What a label's metric means where no label is named."""
        average = macro_of(metric)
        if not in_slice or average is None:
            hint = f", or {average} for the average" if average else ""
            self._refuse(self._after_metric, f"{metric} is one label's: write {metric}[LABEL]{hint}")
        return average

    def operator(self, metric: str) -> None:
        token, better = ("<=", "lower") if metric in LOWER_IS_BETTER else (">=", "higher")
        start = self._skip_blanks()
        if self._take(re.escape(token)) is None:
            self._refuse(start, f"expected '{token}' ({metric} is the better the {better})")

    def optional(self, word: str) -> bool:
        self._skip_blanks()
        return self._take(rf"{word}\b") is not None

    def value(self, *, counts: bool) -> float:
        start = self._skip_blanks()
        number = self._number()
        if number is None:
            self._refuse(start, f"expected a number, or {_BASELINE} and a change such as '- 0.01'")
        if number > 1 and not counts:
            self._refuse(start, f"{number:g} can never decide anything: metrics lie between 0 and 1")
        return number

    def change(self, *, counts: bool) -> float:
        """What follows `baseline`: nothing, or a sign and a number."""
        start = self._skip_blanks()
        sign = self._take(r"[+-]")
        if sign is None:
            return 0.0
        start = self._skip_blanks()
        number = self._number()
        if number is None:
            self._refuse(start, "expected a number")
        if number >= 1 and not counts:
            self._refuse(start, f"{number:g} can never decide anything: metrics lie between 0 and 1")
        return -number if sign == "-" else number

    def support(self, metric: str, label: str | None) -> int:
        """What follows `where support >=`, 0 where nothing does."""
        start = self._skip_blanks()
        if self._take(r"where\b") is None:
            return 0
        if label is None:
            self._refuse(start, f"{metric} is an average of all labels: `where support` is asked of a label")
        start = self._skip_blanks()
        if self._take(r"support\s*>=\s*") is None:
            self._refuse(start, "expected 'support >=' and a number of examples")
        start = self._at
        digits = self._take(r"\d+(?![\w.])")
        if digits is None:
            self._refuse(start, "expected a number of examples")
        return int(digits)

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
