"""Parser from a row of any format to the parts of an example."""

from dataclasses import dataclass

from components.example_gen.formats.rows import Reason, Rejected, Row
from components.example_gen.formats.values import UnusableValueError, single_string
from components.example_gen.parsing.columns import Layout
from components.example_gen.parsing.labels import LabelParser


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
    """

    id: str
    text: str
    labels: list[str]
    slices: list[str]
    pair: str | None = None
    group: str = ""


@dataclass(frozen=True, slots=True)
class RowParser:
    """Parser of the rows of one file.

    Attributes:
        file: Name of the file in ids.
        layout: Indices of the columns.
        parse_labels: Parser of the label columns.
    """

    file: str
    layout: Layout
    parse_labels: LabelParser

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
        return LabelledText(
            id=row_id,
            text=text,
            labels=self.parse_labels([row.cells[index] for index in layout.labels]),
            slices=[self._string(row, index).strip() for index in layout.slices],
            pair=None if layout.text_pair is None else self._string(row, layout.text_pair),
            group="" if layout.group is None else self._string(row, layout.group).strip(),
        )

    def _string(self, row: Row, index: int) -> str:
        return single_string(row.cells[index], self.layout.columns[index])
