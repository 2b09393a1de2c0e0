"""From a row of any format to the parts of an example."""

from dataclasses import dataclass

from components.example_gen.columns import Layout
from components.example_gen.formats.rows import Reason, Rejected, Row
from components.example_gen.formats.values import Unusable, single
from components.example_gen.labels import LabelParser


@dataclass(frozen=True, slots=True)
class Record:
    """What one example is made of.

    Attributes:
        id: Names the row to a person; without an id column, "<file>:<line>".
        text: As it was read.
        labels: In the order of the row, each once.
        slices: One string per slice column; "" where blank.
        pair: The second text, as it was read; None where no pairs are classified.
        group: What the rows of one group share; "" where none is configured, or blank.
    """

    id: str
    text: str
    labels: list[str]
    slices: list[str]
    pair: str | None = None
    group: str = ""


@dataclass(frozen=True, slots=True)
class RowParser:
    """Makes the rows of one file into records.

    Attributes:
        file: The file's name in ids.
        layout: Where its columns are.
        labels: What its label columns mean.
    """

    file: str
    layout: Layout
    labels: LabelParser

    def parse(self, row: Row) -> Record | Rejected:
        try:
            return self._record(row)
        except Unusable as unusable:
            return row.reject(unusable.reason, unusable.detail)

    def _record(self, row: Row) -> Record:
        layout = self.layout
        record_id = f"{self.file}:{row.line}" if layout.id is None else self._string(row, layout.id).strip()
        if not record_id:
            raise Unusable(Reason.BLANK_ID)
        text = self._string(row, layout.text)
        if not text or text.isspace():
            raise Unusable(Reason.BLANK_TEXT)
        return Record(
            id=record_id,
            text=text,
            labels=self.labels([row.values[position] for position in layout.labels]),
            slices=[self._string(row, position).strip() for position in layout.slices],
            pair=None if layout.text_pair is None else self._string(row, layout.text_pair),
            group="" if layout.group is None else self._string(row, layout.group).strip(),
        )

    def _string(self, row: Row, position: int) -> str:
        return single(row.values[position], self.layout.columns[position])
