"""Changes of the label list in the schema's file, and what the next run makes of them."""

import fcntl
import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import wraps
from pathlib import Path
from typing import Concatenate, ParamSpec

from rich.console import Console
from rich.table import Table
from rich.text import Text

from cli.label_columns import add_column
from components.common.files import write_whole
from components.evaluation.gates.checks import check_labels
from components.evaluation.gates.gate import Gate
from components.example_gen.parsing.settings import IndicatorLabels
from schema.errors import Refused
from schema.label_edits import Edit, edit_schema, plan_add, plan_imply, plan_rename, plan_retire
from schema.label_list import LabelList, label_list, read_schema

_Arguments = ParamSpec("_Arguments")


@dataclass(frozen=True)
class Target:
    """Schema whose labels are shown or changed.

    Attributes:
        schema: File of the schema.
        gates: Gates of the configuration, which may name labels; empty if no configuration was given.
        config: The configuration, if its examples have a column for each label; otherwise None.
    """

    schema: Path
    gates: tuple[Gate, ...] = ()
    config: Path | None = None


@dataclass(frozen=True)
class _Consequences:
    """Consequences of a change, in words.

    Attributes:
        change: What has changed, a sentence.
        next_run: What the next run makes of it, in clauses.
    """

    change: str
    next_run: str


def _alone(
    change: Callable[Concatenate[Console, Target, _Arguments], None],
) -> Callable[Concatenate[Console, Target, _Arguments], None]:
    """Let one process at a time change a schema: of two that read it before either writes, one change would be lost.

    The lock is on the schema's folder, and so leaves no file.
    """

    @wraps(change)
    def change_alone(console: Console, target: Target, /, *args: _Arguments.args, **kwargs: _Arguments.kwargs) -> None:
        try:
            folder = os.open(target.schema.resolve().parent, os.O_RDONLY)
        except OSError:  # reading the schema says what is wrong
            change(console, target, *args, **kwargs)
            return
        try:
            fcntl.flock(folder, fcntl.LOCK_EX)
            change(console, target, *args, **kwargs)
        finally:
            os.close(folder)

    return change_alone


def find_target(schema: Path | None, config: Path | None) -> Target:
    """Return the schema that is named directly or by a configuration.

    Raises:
        Refused: Both are given, or none, or the configuration cannot be read.
    """
    if (schema is None) == (config is None):
        raise Refused("name the schema: give either --schema FILE or --config FILE")
    if schema is not None:
        return Target(schema)
    from pipeline.config.loading import load_configuration

    assert config is not None
    configuration = load_configuration(config)
    by_column = isinstance(configuration.examples.labels, IndicatorLabels)
    gates = tuple(configuration.evaluation.gates)
    return Target(Path(configuration.schema_file), gates, config if by_column else None)


def show_labels(console: Console, target: Target) -> None:
    """Print a table of the labels with their indices, retired labels, former names and implications."""
    labels = label_list(read_schema(str(target.schema)))
    table = Table("index", "label", "", "former names", *(["implies"] if labels.implies else []))
    table.columns[0].justify = "right"
    for index, name in enumerate(labels.names):
        former_names = ", ".join(old for old, new in labels.aliases.items() if new == name)
        implied = [", ".join(labels.implies.get(name, ()))] if labels.implies else []
        table.add_row(str(index), name, "retired" if name in labels.retired else "", former_names, *implied)
    console.print(table)


@_alone
def add_label(console: Console, target: Target, name: str) -> None:
    """Add a label after the others, or bring a retired label back; print what it means.

    Raises:
        Refused: The name cannot be a label's, or the file cannot be written; nothing is changed.
    """
    schema = read_schema(str(target.schema))
    edit, existing = plan_add(schema, name), label_list(schema).names
    if edit.value is None:
        name = existing[edit.index]
        change = f"'{name}' is in use again, at its old index {edit.index}."
        rows = f"rows with '{name}' count again"
    else:
        name = edit.value
        change = f"'{name}' is added at index {edit.index}, after the others."
        rows = f"rows may have '{name}'"
        if target.config is not None:
            change += f" So it is in {target.config} (examples.labels.columns): the files need a column '{name}'."
            _replace(target.config, add_column(target.config, name))
    gates = "gates against a live model that lacks it apply to the labels that both models have."
    _apply(console, target, edit, _Consequences(change, f"{rows}; {gates}"))


@_alone
def rename_label(console: Console, target: Target, old: str, new: str) -> None:
    """Rename a label at its index; print what it means.

    Raises:
        Refused: There is no such label, the new name cannot be a label's, or the file cannot be written; nothing is
            changed.
    """
    edit = plan_rename(read_schema(str(target.schema)), old, new)
    change = f"'{old}' is now called '{edit.value}', at the same index {edit.index}."
    next_run = (
        f"rows with '{old}' are read as '{edit.value}'; the live model's '{old}' is compared as '{edit.value}', the"
        " name that clients will get."
    )
    _apply(console, target, edit, _Consequences(change, next_run))


@_alone
def retire_label(console: Console, target: Target, name: str) -> None:
    """Take a label out of use; print what it means.

    Raises:
        Refused: There is no such label, it is the last one, or the file cannot be written; nothing is changed.
    """
    edit = plan_retire(read_schema(str(target.schema)), name)
    change = f"'{name}' is retired; its index {edit.index} is not used again."
    next_run = f"rows keep their other labels; output {edit.index} is always 0, and no gate may name '{name}'."
    _apply(console, target, edit, _Consequences(change, next_run))


@_alone
def imply_label(console: Console, target: Target, name: str, implied: str, *, remove: bool) -> None:
    """Record that a label implies another, or remove that record; print what it means.

    Raises:
        Refused: There is no such label, the two imply each other, or the file cannot be written; nothing is changed.
    """
    edit = plan_imply(read_schema(str(target.schema)), name, implied, remove=remove)
    if remove:
        change = f"'{name}' no longer implies '{implied}'."
        next_run = f"rows with '{name}' are read as they are, and it is given without '{implied}'."
    else:
        change = f"'{name}' implies '{implied}'."
        next_run = (
            f"rows with '{name}' and without '{implied}' are completed (or refused: examples.implied), and '{name}' is"
            f" never given without '{implied}'."
        )
    _apply(console, target, edit, _Consequences(change, next_run))


def _apply(console: Console, target: Target, edit: Edit, consequences: _Consequences) -> None:
    """Make a planned change in the file, and print what it means."""
    edited = edit_schema(target.schema.read_bytes().decode(), edit)
    _replace(target.schema, edited.text)
    labels = label_list(read_schema(str(target.schema)))
    lines = [
        f"{target.schema}: {consequences.change}",
        f"Next run: trains a model with {len(labels.names)} outputs; {consequences.next_run}",
    ]
    if not edited.keeps_layout:
        lines.append("warning: the file had to be written from scratch; its comments and layout are lost")
    lines += [f"warning: evaluation.gates will be refused: {why}" for why in _refusals(target.gates, labels)]
    for line in lines:
        console.print(Text(line), soft_wrap=True)


def _refusals(gates: Sequence[Gate], labels: LabelList) -> list[str]:
    """Return the reasons why gates do not fit the labels."""
    refusals = []
    for gate in gates:
        try:
            check_labels([gate], labels)
        except Refused as refused:
            refusals.append(str(refused))
    return refusals


def _replace(path: Path, text: str) -> None:
    """Replace a file as a whole.

    Raises:
        Refused: The file cannot be written.
    """
    try:
        write_whole(str(path), text.encode())
    except OSError as error:
        raise Refused(f"{path}: cannot be written ({error.strerror}); nothing was changed") from None
