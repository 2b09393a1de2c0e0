"""What became of the rows that were read: counted while reading, kept as `report.json` beside the quarantined rows.

Imports neither TensorFlow nor Beam, so that whoever reads a report need not.
"""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Self

from pydantic import Field, model_validator

from components.example_gen.rows import Reason
from components.example_gen.settings import SPLITS, Split
from components.files import read_bytes, write_whole
from components.settings import Settings

REPORT_FILE = "report.json"
MOST_LABELS = 10_000  # kept; a column of free text taken for labels has one per row


class LabelCount(Settings):
    """How often a label occurs, and where first."""

    count: int = Field(description="Accepted rows that have the label.")
    first: str = Field(description='The first of them: "file:line".')


class IngestReport(Settings):
    """Every row that was read was either accepted or quarantined."""

    read: int = Field(description="Rows read; headers and blank lines are none.")
    accepted: int = Field(description="Rows that became examples.")
    quarantined: int = Field(description="Rows that could not.")
    reasons: dict[str, int] = Field(description="Quarantined rows by reason.")
    splits: dict[Split, int] = Field(description="Examples by split, 0 included.")
    labels: dict[str, LabelCount] = Field(
        description=f"Labels by first occurrence; the first {MOST_LABELS} (beyond which counts are lower bounds)."
    )

    @model_validator(mode="after")
    def _accounts_for_every_row(self) -> Self:
        if self.read != self.accepted + self.quarantined:
            raise ValueError(f"{self.read} rows read, but {self.accepted} accepted and {self.quarantined} quarantined")
        if self.accepted != sum(self.splits.values()) or self.quarantined != sum(self.reasons.values()):
            raise ValueError("the rows of the splits and of the reasons do not add up")
        return self


@dataclass(slots=True)
class LabelTally:
    """Occurrences of a label; `first` is (order of the file, line)."""

    count: int
    first: tuple[int, int]


@dataclass(slots=True)
class Tally:
    """Counts of some of the rows, from which a report is made; tallies of parts are merged in any order."""

    read: int = 0
    splits: Counter[Split] = field(default_factory=Counter)
    reasons: Counter[Reason] = field(default_factory=Counter)
    labels: dict[str, LabelTally] = field(default_factory=dict)

    def accept(self, split: Split, labels: Iterable[str], file: int, line: int) -> None:
        """Counts an accepted row; the rows of a file are to come in order."""
        self.splits[split] += 1
        for label in labels:
            if seen := self.labels.get(label):
                seen.count += 1
            elif len(self.labels) < MOST_LABELS:
                self.labels[label] = LabelTally(1, (file, line))

    def merge(self, other: "Tally") -> None:
        self.read += other.read
        self.splits.update(other.splits)
        self.reasons.update(other.reasons)
        for label, theirs in other.labels.items():
            mine = self.labels.get(label)
            if mine is None:
                self.labels[label] = LabelTally(theirs.count, theirs.first)
            else:
                mine.count += theirs.count
                mine.first = min(mine.first, theirs.first)
        self._keep_first_labels()

    def report(self, files: Sequence[str]) -> IngestReport:
        """The report, with files called by `files[order]`."""
        self._keep_first_labels()
        return IngestReport(
            read=self.read,
            accepted=self.splits.total(),
            quarantined=self.reasons.total(),
            reasons={
                str(reason): count
                for reason, count in sorted(self.reasons.items(), key=lambda item: (-item[1], item[0]))
            },
            splits={split: self.splits[split] for split in SPLITS},
            labels={
                label: LabelCount(count=seen.count, first=f"{files[seen.first[0]]}:{seen.first[1]}")
                for label, seen in sorted(self.labels.items(), key=lambda item: (item[1].first, item[0]))
            },
        )

    def _keep_first_labels(self) -> None:
        # A label among the first of all files is among the first of its own, so no part has dropped what is kept here.
        if len(self.labels) > MOST_LABELS:
            by_first = sorted(self.labels.items(), key=lambda item: (item[1].first, item[0]))
            self.labels = dict(by_first[:MOST_LABELS])


def write_report(report: IngestReport, uri: str) -> None:
    """Writes the report into a quarantine artifact, complete or not at all."""
    write_whole(f"{uri}/{REPORT_FILE}", report.model_dump_json(indent=2).encode())


def read_report(uri: str) -> IngestReport:
    """Reads the report out of a quarantine artifact.

    Raises:
        FileNotFoundError: The artifact has none.
    """
    return IngestReport.model_validate_json(read_bytes(f"{uri}/{REPORT_FILE}"))
