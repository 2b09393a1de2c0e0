"""A review: a folder with texts to label, as tasks of Label Studio and as a table."""

import csv
import io
import json
from collections.abc import Sequence
from typing import ClassVar

from components.common.files import make_private_folder, write_whole
from components.common.record import Record
from schema.errors import Refused
from serving.review.label_studio import labelling_configuration, to_task, variables_of
from serving.review.sampling import Chosen

TASKS_FILE, CONFIGURATION_FILE, TABLE_FILE = "tasks.json", "labelling.xml", "tasks.csv"


class Review(Record):
    """Texts to label, drawn from what a model has scored.

    Attributes:
        texts: Number of texts.
        models: Versions of the models that scored them.
        questions: Number of questions by label, the most frequent first.
    """

    FILE: ClassVar = "review.json"

    texts: int
    models: list[str]
    questions: dict[str, int]


def write_review(folder: str, chosen: Sequence[Chosen]) -> Review:
    """Write texts to label into a folder.

    The table is for people without Label Studio: they correct its column `labels`, and write yes into `done`.

    Raises:
        Refused: There are no texts.
    """
    if not chosen:
        raise Refused(
            f"{folder}: no text is near a threshold, so nothing is written; give a larger --band, or more scores"
        )
    labels = sorted({label for text in chosen for label in text.judge.labels})
    configuration = labelling_configuration(labels, pairs=any(text.text_pair is not None for text in chosen))
    make_private_folder(folder)
    variables = variables_of(labels)
    tasks = [to_task(text, variables) for text in chosen]
    write_whole(
        f"{folder}/{TASKS_FILE}",
        json.dumps(tasks, ensure_ascii=False, indent=1).encode("utf-8", "replace"),
        private=True,
    )
    write_whole(f"{folder}/{CONFIGURATION_FILE}", configuration.encode())
    write_whole(f"{folder}/{TABLE_FILE}", _table(chosen).encode("utf-8", "replace"), private=True)
    counts: dict[str, int] = {}
    for text in chosen:
        for label in text.asked:
            counts[label] = counts.get(label, 0) + 1
    review = Review(
        texts=len(chosen),
        models=list(dict.fromkeys(text.judge.name for text in chosen)),
        questions=dict(sorted(counts.items(), key=lambda item: -item[1])),
    )
    review.write(folder)
    return review


def _table(chosen: Sequence[Chosen]) -> str:
    stream = io.StringIO(newline="")
    has_pairs = any(text.text_pair is not None for text in chosen)
    has_slices = any(text.slices for text in chosen)
    names = ["row", "text", *(["text_pair"] if has_pairs else []), *(["slices"] if has_slices else []), "asked"]
    names += ["labels", "probabilities", "done"]
    writer = csv.DictWriter(stream, names, extrasaction="ignore")
    writer.writeheader()
    for text in chosen:
        as_json = {
            "asked": list(text.asked), "labels": list(text.given), "probabilities": text.probabilities,
            "slices": dict(text.slices),
        }  # fmt: skip
        columns = {name: json.dumps(value, ensure_ascii=False) for name, value in as_json.items()}
        writer.writerow({"row": text.id, "text": text.text, "text_pair": text.text_pair, "done": "", **columns})
    return stream.getvalue()
