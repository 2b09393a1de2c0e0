"""Counts of the rows that were read: tallied while reading, kept as `report.json` beside the quarantined rows.

Imports neither TensorFlow nor Beam, so that readers of a report need not either.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import ClassVar, Self

from pydantic import ConfigDict, Field, model_validator

from components.common.record import Record, Value
from components.example_gen.formats.rows import Reason
from components.example_gen.sources.settings import SPLITS, Split
from components.example_gen.sources.spans import SpanVersion

MOST_CONTRADICTIONS = 10  # kept as examples
MOST_LABELS = 10_000  # kept; a column of free text that is taken for labels has one label per row


class LabelCount(Value):
    """Number of occurrences of a label, and the first of them."""

    count: int = Field(description="Accepted rows that have the label.")
    first: str = Field(description='The first of them: "file:line".')


class SpanCount(Value):
    """Span that was read."""

    span: int
    version: int | None = None
    rows: int = Field(description="Accepted rows of the span.")


class Contradiction(Value):
    """Two copies of a text with different labels."""

    rows: list[str] = Field(description='The two rows: "file:line" each.')
    labels: list[list[str]] = Field(description="The labels of each.")


class Duplicates(Value):
    """Texts that occur more than once, without regard to case and white space."""

    texts: int = Field(default=0, description="Different texts that have copies.")
    rows: int = Field(default=0, description="Rows that have one of these texts.")
    contradictory: int = Field(default=0, description="Texts whose copies have different labels.")
    contradictions: list[Contradiction] = Field(default=[], description="Some of them.")


class IngestReport(Record):
    """Counts of the rows that were read; every one of them was accepted, merged with another or quarantined."""

    FILE: ClassVar[str] = "report.json"

    model_config = ConfigDict(serialize_by_alias=True)

    # `read` in the file, but `Record.read` is a method.
    rows_read: int = Field(alias="read", description="Rows read; headers and blank lines do not count.")
    accepted: int = Field(description="Rows that became examples.")
    quarantined: int = Field(description="Rows that could not become examples.")
    merged: int = Field(default=0, description="Rows that became part of the example of a copy of their text.")
    reasons: dict[str, int] = Field(description="Quarantined rows by reason.")
    splits: dict[Split, int] = Field(description="Examples by split, 0 included.")
    labels: dict[str, LabelCount] = Field(
        description=f"Labels by first occurrence; the first {MOST_LABELS} (beyond which counts are lower bounds)."
    )
    retired_labels: dict[str, int] = Field(
        default={}, description="Rows by label that the schema has retired; the rows were kept without the label."
    )
    soft: int = Field(default=0, description="Rows with a label that some but not all annotators gave.")
    completed: dict[str, int] = Field(
        default={}, description="Rows by label that they lacked and got because another of their labels implies it."
    )
    unknown: dict[str, int] = Field(
        default={}, description="Accepted rows by label of which nobody knows whether they have it, if there are any."
    )
    swallowed: int = Field(
        default=0, description="Lines that look like rows, but are in quotes and so part of accepted rows."
    )
    duplicates: Duplicates = Duplicates()
    spans: list[SpanCount] = Field(default=[], description="Spans, ascending; empty if inputs have no spans.")
    digest: str = Field(default="", description="Hash of all examples, independent of the files that they were in.")

    @model_validator(mode="after")
    def _account_for_every_row(self) -> Self:
        if self.rows_read != self.accepted + self.quarantined + self.merged:
            raise ValueError(
                f"{self.rows_read} rows read, but {self.accepted} accepted, {self.merged} merged and"
                f" {self.quarantined} quarantined"
            )
        if self.accepted != sum(self.splits.values()) or self.quarantined != sum(self.reasons.values()):
            raise ValueError("the rows of the splits and of the reasons do not add up")
        return self

    def share_of(self, reason: Reason) -> float:
        """Return the share of all rows that was quarantined for a reason, 0 to 1."""
        return self.reasons.get(reason, 0) / self.rows_read if self.rows_read else 0.0

    @property
    def swallowed_share(self) -> float:
        """Share of rows that a stray quote may have swallowed, 0 to 1, of all rows if it has."""
        return self.swallowed / (self.rows_read + self.swallowed) if self.swallowed else 0.0

    @property
    def unusable_share(self) -> float:
        """Share of all rows that was quarantined for any reason but being a copy or not labelled at all, 0 to 1."""
        if not self.rows_read:
            return 0.0
        return (
            self.quarantined / self.rows_read
            - self.share_of(Reason.IN_OTHER_SPLIT)
            - self.share_of(Reason.NOT_LABELLED)
        )


@dataclass(slots=True)
class LabelTally:
    """Occurrences of a label in some of the rows.

    Attributes:
        count: Number of rows.
        first: (order of the file, line) of the first row.
    """

    count: int
    first: tuple[int, int]


@dataclass(slots=True)
class DuplicatesTally:
    """`Duplicates` of some of the rows, which can be merged."""

    texts: int = 0
    rows: int = 0
    contradictory: int = 0
    contradictions: list[Contradiction] = field(default_factory=list)

    def merge(self, other: "DuplicatesTally") -> None:
        """Add the counts of other rows."""
        self.texts += other.texts
        self.rows += other.rows
        self.contradictory += other.contradictory
        # Sorted, so that the result does not depend on the order in which parts are merged.
        both = sorted(self.contradictions + other.contradictions, key=lambda contradiction: contradiction.rows)
        self.contradictions = both[:MOST_CONTRADICTIONS]

    def report(self) -> Duplicates:
        """Return the counts for a report."""
        return Duplicates(
            texts=self.texts,
            rows=self.rows,
            contradictory=self.contradictory,
            contradictions=self.contradictions,
        )


@dataclass(slots=True)
class Tally:
    """Counts of some of the rows, which can be merged in any order; the sum of all makes a report.

    Attributes:
        read: Rows read.
        splits: Examples by split.
        reasons: Quarantined rows by reason.
        labels: Occurrences by label.
        retired: Rows by retired label.
        soft: Rows with a label that some but not all annotators gave.
        completed: Rows by label that they got because another of their labels implies it.
        unknown: Examples by label of which nobody knows whether they have it.
        swallowed: Lines that look like rows, but are part of accepted rows.
        merged: Rows that became part of the example of a copy.
        spans: Examples by span.
        duplicates: Copies of texts.
        digest: Sum of the hashes of the examples.
    """

    read: int = 0
    splits: Counter[Split] = field(default_factory=Counter)
    reasons: Counter[Reason] = field(default_factory=Counter)
    labels: dict[str, LabelTally] = field(default_factory=dict)
    retired: Counter[str] = field(default_factory=Counter)
    soft: int = 0
    completed: Counter[str] = field(default_factory=Counter)
    unknown: Counter[str] = field(default_factory=Counter)
    swallowed: int = 0
    merged: int = 0
    spans: Counter[int | None] = field(default_factory=Counter)
    duplicates: DuplicatesTally = field(default_factory=DuplicatesTally)
    digest: int = 0

    def count_label(self, label: str, count: int, first: tuple[int, int]) -> None:
        """Add `count` rows of a label, the first of them at `first`: (order of the file, line)."""
        existing = self.labels.get(label)
        if existing is None:
            self.labels[label] = LabelTally(count, first)
        else:
            existing.count += count
            existing.first = min(existing.first, first)

    def merge(self, other: "Tally") -> None:
        """Add the counts of other rows."""
        self.read += other.read
        self.splits.update(other.splits)
        self.reasons.update(other.reasons)
        self.retired.update(other.retired)
        self.soft += other.soft
        self.completed.update(other.completed)
        self.unknown.update(other.unknown)
        self.swallowed += other.swallowed
        self.merged += other.merged
        self.spans.update(other.spans)
        self.duplicates.merge(other.duplicates)
        self.digest += other.digest
        for label, tally in other.labels.items():
            self.count_label(label, tally.count, tally.first)
        self._keep_first_labels()

    def report(self, files: Sequence[str], spans: Sequence[SpanVersion] = ()) -> IngestReport:
        """Return the report.

        Args:
            files: Names of the files; `files[order]` is that of the file of this order.
            spans: Spans that were read, ascending.
        """
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
                label: LabelCount(count=tally.count, first=f"{files[tally.first[0]]}:{tally.first[1]}")
                for label, tally in sorted(self.labels.items(), key=lambda item: (item[1].first, item[0]))
            },
            swallowed=self.swallowed,
            merged=self.merged,
            retired_labels=dict(sorted(self.retired.items())),
            soft=self.soft,
            completed=dict(sorted(self.completed.items())),
            unknown=dict(sorted(self.unknown.items())),
            duplicates=self.duplicates.report(),
            spans=[SpanCount(span=span, version=version, rows=self.spans[span]) for span, version in spans],
            digest=f"{self.digest % (1 << 64):016x}",
        )

    def _keep_first_labels(self) -> None:
        # One of the first labels of all files is one of the first of its own file, so no part has dropped it.
        if len(self.labels) > MOST_LABELS:
            by_first = sorted(self.labels.items(), key=lambda item: (item[1].first, item[0]))
            self.labels = dict(by_first[:MOST_LABELS])
