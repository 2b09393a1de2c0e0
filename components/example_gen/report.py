"""What became of the rows that were read: counted while reading, kept as `report.json` beside the quarantined rows.

Imports neither TensorFlow nor Beam, so that whoever reads a report need not.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Self

from pydantic import Field, model_validator

from components.common.files import read_bytes, write_whole
from components.common.settings import Settings
from components.example_gen.formats.rows import Reason
from components.example_gen.settings import SPLITS, Split
from components.example_gen.sources.spans import SpanVersion

REPORT_FILE = "report.json"
MOST_CONTRADICTIONS = 10  # told of
MOST_LABELS = 10_000  # kept; a column of free text taken for labels has one per row


class LabelCount(Settings):
    """How often a label occurs, and where first."""

    count: int = Field(description="Accepted rows that have the label.")
    first: str = Field(description='The first of them: "file:line".')


class SpanCount(Settings):
    """A span that was read."""

    span: int
    version: int | None = None
    rows: int = Field(description="Accepted rows of the span.")


class Contradiction(Settings):
    """Two copies of a text with different labels."""

    rows: list[str] = Field(description='Where they are: "file:line" each.')
    labels: list[list[str]] = Field(description="The labels of each.")


class Duplicates(Settings):
    """Texts that occur more than once, without regard to case and white space."""

    texts: int = Field(default=0, description="Different texts that have copies.")
    rows: int = Field(default=0, description="Rows that have one of these texts.")
    contradictory: int = Field(default=0, description="Of the texts, those whose copies differ in their labels.")
    contradictions: list[Contradiction] = Field(default=[], description="Some of these.")


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
    retired_labels: dict[str, int] = Field(
        default={}, description="Labels that rows have, but the schema has retired; the rows were kept without them."
    )
    duplicates: Duplicates = Duplicates()
    spans: list[SpanCount] = Field(default=[], description="Ascending; empty where inputs have no spans.")
    digest: str = Field(default="", description="The same for the same examples, in whatever files they came.")

    @model_validator(mode="after")
    def _accounts_for_every_row(self) -> Self:
        if self.read != self.accepted + self.quarantined:
            raise ValueError(f"{self.read} rows read, but {self.accepted} accepted and {self.quarantined} quarantined")
        if self.accepted != sum(self.splits.values()) or self.quarantined != sum(self.reasons.values()):
            raise ValueError("the rows of the splits and of the reasons do not add up")
        return self

    def share_of(self, reason: Reason) -> float:
        """The part of all rows that was quarantined for a reason."""
        return self.reasons.get(reason, 0) / self.read if self.read else 0.0

    @property
    def unusable_share(self) -> float:
        """The part of all rows that was quarantined for what is wrong with it: not for being a copy."""
        return self.quarantined / self.read - self.share_of(Reason.IN_OTHER_SPLIT) if self.read else 0.0


@dataclass(slots=True)
class LabelTally:
    """Occurrences of a label; `first` is (order of the file, line)."""

    count: int
    first: tuple[int, int]


@dataclass(slots=True)
class DuplicatesTally:
    """As `Duplicates`, to be added up."""

    texts: int = 0
    rows: int = 0
    contradictory: int = 0
    contradictions: list[Contradiction] = field(default_factory=list)

    def merge(self, other: "DuplicatesTally") -> None:
        self.texts += other.texts
        self.rows += other.rows
        self.contradictory += other.contradictory
        # Sorted, so that the order in which parts are merged does not tell.
        both = sorted(self.contradictions + other.contradictions, key=lambda each: each.rows)
        self.contradictions = both[:MOST_CONTRADICTIONS]

    def report(self) -> Duplicates:
        return Duplicates(
            texts=self.texts,
            rows=self.rows,
            contradictory=self.contradictory,
            contradictions=self.contradictions,
        )


@dataclass(slots=True)
class Tally:
    """Counts of some of the rows, from which a report is made; tallies of parts are merged in any order."""

    read: int = 0
    splits: Counter[Split] = field(default_factory=Counter)
    reasons: Counter[Reason] = field(default_factory=Counter)
    labels: dict[str, LabelTally] = field(default_factory=dict)
    retired: Counter[str] = field(default_factory=Counter)
    spans: Counter[int | None] = field(default_factory=Counter)
    duplicates: DuplicatesTally = field(default_factory=DuplicatesTally)
    digest: int = 0

    def count_label(self, label: str, count: int, first: tuple[int, int]) -> None:
        """Counts so many more rows of a label, the first of them at `first`: (order of the file, line)."""
        seen = self.labels.get(label)
        if seen is None:
            self.labels[label] = LabelTally(count, first)
        else:
            seen.count += count
            seen.first = min(seen.first, first)

    def merge(self, other: "Tally") -> None:
        self.read += other.read
        self.splits.update(other.splits)
        self.reasons.update(other.reasons)
        self.retired.update(other.retired)
        self.spans.update(other.spans)
        self.duplicates.merge(other.duplicates)
        self.digest += other.digest
        for label, theirs in other.labels.items():
            self.count_label(label, theirs.count, theirs.first)
        self._keep_first_labels()

    def report(self, files: Sequence[str], spans: Sequence[SpanVersion] = ()) -> IngestReport:
        """The report, with files called by `files[order]`."""
        self._keep_first_labels()
        return IngestReport(
            read=self.read,
            accepted=self.splits.total(),
            quarantined=self.reasons.total(),
            reasons={
                str(reason): count
                for reason, count in sorted(self.reasons.items(), key=lambda item: (-item[1], item[0]))
                if count
            },
            splits={split: self.splits[split] for split in SPLITS},
            labels={
                label: LabelCount(count=seen.count, first=f"{files[seen.first[0]]}:{seen.first[1]}")
                for label, seen in sorted(self.labels.items(), key=lambda item: (item[1].first, item[0]))
            },
            retired_labels=dict(sorted(self.retired.items())),
            duplicates=self.duplicates.report(),
            spans=[SpanCount(span=span, version=version, rows=self.spans[span]) for span, version in spans],
            digest=f"{self.digest % (1 << 64):016x}",
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
