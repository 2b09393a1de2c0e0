"""Section of the report on likely label errors in the train split."""

from dataclasses import dataclass

from components.report.drawing.tables import Cell, Head, Table, count, number, text
from components.report.views.material import Material
from components.suspects.suspects import Suspect, Suspects

_MOST_CHARACTERS = 500


@dataclass(frozen=True)
class SuspectsView:
    """Content of the section.

    Attributes:
        suspects: What was found.
        tables: The first suspects, and the number of suspects by label.
    """

    suspects: Suspects
    tables: list[Table]


def suspects_view(material: Material) -> SuspectsView | None:
    """Return the content of the section; None if nobody has searched for suspects."""
    suspects = material.suspects
    if suspects is None:
        return None
    return SuspectsView(suspects, [_worst(suspects, texts=material.texts), _by_label(suspects)])


def _worst(suspects: Suspects, *, texts: bool) -> Table:
    heads = [Head("id", False), *([Head("text", False)] if texts else []), Head("label", False)]
    heads += [Head("given", False), Head("suggested", False), Head("score")]
    rows = [
        [
            text(each.id), *([_text_cell(each)] if texts else []), text(each.label), _yes_or_no(each.given),
            _yes_or_no(each.suggested), number(each.score),
        ]
        for each in suspects.worst
    ]  # fmt: skip
    return Table("The most likely errors", heads, rows, "suspects")


def _by_label(suspects: Suspects) -> Table:
    rows = [
        [text(label), count(found.given), count(found.wrongly_given), count(found.missing)]
        for label, found in suspects.labels.items()
        if found.wrongly_given or found.missing
    ]
    heads = [Head("label", False), Head("rows"), Head("wrongly given"), Head("missing")]
    return Table("Likely errors by label", heads, rows, "suspects-by-label")


def _text_cell(suspect: Suspect) -> Cell:
    whole = suspect.text if suspect.text_pair is None else f"{suspect.text}\n{suspect.text_pair}"
    return text(whole if len(whole) <= _MOST_CHARACTERS else f"{whole[:_MOST_CHARACTERS]} …")


def _yes_or_no(value: bool) -> Cell:
    return text("yes" if value else "no")
