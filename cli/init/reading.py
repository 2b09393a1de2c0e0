"""Readings: what a column, or a file, may hold, with the evidence for it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from cli.init.hints import Hints
from components.example_gen.formats.values import printable
from components.example_gen.parsing.settings import LabelSettings
from schema.errors import Refused

_MOST_SHOWN = 4


@dataclass(frozen=True)
class LabelReading:
    """Reading of one or more columns as labels.

    Attributes:
        settings: Columns and form of the labels.
        names: The label list: the order of the file or of the columns that gives them, or else alphabetical.
        support: Strength of the evidence: 2 the values show it, 1 they allow it, 0 they contradict it.
        options: Options of `init` that decide for this reading, by the attribute of `Hints`.
        form: Form in words, such as "labels separated by '|'".
        others: Other readings of the same columns that the values do not contradict.
        is_complete: Whether the names are all labels that there can be, not only those that the values show.
    """

    settings: LabelSettings
    names: Sequence[str]
    support: int
    options: Mapping[str, str]
    form: str
    others: Sequence["LabelReading"] = ()
    is_complete: bool = False

    def describe(self) -> str:
        """Return the reading in words, with its option and some of its labels."""
        shown = ", ".join(f"'{printable(name)}'" for name in self.names[:_MOST_SHOWN])
        more = ", ..." if len(self.names) > _MOST_SHOWN else ""
        form = self.form.replace("labels", "label", 1) if len(self.names) == 1 else self.form
        return f"{len(self.names)} {form} ({shown}{more}): {option_text(self.options)}"


class AmbiguousError(Refused):
    """Data that can be read in several ways, between which only a person can decide.

    Attributes:
        question: What has to be decided.
        choices: Description of each reading and the options that decide for it.
    """

    def __init__(self, question: str, choices: Sequence[tuple[str, Mapping[str, str]]]) -> None:
        super().__init__(f"{question}: " + "; or ".join(description for description, _ in choices))
        self.question = question
        self.choices = choices


def with_options(hints: Hints, options: Mapping[str, str]) -> Hints:
    """Return hints with the options of a reading."""
    changes: dict[str, Any] = dict(options)
    return replace(hints, **changes)


def option_text(options: Mapping[str, str]) -> str:
    """Return options as they are typed.

    Example:
        >>> option_text({"label_kind": "single"})
        '--label-kind single'
    """
    return " ".join(f"--{name.replace('_', '-')} {_quoted(value)}" for name, value in options.items())


def _quoted(value: str) -> str:
    return (
        value if value.isalnum() or (value.isascii() and value.replace("-", "").isalnum()) else f"'{printable(value)}'"
    )
