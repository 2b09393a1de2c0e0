"""Trial of a configuration before it is written: all rows, read by the pipeline's own reader."""

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from components.data_gate.settings import DataGateSettings
from components.example_gen.formats.opening import open_table
from components.example_gen.formats.rows import Reason, Rejected, Row
from components.example_gen.formats.values import printable
from components.example_gen.oddities import describe_oddities
from components.example_gen.parsing.labels import read_label_names
from components.example_gen.parsing.row_parser import LabelledText, make_row_parser
from components.example_gen.settings import ExamplesSettings
from components.example_gen.sources.settings import SPLITS
from components.example_gen.splitting import Splitter, stable_hash
from schema.errors import Refused
from schema.visible import in_one_line

_MOST_TEXTS = 1_000_000  # compared to find copies
_MOST_REASONS = 3
_MOST_CHARACTERS = 160  # of an explanation
_MOST_NAMED = 3
_LONG_FORM = 0.05  # share of rows that are copies with another single label, from which on it is no accident
_LEAST_LONG = 5
_FEW_ROWS = 20  # fewer prove nothing
_MANY_CONTRADICTORY = 0.2  # share of the texts in several rows


@dataclass
class Trial:
    """Result of a trial.

    Attributes:
        accepted: Number of rows that become examples.
        rejected: Rows that do not, by explanation.
        lines: First line of each explanation.
        labels: Number of rows by label.
        splits: Number of rows by label and split.
        swallowed: Lines that look like rows, but are within quotes.
        several: Number of rows with more than one label.
        copies: Different sets of labels, and rows, by text.
        keys: Key of the text, line and number of rows, by id, of the first row with the id.
        edited: Lines of rows with another text than the first row with their id, and of that row.
        unknown: Number of rows by label of which nobody knows whether they have it.
        unlabelled: Number of rows of which nothing is known, which a run leaves out.
    """

    accepted: int = 0
    rejected: Counter[str] = field(default_factory=Counter)
    lines: dict[str, int] = field(default_factory=dict)
    labels: Counter[str] = field(default_factory=Counter)
    splits: dict[str, Counter[str]] = field(default_factory=lambda: defaultdict(Counter))
    swallowed: int = 0
    several: int = 0
    copies: dict[int, tuple[frozenset[int], int]] = field(default_factory=dict)
    keys: dict[int, tuple[int, int, int]] = field(default_factory=dict)
    edited: list[tuple[int, int]] = field(default_factory=list)
    unknown: Counter[str] = field(default_factory=Counter)
    unlabelled: int = 0

    @property
    def rows(self) -> int:
        """Number of all rows."""
        return self.accepted + self.rejected.total() + self.unlabelled

    def add(self, parsed: LabelledText, split: str, text_key: int, row: Row) -> None:
        """Count a row that becomes an example."""
        self.accepted += 1
        self.swallowed += row.swallowed
        self._add_key(stable_hash(parsed.id), text_key, row.line)
        self.several += len(parsed.labels) > 1
        for label in parsed.labels:
            self.labels[label] += 1
            self.splits[label][split] += 1
        self.unknown.update(parsed.unknown)
        if parsed.unknown:
            return  # no copy contradicts what nobody knows
        if text_key in self.copies or len(self.copies) < _MOST_TEXTS:
            sets, rows = self.copies.get(text_key, (frozenset(), 0))
            self.copies[text_key] = (sets | {stable_hash("\n".join(sorted(parsed.labels)))}, rows + 1)

    def _add_key(self, key: int, text_key: int, line: int) -> None:
        if key not in self.keys and len(self.keys) >= _MOST_TEXTS:
            return
        first_text, first_line, rows = self.keys.get(key, (text_key, line, 0))
        self.keys[key] = first_text, first_line, rows + 1
        if text_key != first_text:
            self.edited.append((line, first_line))

    def reject(self, row: Rejected) -> None:
        """Count a row that does not."""
        if row.reason is Reason.NOT_LABELLED:
            self.unlabelled += 1
            return
        explanation = in_one_line(row.explanation[:_MOST_CHARACTERS])
        self.rejected[explanation] += 1
        self.lines.setdefault(explanation, row.line)

    def describe_rejected(self, data: Path) -> str:
        """Return the commonest explanations, with the number of rows and the first line of each."""
        commonest = self.rejected.most_common(_MOST_REASONS)
        more = f" and {len(self.rejected) - _MOST_REASONS} more reasons" if len(self.rejected) > _MOST_REASONS else ""
        return (
            ", ".join(f"{count} x {reason} (first at {data.name}:{self.lines[reason]})" for reason, count in commonest)
            + more
        )

    def describe_edited(self, key: str) -> str:
        """Return which rows have another text than the first row with their key."""
        line, first = self.edited[0]
        count = f"{row_count(len(self.edited))} {'has' if len(self.edited) == 1 else 'have'}"
        same = f"the same '{printable(key)}'"
        return f"{count} another text than the first row with {same}, such as line {line} than line {first}"

    def contradictory_texts(self) -> tuple[int, int]:
        """Return the number of texts that are in several rows, and of those whose rows have different labels."""
        copied = [sets for sets, rows in self.copies.values() if rows > 1]
        return len(copied), sum(len(sets) > 1 for sets in copied)

    @property
    def is_long_form(self) -> bool:
        """True if there is a row per text and label: copies have other labels, and no row has several."""
        copied, contradictory = self.contradictory_texts()
        return not self.several and contradictory >= max(_LEAST_LONG, _LONG_FORM * self.accepted, 0.9 * copied)

    @property
    def has_repeated_ids(self) -> bool:
        """True if most texts that are in several rows have one id there, so that rows belong together by their ids."""
        _, contradictory = self.contradictory_texts()
        return sum(rows > 1 for *_, rows in self.keys.values()) >= max(1, contradictory / 2)

    @property
    def gives_every_label(self) -> bool:
        """True if each text has a row for every label, so that merging them would give all labels to all texts."""
        return len(self.labels) > 1 and min(self.labels.values()) >= len(self.copies) > 1

    def warnings(self, names: Sequence[str], examples: ExamplesSettings) -> list[str]:
        """Return a sentence for each thing that a person should look at.

        Args:
            names: The label list.
            examples: Settings; where copies of a text become one example, they are nothing to look at.
        """
        merged = examples.copies == "merge"
        copied, contradictory = (0, 0) if merged else self.contradictory_texts()
        rows = len(self.copies) if merged else self.accepted
        found = describe_oddities(self.labels, rows, copied, contradictory, {} if merged else self.unknown)
        is_told = any("several rows" in each for each in found)
        if contradictory >= max(_LEAST_LONG, _MANY_CONTRADICTORY * copied) and not is_told:
            found += [f"{contradictory} of {copied} texts that are in several rows have other labels in some of them"]
        if examples.merge_by is not None and self.edited:
            found.append(f"{self.describe_edited(examples.merge_by)}, and would be left out")
        elif examples.id is not None and self.edited:
            found.append(self.describe_edited(examples.id))
        if absent := [name for name in names if not self.labels[name]]:
            found.append(f"no row has the label {_named(absent)}")
        if self.swallowed:
            found.append(
                f"{self.swallowed} lines look like rows, but are within quotes: if these are ordinary characters, set"
                " examples.quoting to false"
            )
        for split in SPLITS[1:]:
            without = sorted(label for label in self.labels if self.labels[label] and not self.splits[label][split])
            if without:
                found.append(
                    f"{len(without)} of {len(names)} labels have no row in {split}: {_named(without)};"
                    " examples.split_by: stratified shares rare labels out"
                )
        return found


def _named(labels: Sequence[str]) -> str:
    more = ", ..." if len(labels) > _MOST_NAMED else ""
    return ", ".join(f"'{printable(label)}'" for label in labels[:_MOST_NAMED]) + more


def try_rows(data: Path, settings: ExamplesSettings) -> Trial:
    """Read all rows as a run would.

    Raises:
        Refused: A column or the list of labels is missing.
    """
    trial = Trial()
    splitter = Splitter(settings, settings.inputs[0])
    columns, objects = settings.used_columns, settings.object_columns
    with open_table(str(data), settings, data.name, columns=columns, objects=objects) as table:
        names = read_label_names(settings.labels, settings.input_base)
        parser = make_row_parser(table.columns, settings, None, names, data.name, table.others)
        for row in table.rows:
            if isinstance(row, Rejected):
                trial.reject(row)
                continue
            parsed = parser.parse(row)
            if isinstance(parsed, Rejected):
                trial.reject(parsed)
            else:
                assignment = splitter.assign(parsed)
                trial.add(parsed, SPLITS[assignment.split], assignment.text_key, row)
    return trial


def row_count(count: int) -> str:
    """Return a number of rows in words."""
    return f"{count} row" if count == 1 else f"{count} rows"


def refuse_contradictions(trial: Trial, data: Path, remedies: Mapping[str, str]) -> None:
    """Refuse a reading that its own rows contradict.

    Args:
        trial: Result of reading all rows.
        data: File, for messages.
        remedies: What to do about rows that cannot be read, by the beginning of their explanation.

    Raises:
        Refused: More rows cannot be read, or may have been swallowed by quotes, than a run allows; or all rows have the
            same text.
    """
    bound = DataGateSettings().quarantined
    if trial.rejected.total() > bound * trial.rows:
        commonest = trial.rejected.most_common(1)[0][0]
        remedy = next((text for start, text in remedies.items() if commonest.startswith(start)), "correct these rows")
        raise Refused(
            f"{data}: {trial.rejected.total()} of {row_count(trial.rows)} cannot be read, more than a run allows"
            f" ({bound:.0%}): {trial.describe_rejected(data)}; {remedy}"
        )
    if len(trial.copies) == 1 and trial.accepted >= _FEW_ROWS and not trial.unknown:
        raise Refused(f"{data}: all rows have the same text; name the column of the texts by --text")
    if trial.swallowed > bound * (trial.rows + trial.swallowed):
        raise Refused(
            f"{data}: {trial.swallowed} lines look like rows, but are within quotes, as part of the row before; if"
            " quotes are ordinary characters, remove them, or correct the rows"
        )
