"""What can be said against a gate before anything runs: that what it names does not exist."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from components.evaluation.gates.gate import EVERY_LABEL, Gate, did_you_mean
from components.evaluation.metrics.slicing import BUCKETED, Slicing, bucket_names, slice_name
from schema.errors import Refused
from schema.features import LABELS
from schema.label_list import LabelList


@dataclass(frozen=True)
class Known:
    """What gates may name.

    Attributes:
        labels: of the schema.
        slicing: of the configuration.
        domains: column -> its values, of the columns whose values the schema lists.
    """

    labels: LabelList
    slicing: Slicing = field(default_factory=Slicing)
    domains: Mapping[str, Sequence[str]] = field(default_factory=dict)

    def values_of(self, column: str) -> tuple[str, ...] | None:
        """The values that a column may have, None where only the data knows."""
        if column == LABELS:
            return self.labels.active
        if column == BUCKETED:
            return tuple(bucket_names(self.slicing.lengths))
        return tuple(self.domains[column]) if column in self.domains else None


def check_gates(gates: Sequence[Gate], known: Known) -> None:
    """Refuses gates on labels that do not exist, or not any more, and on slices that are not made.

    Args:
        gates: parsed gates; their metrics exist, or `parse_gate` would have refused them.
        known: what they may name.

    Raises:
        Refused: naming the gate and the nearest label, column or value.
    """
    check_labels(gates, known.labels)
    for gate in gates:
        if gate.slice:
            _check_slice(gate, known)


def check_labels(gates: Sequence[Gate], labels: LabelList) -> None:
    """Refuses gates on labels that do not exist, or not any more.

    Raises:
        Refused: naming the gate and the nearest label.
    """
    for gate in gates:
        if gate.label is not None and gate.label != EVERY_LABEL:
            _check_label(gate, gate.label, labels)


def unverified(gates: Sequence[Gate], known: Known) -> list[str]:
    """The gates on a slice whose value nothing before the data tells to be right: a slice without examples is none."""
    return [gate.text for gate in gates if any(known.values_of(column) is None for column, _ in gate.slice)]


def _check_label(gate: Gate, label: str, labels: LabelList) -> None:
    if label in labels.active:
        return
    if label in labels.retired:
        raise Refused(f"gate {gate.text!r}: label {label!r} is retired; take the gate out")
    if label in labels.aliases:
        now = labels.aliases[label]
        raise Refused(f"gate {gate.text!r}: label {label!r} is called {now!r} now; write the gate with that")
    hint = did_you_mean(label, labels.active) or f"the labels are: {', '.join(labels.active)}"
    raise Refused(f"gate {gate.text!r}: there is no label {label!r}; {hint}")


def _check_slice(gate: Gate, known: Known) -> None:
    made = known.slicing.columns
    columns = tuple(column for column, _ in gate.slice)
    if columns not in made:
        single = tuple(dict.fromkeys(column for each in made for column in each))
        strange = next((column for column in columns if column not in single), None)
        near = did_you_mean(strange, single) if strange else ""
        hint = near or f"the slices are by: {', '.join('*'.join(each) for each in made) or 'nothing'}"
        raise Refused(f"gate {gate.text!r}: nothing is sliced by {'*'.join(columns)}; {hint} (see evaluation.slices)")
    for column, value in gate.slice:
        values = known.values_of(column)
        if values is not None and value not in values:
            hint = did_you_mean(value, values) or f"its values are: {', '.join(values)}"
            raise Refused(f"gate {gate.text!r}: there is no slice {slice_name(((column, value),))}; {hint}")
