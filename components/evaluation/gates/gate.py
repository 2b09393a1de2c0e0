"""Gates: bounds that decide whether a model may go live, as a person writes them in the configuration.

    macro_f1 >= 0.45                    average over all labels
    f1[refund] >= 0.6                   metric of one label
    hamming_loss <= 0.1                 metrics where lower is better take an upper bound
    macro_f1 >= baseline - 0.01         relative to the last blessed model, measured on the same test split
    f1[*] >= baseline - 0.05 where support >= 50
                                        every label that has at least 50 examples in the test split
    auc in language=zh >= 0.8           one slice; auc, f1, ... without a label are the macro average there
    f1[refund] in channel=mail, language=zh >= 0.5

The configuration holds `Gate` objects, parsed once when it is loaded. `components.evaluation.eval_config` turns a gate
into a TFMA threshold where TFMA can express it; `components.blessing` decides every gate and explains the outcome.
"""

import re
from dataclasses import dataclass
from typing import Any, ClassVar, NoReturn, TypeVar, overload

from pydantic import GetCoreSchemaHandler
from pydantic_core import CoreSchema, core_schema

from components.evaluation.metrics.catalogue import (
    average_names,
    is_count,
    label_key,
    label_metric_names,
    lower_is_better,
    macro_average,
)
from components.evaluation.metrics.slicing import SliceKey, slice_name, split_slice_name
from schema.errors import Refused
from schema.nearest import nearest

EVERY_LABEL = "*"


@dataclass(frozen=True)
class Gate:
    """Bound on one metric. In a pydantic model it validates from text and serializes to the same text.

    Attributes:
        text: The gate as it was written, without surrounding blanks.
        metric: Name of an average, or with a label, of a metric of single labels.
        label: The label that the metric is of; `*` for every label; None for an average.
        bound: Smallest value that passes; for metrics where lower is better, the largest. For a gate against the
            baseline, the smallest (or largest) change that passes: -0.01 allows a loss of 0.01.
        against_baseline: Whether the bound is relative to the value of the model that `REFERENCE` stands for.
        slice: The slice of the test split that the metric is computed on; empty for all examples.
        min_support: The gate is not asked for labels with fewer examples; 0 where the gate sets no such limit.
    """

    REFERENCE: ClassVar[str] = "baseline"
    """Word for the model that a bound may be relative to: the last blessed one."""
    REFERENCE_MODEL: ClassVar[str] = "baseline"
    """That model in messages."""

    text: str
    metric: str
    label: str | None
    bound: float
    against_baseline: bool
    slice: SliceKey = ()
    min_support: int = 0

    @property
    def key(self) -> str:
        """Name under which the Evaluator reports the metric: `macro_f1`, `f1/refund`."""
        return self.metric if self.label is None else label_key(self.metric, self.label)

    def metric_name(self, label: str | None) -> str:
        """Return the metric of one of the gate's labels as a person writes it: `f1[refund] in language=zh`."""
        name = self.metric if label is None else f"{self.metric}[{label}]"
        return f"{name} in {slice_name(self.slice)}" if self.slice else name

    @property
    def lower_is_better(self) -> bool:
        """Whether the bound is an upper bound."""
        return lower_is_better(self.metric)

    @property
    def is_tfma_threshold(self) -> bool:
        """Whether a TFMA threshold can express the gate. No threshold depends on the support of a label or slice."""
        return not self.slice and not self.min_support and self.label != EVERY_LABEL

    @classmethod
    def __get_pydantic_core_schema__(cls, _source: Any, _handler: GetCoreSchemaHandler) -> CoreSchema:
        """Describe the gate to pydantic: text in JSON and YAML, a `Gate` in Python."""
        from_text = core_schema.chain_schema(
            [
                core_schema.str_schema(),
                core_schema.no_info_plain_validator_function(lambda text: _parse_for_pydantic(text, cls)),
            ]
        )
        return core_schema.no_info_wrap_validator_function(
            lambda value, validate: value if isinstance(value, cls) else validate(value),
            from_text,
            serialization=core_schema.plain_serializer_function_ser_schema(
                lambda gate: gate.text, return_schema=core_schema.str_schema()
            ),
        )


class VariantGate(Gate):
    """Gate on a variant of a model, such as its int8 form; `macro_f1 >= full - 0.005` compares it with the model."""

    REFERENCE = "full"
    REFERENCE_MODEL = "full model"


_GateT = TypeVar("_GateT", bound=Gate)


@overload
def parse_gate(text: str) -> Gate: ...


@overload
def parse_gate(text: str, kind: type[_GateT]) -> _GateT: ...


def parse_gate(text: str, kind: type[Gate] = Gate) -> Gate:
    """Parse one gate.

    Example:
        >>> gate = parse_gate("f1[refund] >= baseline - 0.05")
        >>> (gate.metric, gate.label, gate.bound, gate.against_baseline)
        ('f1', 'refund', -0.05, True)
        >>> parse_gate("auc in language=zh >= 0.8").slice
        (('language', 'zh'),)

    Args:
        text: The gate. A label may contain anything but the character sequences `] >=`, `] <=` and `] in`.
        kind: Kind of gate, which decides what its bound may be relative to.

    Raises:
        Refused: The text is not a gate; the message has the column where parsing stopped and what was expected.
    """
    parser = _Parser(text, kind.REFERENCE)
    word = parser.metric()
    metric, label = parser.label(word)
    key = parser.slice()
    if metric == word and label is None and word not in average_names():
        metric = parser.macro(word, in_slice=bool(key))
    parser.operator(metric)
    counts = is_count(metric)
    is_relative = parser.optional(kind.REFERENCE)
    bound = parser.change(counts=counts) if is_relative else parser.value(counts=counts)
    min_support = parser.support(metric, label)
    parser.end()
    return kind(text.strip(), metric, label, bound, is_relative, key, min_support)


def _parse_for_pydantic(text: str, kind: type[Gate]) -> Gate:
    try:
        return parse_gate(text, kind)
    except Refused as refused:
        raise ValueError(str(refused)) from None


class _Parser:
    """Parser of a gate, from left to right. Each method skips blanks, then consumes what it is named after."""

    def __init__(self, text: str, reference: str) -> None:
        self._text = text
        self._reference = reference
        self._position = 0
        self._after_metric = 0

    def metric(self) -> str:
        start = self._skip_blanks()
        word = self._take(r"\w+")
        known = (*label_metric_names(), *average_names())
        if word is None:
            self._refuse(start, "expected a metric such as macro_f1 or f1[LABEL]")
        if word not in known:
            self._refuse(start, f"there is no metric {word!r}; {nearest(word, known)}")
        return word

    def label(self, metric: str) -> tuple[str, str | None]:
        """Return the metric, and the label that follows it in brackets; None if there are none."""
        self._after_metric = start = self._skip_blanks()
        bracket = self._take(r"\[(.+?)\](?=\s*(?:>=|<=|in\s))|\[(.*)\]") or self._take(r"\[")
        if bracket is None:
            return metric, None
        if metric in average_names():
            self._refuse(start, f"{metric} is an average over all labels and takes no [LABEL]")
        label = bracket[1:-1].strip()
        if not label:
            self._refuse(start, "expected a label and ']'")
        return metric, label

    def slice(self) -> SliceKey:
        if not self.optional("in"):
            return ()
        start = self._skip_blanks()
        text = self._take(rf".+?(?=\s*(?:>=|<=)\s*(?:{self._reference}\b|[\d.]))") or self._take(r"[^<>]+") or ""
        key = tuple(sorted(split_slice_name(text.strip())))
        if not all(column and value for column, value in key):
            self._refuse(start, "expected a slice such as language=zh, or channel=mail, language=zh")
        return key

    def macro(self, metric: str, *, in_slice: bool) -> str:
        """Return the average that a metric of single labels stands for where no label is named."""
        average = macro_average(metric)
        if not in_slice or average is None:
            hint = f", or {average} for the average" if average else ""
            self._refuse(self._after_metric, f"{metric} is a metric of one label: write {metric}[LABEL]{hint}")
        return average

    def operator(self, metric: str) -> None:
        operator, better = ("<=", "lower") if lower_is_better(metric) else (">=", "higher")
        start = self._skip_blanks()
        if self._take(re.escape(operator)) is None:
            self._refuse(start, f"expected '{operator}' ({better} {metric} is better)")

    def optional(self, word: str) -> bool:
        self._skip_blanks()
        return self._take(rf"{word}\b") is not None

    def value(self, *, counts: bool) -> float:
        start = self._skip_blanks()
        number = self._number()
        if number is None:
            self._refuse(start, f"expected a number, or {self._reference} and a change such as '- 0.01'")
        if number > 1 and not counts:
            self._refuse(start, f"{number:g} can never decide anything: metrics are between 0 and 1")
        return number

    def change(self, *, counts: bool) -> float:
        """Return the signed number that follows the reference; 0 if none does."""
        start = self._skip_blanks()
        sign = self._take(r"[+-]")
        if sign is None:
            return 0.0
        start = self._skip_blanks()
        number = self._number()
        if number is None:
            self._refuse(start, "expected a number")
        if number >= 1 and not counts:
            self._refuse(start, f"{number:g} can never decide anything: metrics are between 0 and 1")
        return -number if sign == "-" else number

    def support(self, metric: str, label: str | None) -> int:
        """Return the number that follows `where support >=`; 0 if none does."""
        start = self._skip_blanks()
        if self._take(r"where\b") is None:
            return 0
        if label is None:
            self._refuse(start, f"{metric} is an average over all labels: `where support` applies to gates on labels")
        start = self._skip_blanks()
        if self._take(r"support\s*>=\s*") is None:
            self._refuse(start, "expected 'support >=' and a number of examples")
        start = self._position
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
        return self._position

    def _take(self, pattern: str) -> str | None:
        match = re.compile(pattern, re.DOTALL).match(self._text, self._position)  # a label may have several lines
        if match is None:
            return None
        self._position = match.end()
        return match.group()

    def _refuse(self, start: int, reason: str) -> NoReturn:
        word = self._text[start:].split(maxsplit=1)[:1]
        where = f"at {word[0]!r}" if word else "at its end"
        raise Refused(f"gate {self._text.strip()!r}, column {start + 1}, {where}: {reason}")
