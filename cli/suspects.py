"""Likely label errors of a run, as a table on the screen."""

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table
from rich.text import Text

from components.suspects.suspects import Suspects

_SHOWN_CHARACTERS = 200


def show_suspects(console: Console, suspects: Suspects) -> None:
    """Print the first suspects, their number by label, and where all of them are."""
    if suspects.worst:
        console.print(_worst(suspects))
    if suspects.found:
        console.print(_by_label(suspects))
    if suspects.unjudged:
        labels = ", ".join(suspects.unjudged)
        console.print(Text(f"Not judged, as too few examples have or lack them: {labels}"), soft_wrap=True)
    console.print(
        Text(
            f"{suspects.found:,} suspects in {suspects.examples:,} examples of the train split, by"
            f" {suspects.folds} folds; all of them: {suspects.file}"
        ),
        soft_wrap=True,
    )


def _worst(suspects: Suspects) -> Table:
    title = f"The {len(suspects.worst)} most likely errors of {suspects.found:,}"
    table = Table("id", "text", "label", "given", "score", title=title, title_justify="left", box=SIMPLE_HEAD)
    table.columns[0].overflow = table.columns[2].overflow = "fold"
    for each in suspects.worst:
        text = each.text if each.text_pair is None else f"{each.text}\n{each.text_pair}"
        shown = text if len(text) <= _SHOWN_CHARACTERS else f"{text[:_SHOWN_CHARACTERS]}..."
        table.add_row(each.id, shown, each.label, "wrongly" if each.given else "missing", f"{each.score:.3f}")
    return table


def _by_label(suspects: Suspects) -> Table:
    table = Table("label", title="By label", title_justify="left", box=SIMPLE_HEAD)
    table.columns[0].overflow = "fold"
    for head in ("rows", "wrongly given", "missing"):
        table.add_column(head, justify="right", no_wrap=True)
    ranked = sorted(suspects.labels.items(), key=lambda item: -(item[1].wrongly_given + item[1].missing))
    for label, count in ranked[:20]:
        if count.wrongly_given or count.missing:
            table.add_row(label, f"{count.given:,}", f"{count.wrongly_given:,}", f"{count.missing:,}")
    return table
