"""Parser from a row of any format to the parts of an example."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from components.example_gen.formats.rows import Cell, Reason, Rejected, Row, Unlabelled
from components.example_gen.formats.values import UnusableValueError, single_string
from components.example_gen.parsing.columns import Layout, find_columns
from components.example_gen.parsing.labels import (
    LabelParser,
    ScoreParser,
    make_asked_parser,
    make_label_parser,
    make_score_parser,
    make_unknown_parser,
)
from components.example_gen.parsing.settings import ColumnSettings, IndicatorLabels


@dataclass(frozen=True, slots=True)
class LabelledText:
    """Parts of one example.

    Attributes:
        id: Name of the row for a person; "<file>:<line>" if no id column is configured.
        text: Text as it is in the file.
        labels: Labels in the order of the row, each once.
        slices: One string per slice column; "" if blank.
        pair: Second text as it is in the file; None if no pairs are classified.
        group: Value that the rows of one group share; "" if blank, or if no group is configured.
        unknown: Labels that the row calls unknown.
        asked: Labels that the row was labelled for; None for all.
        scores: Share of annotators, between 0 and 1, who gave a label, for the labels that some but not all gave.
        key: Value that the rows of one example have in common; "" if none is configured.
    """

    id: str
    text: str
    labels: list[str]
    slices: list[str]
    pair: str | None = None
    group: str = ""
    unknown: list[str] = field(default_factory=list)
    asked: list[str] | None = None
    scores: dict[str, float] = field(default_factory=dict)
    key: str = ""


@dataclass(frozen=True, slots=True)
class RowParser:
    """Parser of the rows of one file.

    Attributes:
        file: Name of the file in ids.
        layout: Indices of the columns.
        parse_labels: Parser of the label columns.
        parse_unknown: Parser of the label columns for what they call unknown; None if they cannot.
        parse_asked: Parser of the column that lists what a row was labelled for; None if there is none.
        asked: Labels that all rows of the file were labelled for; None for all, or if a column lists them.
        parse_scores: Parser of the label columns for soft labels; None if there are none.
        flag_names: Names of the label columns if they are of 0 and 1, otherwise empty.
    """

    file: str
    layout: Layout
    parse_labels: LabelParser
    parse_unknown: LabelParser | None = None
    parse_asked: LabelParser | None = None
    asked: tuple[str, ...] | None = None
    parse_scores: ScoreParser | None = None
    flag_names: tuple[str, ...] = ()

    def parse(self, row: Row) -> LabelledText | Rejected:
        """Parse a row; return it as rejected if it cannot become an example."""
        try:
            return self._parse(row)
        except UnusableValueError as error:
            return row.reject(error.reason, error.detail)

    def _parse(self, row: Row) -> LabelledText:
        layout = self.layout
        row_id = f"{self.file}:{row.line}" if layout.id is None else self._string(row, layout.id).strip()
        if not row_id:
            raise UnusableValueError(Reason.BLANK_ID)
        text = self._string(row, layout.text)
        if not text or text.isspace():
            raise UnusableValueError(Reason.BLANK_TEXT)
        key = "" if layout.key is None else self._string(row, layout.key).strip()
        if layout.key is not None and not key:
            raise UnusableValueError(Reason.BLANK_KEY)
        cells = [None if index is None else row.cells[index] for index in layout.labels]
        if any(isinstance(cell, Unlabelled) for cell in cells):
            raise UnusableValueError(Reason.NOT_LABELLED)
        asked = self._asked(row)
        silent = [] if asked is None else self._fill_what_was_not_asked(cells, asked)
        return LabelledText(
            id=row_id,
            text=text,
            labels=self.parse_labels(cells),
            slices=[self._string(row, index).strip() for index in layout.slices],
            pair=None if layout.text_pair is None else self._string(row, layout.text_pair),
            group="" if layout.group is None else self._string(row, layout.group).strip(),
            unknown=silent + ([] if self.parse_unknown is None else self.parse_unknown(cells)),
            asked=asked,
            scores={} if self.parse_scores is None else self.parse_scores(cells),
            key=key,
        )

    def _asked(self, row: Row) -> list[str] | None:
        if self.parse_asked is not None and self.layout.asked is not None:
            return self.parse_asked([row.cells[self.layout.asked]])
        return None if self.asked is None else list(self.asked)

    def _fill_what_was_not_asked(self, cells: list[Cell], asked: Sequence[str]) -> list[str]:
        """Replace blank flags of labels that the row was not labelled for by no; return these labels."""
        silent = []
        for index, name in enumerate(self.flag_names):
            if name not in asked and cells[index] in (None, "", []):
                cells[index] = "0"
                silent.append(name)
        return silent

    def _string(self, row: Row, index: int) -> str:
        return single_string(row.cells[index], self.layout.columns[index])


def make_row_parser(
    columns: Sequence[str],
    settings: ColumnSettings,
    asked: str | Sequence[str] | None,
    names: Sequence[str],
    file: str,
    others: Sequence[str] = (),
    *,
    asked_delimiter: str | None = None,
) -> RowParser:
    """Return the parser of the rows of one file.

    Args:
        columns: Columns of the rows, in the order of their cells.
        settings: Columns that the parts of an example are in.
        asked: What the rows were labelled for: labels, a column that lists them, or None for all labels.
        names: Labels that indices point to, from `read_label_names`.
        file: Name of the file in ids and messages.
        others: Further columns of the file, for messages.
        asked_delimiter: Text between two labels in the column `asked`; None for the usual one.

    Raises:
        Refused: A configured column is missing.
    """
    column = asked if isinstance(asked, str) else None
    return RowParser(
        file=file,
        layout=find_columns(columns, settings, file, others=others, asked=asked),
        parse_labels=make_label_parser(settings.labels, names),
        parse_unknown=make_unknown_parser(settings.labels, names),
        parse_asked=None if column is None else make_asked_parser(settings.labels, column, names, asked_delimiter),
        asked=None if asked is None or isinstance(asked, str) else tuple(asked),
        parse_scores=make_score_parser(settings.labels, names),
        flag_names=settings.label_columns if isinstance(settings.labels, IndicatorLabels) else (),
    )
