"""Label Studio's formats: a labelling configuration, tasks with predictions, and exports with answers.

https://labelstud.io/guide/tasks.html, /guide/predictions.html and /guide/export.html describe them. A task's id in an
export is Label Studio's own, so that the id of a text is `row` in the task's data.
"""

import csv
import io
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any
from xml.sax.saxutils import quoteattr

from components.common.files import read_bytes
from schema.errors import Refused
from serving.review.sampling import Chosen

_CONTROL, _OBJECT, _SLICES = "labels", "text", "slices"


@dataclass(frozen=True)
class Answer:
    """What one person said about one text.

    Attributes:
        row: Id of the text.
        text: The text.
        text_pair: The second text; None where single texts are classified.
        asked: Labels that the person was asked about.
        given: Labels that the person gave, also others than those.
        slices: Values of the text by slice column.
    """

    row: str
    text: str
    text_pair: str | None
    asked: tuple[str, ...]
    given: tuple[str, ...]
    slices: Mapping[str, str] = field(default_factory=dict)


def variables_of(labels: Sequence[str]) -> dict[str, str]:
    """Return a variable of the tasks for each label with a `$`, by the variable's name.

    Label Studio replaces `$name` in the value of a choice by the task's data of that name, once. Such a label is
    therefore data itself.

    Example:
        >>> variables_of(["joy", "US$text"])
        {'label_1': 'US$text'}
    """
    return {f"label_{index}": label for index, label in enumerate(labels) if "$" in label}


def labelling_configuration(labels: Sequence[str], *, pairs: bool) -> str:
    """Return the labelling configuration of a project, as XML.

    Args:
        labels: Labels to choose from.
        pairs: Whether pairs of texts are classified.
    """
    variable_of = {label: name for name, label in variables_of(labels).items()}
    choices = "\n".join(
        f'    <Choice value="${variable_of[label]}" alias={quoteattr(label)}/>'
        if label in variable_of
        else f"    <Choice value={quoteattr(label)}/>"
        for label in labels
    )
    second = '  <Text name="text_pair" value="$text_pair"/>\n' if pairs else ""
    return (
        "<View>\n"
        f'  <Text name="{_OBJECT}" value="$text"/>\n'
        f"{second}"
        '  <Header value="$question"/>\n'
        f'  <Filter name="search" toName="{_CONTROL}" minlength="0"/>\n'
        f'  <Choices name="{_CONTROL}" toName="{_OBJECT}" choice="multiple" showInline="true">\n'
        f"{choices}\n"
        "  </Choices>\n"
        "</View>\n"
    )


def to_task(text: Chosen, variables: Mapping[str, str]) -> dict[str, Any]:
    """Return the task of a text, with the labels that the model gives as a prediction.

    Args:
        text: The text.
        variables: Labels that the labelling configuration takes from the task, from `variables_of`.
    """
    question = f"Which of these apply? {', '.join(text.asked)}. Labels that are not in question may be added."
    data = {
        "row": text.id,
        "text": text.text,
        **({} if text.text_pair is None else {"text_pair": text.text_pair}),
        "question": question,
        "asked": list(text.asked),
        "probabilities": text.probabilities,
        **({_SLICES: dict(text.slices)} if text.slices else {}),
        **variables,
    }
    result = {
        "from_name": _CONTROL, "to_name": _OBJECT, "type": "choices", "value": {"choices": list(text.given)},
    }  # fmt: skip
    # A prediction without any choice is none: Label Studio refuses a region without a value.
    predictions = [{"model_version": text.judge.name, "result": [result] if text.given else []}]
    return {"data": data, "predictions": predictions}


def read_answers(path: str) -> list[Answer]:
    """Read an export: JSON, JSON-MIN or CSV, of Label Studio or of its converter; or the table of texts, filled in.

    Tasks that nobody answered, and annotations that were skipped, are left out.

    Raises:
        Refused: The file is not such an export.
    """
    try:
        content = read_bytes(path)
        if path.endswith(".csv"):
            rows: list[Mapping[str, Any]] = list(csv.DictReader(io.StringIO(content.decode("utf-8-sig"), newline="")))
        else:
            rows = json.loads(content)
        if not isinstance(rows, list):
            raise ValueError("not a list of tasks")
        return [answer for row in rows for answer in _answers_of(row)]
    except OSError as error:
        raise Refused(f"{path}: cannot be read ({(error.strerror or str(error)).lower()})") from None
    except (ValueError, KeyError, TypeError, AttributeError, csv.Error, RecursionError) as error:
        reason = f"no {error}" if isinstance(error, KeyError) else " ".join(str(error).split())
        raise Refused(
            f"{path}: is not an export of tasks that `review sample` wrote ({reason}); export as JSON, JSON-MIN or CSV"
        ) from None


def _answers_of(row: Mapping[str, Any]) -> Iterator[Answer]:
    if "annotations" in row:
        data = row["data"]
        for annotation in row["annotations"]:
            if not annotation.get("was_cancelled"):
                chosen = [
                    choice
                    for result in annotation.get("result") or []
                    if result.get("from_name") == _CONTROL
                    for choice in result["value"]["choices"]
                ]
                yield _answer(data, chosen)
    elif "done" in row:  # our own table
        if str(row["done"]).strip().casefold() in ("yes", "y", "x", "1", "true"):
            yield _answer(row, _as_list(row.get(_CONTROL)))
    elif row.get("annotator") not in (None, ""):
        yield _answer(row, _as_list(row.get(_CONTROL)))


def _answer(data: Mapping[str, Any], chosen: Sequence[str]) -> Answer:
    return Answer(
        str(data["row"]), data["text"], data.get("text_pair") or None, tuple(_as_list(data["asked"])),
        tuple(dict.fromkeys(chosen)), _as_values(data.get(_SLICES)),
    )  # fmt: skip


def _as_values(slices: Any) -> dict[str, str]:
    """Return the values by slice column; an export as CSV has them as JSON."""
    values = json.loads(slices) if isinstance(slices, str) and slices else slices or {}
    return {str(name): str(value) for name, value in values.items()}


def _as_list(value: Any) -> list[str]:
    """Return choices as a list; an export writes one as a string, several as {"choices": [...]}, and CSV as JSON."""
    if isinstance(value, str):
        try:
            parsed = json.loads(value)
        except ValueError:
            parsed = value
        value = parsed if isinstance(parsed, list | dict) else value
    if isinstance(value, dict):
        value = value["choices"]
    if isinstance(value, str):
        return [value] if value else []
    return [str(each) for each in value or ()]
