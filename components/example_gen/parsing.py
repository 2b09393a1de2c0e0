"""From a row of any format to the parts of an example."""

from dataclasses import dataclass

from components.example_gen.columns import Layout
from components.example_gen.labels import LabelParser, UnusableLabels
from components.example_gen.rows import Reason, Rejected, Row


@dataclass(frozen=True, slots=True)
class Record:
    """What one example is made of.

    Attributes:
        id: Names the row to a person; without an id column, "<file>:<line>".
        text: As it was read.
        labels: In the order of the row, each once.
        slices: One string per slice column; "" where blank.
    """

    id: str
    text: str
    labels: list[str]
    slices: list[str]


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
        values, layout = row.values, self.layout
        record_id = f"{self.file}:{row.line}" if layout.id is None else values[layout.id].strip()
        if not record_id:
            return row.reject(Reason.BLANK_ID)
        text = values[layout.text]
        if not text or text.isspace():
            return row.reject(Reason.BLANK_TEXT)
        try:
            labels = self.labels([values[position] for position in layout.labels])
        except UnusableLabels as unusable:
            return row.reject(unusable.reason, unusable.detail)
        return Record(record_id, text, labels, [values[position].strip() for position in layout.slices])
