"""Checks that gates name existing labels and slices, before anything runs."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from components.evaluation.gates.gate import EVERY_LABEL, Gate
from components.evaluation.metrics.slicing import BUCKETED, Slicing, bucket_names, slice_name
from schema.errors import Refused
from schema.features import LABELS
from schema.label_list import LabelList
from schema.nearest import nearest


@dataclass(frozen=True)
class GateNames:
    """Names that gates may use.

    Attributes:
        labels: Labels of the schema.
        slicing: Slices of the configuration.
        domains: Column -> its values, for the columns whose values the schema lists.
    """

    labels: LabelList
    slicing: Slicing = field(default_factory=Slicing)
    domains: Mapping[str, Sequence[str]] = field(default_factory=dict)

    def values(self, column: str) -> tuple[str, ...] | None:
        """Return the values that a column may have; None where they are known from the data alone."""
        if column == LABELS:
            return self.labels.active
        if column == BUCKETED:
            return tuple(bucket_names(self.slicing.lengths))
        return tuple(self.domains[column]) if column in self.domains else None


def check_gates(gates: Sequence[Gate], names: GateNames) -> None:
    """Refuse gates on labels that do not exist or are retired, and on slices that are not computed.

    Raises:
        Refused: The message names the gate and the nearest label, column or value.
    """
    check_labels(gates, names.labels)
    for gate in gates:
        if gate.slice:
            _check_slice(gate, names)


def check_labels(gates: Sequence[Gate], labels: LabelList) -> None:
    """Refuse gates on labels that do not exist or are retired.

    Raises:
        Refused: The message names the gate and the nearest label.
    """
    for gate in gates:
        if gate.label is not None and gate.label != EVERY_LABEL:
            _check_label(gate, gate.label, labels)


def unverifiable_gates(gates: Sequence[Gate], names: GateNames) -> list[Gate]:
    """Return the gates on slices whose value the schema does not list: misspelt ones look like slices without data."""
    return [gate for gate in gates if any(names.values(column) is None for column, _ in gate.slice)]


def _check_label(gate: Gate, label: str, labels: LabelList) -> None:
    if label in labels.active:
        return
    if label in labels.retired:
        raise Refused(f"gate {gate.text!r}: label {label!r} is retired; remove the gate")
    if label in labels.aliases:
        new_name = labels.aliases[label]
        raise Refused(f"gate {gate.text!r}: label {label!r} was renamed to {new_name!r}; use the new name")
    raise Refused(f"gate {gate.text!r}: there is no label {label!r}; {nearest(label, labels.active)}")


def _check_slice(gate: Gate, names: GateNames) -> None:
    sliced_by = names.slicing.columns
    columns = tuple(column for column, _ in gate.slice)
    if columns not in sliced_by:
        single = tuple(dict.fromkeys(column for each in sliced_by for column in each))
        unknown = next((column for column in columns if column not in single), None)
        slices = ", ".join("*".join(each) for each in sliced_by) or "none"
        hint = nearest(unknown, single) if unknown else f"the slices are by: {slices}"
        raise Refused(f"gate {gate.text!r}: nothing is sliced by {'*'.join(columns)}; {hint} (see evaluation.slices)")
    for column, value in gate.slice:
        values = names.values(column)
        if values is not None and value not in values:
            name = slice_name(((column, value),))
            raise Refused(f"gate {gate.text!r}: there is no slice {name}; {nearest(value, values)}")
