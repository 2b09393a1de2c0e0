"""Asks the exported model, as a server would, everything that the behavioural tests want to know."""

import hashlib
import heapq
from collections.abc import Iterator, Sequence

import numpy as np
import tensorflow as tf
import tensorflow_text  # noqa: F401 - registers the tokenizer's operations

from components.behaviour.cases import EditCase, Question, edit_cases, text_cases
from components.behaviour.judge import Answers, judge_edits, judge_texts
from components.behaviour.results import Results
from components.behaviour.settings import BehaviourTests
from components.common.files import escape_glob, list_files
from components.common.progress import PROGRESS
from components.registry import ModelRecord
from schema.features import ID, TEXT, TEXT_PAIR

_BATCH = 256


def judge_model(model_dir: str, test_split: str, tests: BehaviourTests) -> Results:
    """Runs all tests.

    Args:
        model_dir: A SavedModel as the Trainer exports it, with model.json.
        test_split: The folder of the test split's raw tf.Examples; read only if a group asks for texts of it.
        tests: What to ask.
    """
    if not tests.texts and not tests.edits:
        return Results()
    rows = read_texts(test_split, tests.test_texts, tests.seed) if tests.test_texts else []
    texts = [(group, text_cases(group, tests)) for group in tests.texts]
    edits = [(group, edit_cases(group, tests, rows)) for group in tests.edits]
    questions = [case.question for _, cases in texts for case in cases]
    questions += [question for _, cases in edits for case in cases for question in _both(case)]
    answers = ask(model_dir, questions)
    return Results(
        groups=[
            *(judge_texts(group, cases, answers) for group, cases in texts),
            *(judge_edits(group, cases, answers) for group, cases in edits),
        ]
    )


def ask(model_dir: str, questions: Sequence[Question]) -> Answers:
    """Runs the `serve_text` signature over the questions, each text once, in batches."""
    model = tf.saved_model.load(model_dir)
    serve = model.signatures["serve_text"]
    distinct = list(dict.fromkeys((question.text, question.text_pair) for question in questions))
    probabilities: dict[tuple[str, str | None], np.ndarray] = {}
    for start in range(0, len(distinct), _BATCH):
        batch = distinct[start : start + _BATCH]
        columns = {"texts": tf.constant([text for text, _ in batch])}
        if batch[0][1] is not None:
            columns["text_pairs"] = tf.constant([pair for _, pair in batch])
        served = serve(**columns)["probabilities"].numpy()
        probabilities |= dict(zip(batch, served, strict=True))
        PROGRESS.info("%d of %d texts", min(start + _BATCH, len(distinct)), len(distinct))
    return Answers(ModelRecord.read(model_dir), probabilities)


def read_texts(split: str, most: int, seed: int) -> list[Question]:
    """Some different texts of a split, by the hash of what they say: the same ones in whatever order the rows come.

    Args:
        split: The folder of its raw tf.Examples.
        most: So many; all, if there are no more. They come in an order of their own, of which any beginning is as good
            a choice.
        seed: Another one chooses others.
    """
    chosen: dict[bytes, Question] = {}
    for question in _questions_in(split):
        key = hashlib.sha256("\0".join((str(seed), question.text, question.text_pair or "")).encode()).digest()
        # Of copies the first id, so that a failure names the same row on every run.
        chosen[key] = min(question, chosen.get(key, question), key=lambda copy: copy.row or "")
        if len(chosen) > 2 * most:
            chosen = dict(heapq.nsmallest(most, chosen.items()))
    return [question for _, question in sorted(chosen.items())[:most]]


def _questions_in(split: str) -> Iterator[Question]:
    files = list_files(f"{escape_glob(split)}/*")
    for record in tf.data.TFRecordDataset(files, compression_type="GZIP").as_numpy_iterator():
        feature = tf.train.Example.FromString(record).features.feature
        row, text, *pair = (
            feature[name].bytes_list.value[0].decode() for name in (ID, TEXT, TEXT_PAIR) if name in feature
        )
        yield Question(text, pair[0] if pair else None, row)


def _both(case: EditCase) -> tuple[Question, Question]:
    return case.original, case.edited
