"""Writing of a project: the schema and the configuration of a data file, which run as they are."""

import glob
import json
import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import yaml
from pydantic import ValidationError

from cli.init.columns import OtherColumns, choose_columns
from cli.init.dialect import Dialect, find_dialect
from cli.init.header import refuse_data_as_header
from cli.init.hints import NO_HINTS, Hints
from cli.init.judge import STAR, choose_labels
from cli.init.reading import LabelReading
from cli.init.survey import Column, survey
from cli.init.trial import Trial, refuse_contradictions, row_count, try_rows
from components.common.validation import explain
from components.data_gate.settings import DataGateSettings
from components.example_gen.formats.formats import format_of_file
from components.example_gen.formats.rows import Reason
from components.example_gen.formats.values import printable
from components.example_gen.parsing.settings import UNCERTAIN, IndicatorLabels, PositionalLabels
from components.example_gen.settings import ExamplesSettings
from pipeline.config.json_schema import json_schema
from schema.errors import Refused
from schema.infer import infer_schema, schema_text

_JSON_SCHEMA = "pipeline.schema.json"
_HEAD = f"""\
# yaml-language-server: $schema={_JSON_SCHEMA}
# Inferred from the data; please review. Paths are relative to this file. An editor with a YAML language server explains
# and completes the keys; `bert-multilabel config show --config FILE` lists all of them.
"""


_GATES = ("macro_f1 >= 0.3", "f1[*] >= 0.05 where support >= 30", "macro_f1 >= baseline - 0.01")
_ABOUT_GATES = """\
# A model is pushed if it passes every gate. These are lenient, for the first run, which shows what each label reaches:
# then raise the bounds to a little below that. f1[*] is every label with that many rows in the test split; give a label
# that matters a gate of its own, such as f1[NAME] >= 0.6. "baseline" is the model in service.
"""
_ALWAYS_WRITTEN = ("format", "text", "labels", "inputs")
_MOST_LABELS_SHOWN = 10
_MOST_COLUMNS_SHOWN = 8
_FEW_ROWS = 20  # fewer prove nothing
_REMEDIES = {
    f"{Reason.NOT_0_OR_1}: '' in": "if a blank means no, write 0 in its place",
    str(Reason.NOT_0_OR_1): "leave these rows out, correct them, or name the columns of the labels by --labels",
    str(Reason.INVALID_UTF8): "save the file as UTF-8, or name its encoding by --encoding",
    str(Reason.WRONG_FIELDS): "correct these rows, or name the character between fields by --separator",
    str(Reason.MALFORMED_QUOTE): "correct the quotes",
    str(Reason.UNTERMINATED_QUOTE): "correct the quotes",
    str(Reason.BLANK_TEXT): "name the column of the texts by --text, or leave these rows out",
    str(Reason.BLANK_ID): "fill the ids (in pandas, merged cells by df.ffill()), or rename the column",
    str(Reason.MISSING_FIELD): "write the field in every row: [] or null for none",
    str(Reason.NOT_A_VECTOR): "correct these rows; all vectors have one length",
    str(Reason.NOT_A_LIST): "write whole lists, such as by json.dumps; Excel cuts cells after 32,767 characters",
    f"{Reason.NOT_JSON}: NaN": "write null in its place",
    f"{Reason.NOT_JSON}: Infinity": "write null in its place",
}


@dataclass(frozen=True)
class Project:
    """Project written for a data file.

    Attributes:
        schema: Path of the schema.
        configuration: Path of the configuration.
        dialect: Dialect of the file.
        columns: Columns beside the labels.
        labels: Chosen reading of the labels.
        trial: Result of reading all rows with the configuration.
        data: The file.
        examples: Settings that are written.
    """

    schema: Path
    configuration: Path
    dialect: Dialect
    columns: OtherColumns
    labels: LabelReading
    trial: Trial
    data: Path
    examples: ExamplesSettings

    @property
    def slices(self) -> Sequence[str]:
        """Columns to evaluate slices by."""
        return self.columns.slices

    def describe(self) -> str:
        """Return what was found and written, a line each."""
        trial, names = self.trial, self.labels.names
        counts = ", ".join(f"{printable(name)} ({trial.labels[name]})" for name in names[:_MOST_LABELS_SHOWN])
        more = ", ..." if len(names) > _MOST_LABELS_SHOWN else ""
        slices = ", ".join(map(printable, self.slices)) or "none"
        number = f"{len(names)} {'label' if len(names) == 1 else 'labels'}"
        labels = _join(self.labels.settings.label_columns)
        found = f"{row_count(trial.accepted)}; text in '{printable(self.columns.text)}'; {number}: {counts}{more}"
        form = f"{self.labels.form} in '{labels}' ({_OTHER_OPTIONS} read others)"
        lines = [f"{found}; slices: {slices}", f"Labels: {form}"]
        lines += [f"Could also be: {reading.describe()}" for reading in self.labels.others[:_MOST_OTHERS_SHOWN]]
        lines += [f"File: {note}" for note in self.dialect.notes]
        lines += self._describe_merging()
        lines += self._describe_unknown()
        if trial.rejected:
            rows, why = row_count(trial.rejected.total()), trial.describe_rejected(self.data)
            lines.append(f"{rows} cannot be read and would be left out: {why}")
        if self.columns.left_out:
            left_out = [f"'{printable(name)}' {reason}" for name, reason in self.columns.left_out.items()]
            more = ", ..." if len(left_out) > _MOST_COLUMNS_SHOWN else ""
            lines.append(f"Left out: {', '.join(left_out[:_MOST_COLUMNS_SHOWN])}{more}")
        lines += self._describe_partly_flags()
        lines += [f"Warning: {warning}" for warning in trial.warnings(names, self.examples)]
        return "\n".join([*lines, f"Wrote {self.schema} and {self.configuration}"])

    def _describe_partly_flags(self) -> list[str]:
        """Return which columns have 0 and 1 in some rows, if labels are columns of 0 and 1."""
        found = self.columns.partly_flags
        if not found or not isinstance(self.labels.settings, IndicatorLabels):
            return []
        named = ", ".join(f"'{printable(name)}' (in {row_count(count)})" for name, count in found.items())
        return [f"No labels, since they have other values beside 0 and 1: {named}; --labels says otherwise"]

    def _describe_merging(self) -> list[str]:
        """Return which rows become one example, if any do."""
        if self.examples.copies != "merge":
            return []
        texts, key = self.trial.contradictory_texts()[1], self.examples.merge_by
        same = "text" if key is None else f"'{printable(key)}'"
        setting = "examples.copies: merge" if key is None else f"examples.merge_by: {printable(key)}"
        sentence = (
            f"Rows: one per text and label ({texts} texts are in several rows, with another label in each): rows"
            f" with the same {same} become one example ({setting}); --label-kind single keeps them apart"
        )
        return [sentence]

    def _describe_unknown(self) -> list[str]:
        """Return what is taken for unknown and for soft labels, and what to do if it means something else."""
        trial, settings = self.trial, self.labels.settings
        left_out = "1 row without any known label is left out" if trial.unlabelled == 1 else ""
        if trial.unlabelled > 1:
            left_out = f"{trial.unlabelled} rows without any known label are left out"
        if not isinstance(settings, UNCERTAIN):
            return [f"Unknown: {left_out}"] if left_out else []
        soft = (
            "Soft: values between 0 and 1 are taken for the share of annotators who gave a label; from"
            f" {settings.cut} on it counts as given in metrics (examples.labels.cut)"
        )
        found = [soft] if settings.soft else []
        if not settings.unknown:
            return [*found, *([f"Unknown: {left_out}"] if left_out else [])]
        values = " or ".join(f"'{printable(value)}'" if value else "a blank" for value in settings.unknown)
        named = trial.unknown.most_common(_MOST_LABELS_SHOWN)
        rows = ", ".join(f"{printable(name)} in {count} rows" for name, count in named)
        where = f" ({rows})" if rows else ""
        sentence = (
            f"Unknown: {values} beside yes and no is taken for a label that nobody knows{where}"
            f"{f'; {left_out}' if left_out else ''}. If it means no, write 0 in its place and remove"
            " examples.labels.unknown"
        )
        return [*found, sentence]


_OTHER_OPTIONS = "--labels, --delimiter and --label-kind"
_MOST_OTHERS_SHOWN = 2


def _join(names: Sequence[str]) -> str:
    more = ", ..." if len(names) > _MOST_COLUMNS_SHOWN else ""
    return ", ".join(map(printable, names[:_MOST_COLUMNS_SHOWN])) + more


def write_project(data: Path, output: Path, hints: Hints = NO_HINTS) -> Project:
    """Infer the columns of a data file, and write schema.pbtxt, pipeline.yaml and the JSON Schema of the latter.

    Nothing is written unless the pipeline's own reader can read the file with the configuration.

    Args:
        data: File in one of the input formats, which its name tells.
        output: Folder to write to; it is created if it does not exist.
        hints: What need not be inferred.

    Raises:
        AmbiguousError: The file can be read in several ways.
        Refused: There is no such file, it cannot be read, its columns cannot be told apart, or `output` already holds
            a schema or a configuration.
    """
    schema_file, configuration = output / "schema.pbtxt", output / "pipeline.yaml"
    for path in (schema_file, configuration):
        if path.exists():
            raise Refused(f"{path}: exists already; remove it, or give another --output")
    if not data.is_file():
        raise Refused(f"{data}: {'is a folder; name a file in it' if data.is_dir() else 'no such file'}")
    file_format = format_of_file(str(data))
    dialect = find_dialect(data, file_format, hints)
    provisional = _provisional_settings(data, file_format.name, dialect)
    surveyed = survey(data, provisional)
    if file_format.has_header and hints.columns is None:
        refuse_data_as_header(data, surveyed.columns, surveyed.rows, surveyed.width)
    labels = choose_labels(surveyed.columns, hints, provisional)
    columns = choose_columns(surveyed.columns, hints, labels.settings.label_columns)
    examples = _settings(
        data,
        provisional.model_dump()
        | {"id": columns.id, "text": columns.text, "labels": labels.settings.model_dump(), "slices": columns.slices},
    )
    trial = try_rows(data, examples)
    refuse_contradictions(trial, data, _REMEDIES)
    if trial.is_long_form and hints.label_kind is None:
        _refuse_verdicts(data, surveyed.columns, labels, hints, trial, columns.text)
        examples = _merged(data, examples, trial)
    labels = replace(labels, names=_names_in_use(labels, trial))
    output.mkdir(parents=True, exist_ok=True)
    schema_file.write_text(schema_text(infer_schema(labels.names, columns.slices)), encoding="utf-8")
    configuration.write_text(_configuration(_pipeline_name(data), examples, columns.slices), encoding="utf-8")
    (output / _JSON_SCHEMA).write_text(f"{json.dumps(json_schema(), indent=1)}\n", encoding="utf-8")
    return Project(schema_file, configuration, dialect, columns, labels, trial, data, examples)


def _merged(data: Path, examples: ExamplesSettings, trial: Trial) -> ExamplesSettings:
    """Return settings that make one example of the rows with the same id, or else with the same text.

    Raises:
        Refused: More rows than a run allows have another text than the first row with their id.
    """
    if examples.id is None or not trial.has_repeated_ids:
        return examples.model_copy(update={"copies": "merge"})
    if len(trial.edited) > DataGateSettings().quarantined * trial.accepted:
        raise Refused(
            f"{data}: there is a row per text and label, but {trial.describe_edited(examples.id)}; correct these texts,"
            f" or remove the column '{printable(examples.id)}' to make one example of the rows with the same text"
        )
    return examples.model_copy(update={"copies": "merge", "merge_by": examples.id})


def _refuse_verdicts(
    data: Path, columns: Sequence[Column], labels: LabelReading, hints: Hints, trial: Trial, text: str
) -> None:
    """Refuse rows in long form if a further column seems to say whether the text has the label of the row.

    Raises:
        Refused: There is such a column, or each text has a row for every label.
    """
    (label,) = labels.settings.label_columns
    verdicts = [column.name for column in columns if column.name != label and (column.is_indicator or column.is_share)]
    if not trial.gives_every_label and (not verdicts or hints.labels is not None):
        return
    why = "each text has a row for every label" if trial.gives_every_label else "there is a row per text and label"
    if not verdicts:
        raise Refused(f"{data}: {why}, so that all labels would be given to all texts; name other labels by --labels")
    value = printable(verdicts[0])
    keep = "" if trial.gives_every_label else f"; if it does not, say so by --labels {printable(label)}"
    raise Refused(
        f"{data}: {why}, and column '{value}' seems to say whether the text has it: write one column per label, by"
        f" pandas: df.pivot_table(index='{printable(text)}', columns='{printable(label)}', values='{value}')"
        f".reset_index(){keep}"
    )


def _names_in_use(labels: LabelReading, trial: Trial) -> Sequence[str]:
    """Return the label list, with labels that only the pipeline's reader found, and without those it never gives."""
    if labels.is_complete or isinstance(labels.settings, IndicatorLabels | PositionalLabels):
        if "*" in labels.names:
            raise Refused(STAR)
        return labels.names
    if not trial.labels and trial.unlabelled and not trial.accepted:
        raise Refused(
            f"no row is labelled yet: column '{printable(labels.settings.label_columns[0])}' holds no annotation; name"
            " another by --labels"
        )
    if trial.labels and min(trial.labels.values()) == trial.accepted >= _FEW_ROWS:
        first = printable(next(iter(trial.labels)))
        if len(trial.labels) == 1:
            what, remedy = f"the only label, '{first}'", "add rows without it"
        else:
            what = f"every label ('{first}' and {len(trial.labels) - 1} more)"
            remedy = "if another column says how sure each is, leave out those that are not"
        raise Refused(
            f"every row has {what}, so that there is nothing to learn; {remedy}, or name another column by --labels"
        )
    if not trial.labels:
        raise Refused(
            f"column '{printable(labels.settings.label_columns[0])}' holds no label; name another by --labels"
        )
    if "*" in trial.labels:
        raise Refused(STAR)
    return sorted(trial.labels)


def _provisional_settings(data: Path, file_format: str, dialect: Dialect) -> ExamplesSettings:
    """Return settings to read the file with before the columns of text and labels are known."""
    columns = dialect.settings.get("columns")
    return _settings(
        data,
        {
            "input_base": str(data.resolve().parent),
            "format": file_format,
            "text": columns[0] if columns else "text",
            "labels": {"kind": "columns", "columns": [columns[-1] if columns else "labels"]},
            "inputs": [{"pattern": _pattern(data), "split": {"train": 8, "eval": 1, "test": 1}}],
            **dialect.settings,
        },
    )


def _settings(data: Path, content: dict[str, Any]) -> ExamplesSettings:
    """Return settings.

    Raises:
        Refused: They are contradictory, such as columns that are named twice.
    """
    try:
        return ExamplesSettings.model_validate(content)
    except ValidationError as error:
        raise Refused(f"{data}: {explain(error, ExamplesSettings).message}") from None


def _pattern(data: Path) -> str:
    """Return a pattern that matches the file alone; braces, which would name spans, become question marks.

    Raises:
        Refused: Another file beside it matches too.
    """
    pattern = glob.escape(data.name)
    if "{" not in pattern:
        return pattern
    pattern = pattern.replace("{", "?").replace("}", "?")
    matching = [path for path in data.resolve().parent.glob(pattern) if path.is_file()]
    if len(matching) > 1:
        raise Refused(f"{data}: a pattern cannot have braces, and without them it matches other files too; rename it")
    return pattern


def _pipeline_name(data: Path) -> str:
    stem = re.sub(r"[^a-z0-9]+", "-", data.name.lower().split(".")[0]).strip("-")
    return stem[:40].strip("-") or "pipeline"


def _configuration(name: str, examples: ExamplesSettings, slices: Sequence[str]) -> str:
    content = {
        "name": name,
        "work_dir": f"runs/{name}",
        "schema_file": "schema.pbtxt",
        "registry": f"runs/{name}/registry",
        "examples": _used(examples),
    }
    evaluation = {"evaluation": {**({"slices": list(slices)} if slices else {}), "gates": list(_GATES)}}
    return _HEAD + _yaml(content) + _ABOUT_GATES + _yaml(evaluation)


def _used(examples: ExamplesSettings) -> dict[str, Any]:
    """Return the settings that differ from the defaults, and those that say how the file is read."""
    whole = examples.model_dump(mode="json")
    chosen = examples.model_dump(mode="json", exclude_defaults=True)
    return {key: chosen.get(key, whole[key]) for key in whole if key in chosen or key in _ALWAYS_WRITTEN}


def _yaml(content: dict[str, Any]) -> str:
    return str(yaml.safe_dump(content, sort_keys=False, allow_unicode=True, width=110))
