"""Executor of `BehaviouralTests`."""

import hashlib
import heapq
from collections.abc import Iterator
from typing import Any

import tensorflow as tf
from tfx import types
from tfx.dsl.components.base import base_executor
from tfx.types import artifact_utils
from tfx.types.standard_component_specs import EXAMPLES_KEY, MODEL_KEY
from tfx.utils import path_utils

from components.behaviour.answers import ask_model
from components.behaviour.cases import Question, edit_cases, text_cases
from components.behaviour.judge import judge_edits, judge_texts
from components.behaviour.results import Results
from components.behaviour.settings import BehaviourTests
from components.common.files import escape_glob, list_files
from schema.features import ID, TEXT, TEXT_PAIR

RESULTS_KEY = "results"
SETTINGS_KEY = "settings"
_SPLIT = "test"


class Executor(base_executor.BaseExecutor):  # type: ignore[misc]
    """Tester of an exported model."""

    def Do(  # noqa: N802 - TFX's name
        self,
        input_dict: dict[str, list[types.Artifact]],
        output_dict: dict[str, list[types.Artifact]],
        exec_properties: dict[str, Any],
    ) -> None:
        results = run_tests(
            path_utils.serving_model_path(artifact_utils.get_single_uri(input_dict[MODEL_KEY])),
            artifact_utils.get_split_uri(input_dict[EXAMPLES_KEY], _SPLIT),
            BehaviourTests.model_validate_json(exec_properties[SETTINGS_KEY]),
        )
        results.write(artifact_utils.get_single_uri(output_dict[RESULTS_KEY]))


def run_tests(model_dir: str, test_split: str, tests: BehaviourTests) -> Results:
    """Run all tests on a model.

    Args:
        model_dir: SavedModel as the Trainer exports it, with model.json.
        test_split: Folder of the test split's raw tf.Examples; read only if a group uses texts of it.
        tests: The tests.
    """
    if not tests.texts and not tests.edits:
        return Results()
    rows = sample_texts(test_split, tests.test_texts, tests.seed) if tests.test_texts else []
    texts = [(group, text_cases(group, tests)) for group in tests.texts]
    edits = [(group, edit_cases(group, tests, rows)) for group in tests.edits]
    questions = [case.question for _, cases in texts for case in cases]
    questions += [question for _, cases in edits for case in cases for question in (case.original, case.edited)]
    answers = ask_model(model_dir, questions)
    return Results(
        groups=[
            *(judge_texts(group, cases, answers) for group, cases in texts),
            *(judge_edits(group, cases, answers) for group, cases in edits),
        ]
    )


def sample_texts(split: str, size: int, seed: int) -> list[Question]:
    """Draw distinct texts of a split by the hash of their contents, whatever the order of its rows.

    Args:
        split: Folder of the split's raw tf.Examples.
        size: Number of texts; all if the split has fewer.
        seed: Seed of the draw.

    Returns:
        The texts in an order of their own, of which every beginning is an equally good sample.
    """
    chosen: dict[bytes, Question] = {}
    for question in _read_questions(split):
        key = hashlib.sha256("\0".join((str(seed), question.text, question.text_pair or "")).encode()).digest()
        # Of duplicates, keep the first id, so that a failure names the same row on every run.
        chosen[key] = min(question, chosen.get(key, question), key=lambda duplicate: duplicate.row or "")
        if len(chosen) > 2 * size:
            chosen = dict(heapq.nsmallest(size, chosen.items()))
    return [question for _, question in sorted(chosen.items())[:size]]


def _read_questions(split: str) -> Iterator[Question]:
    files = list_files(f"{escape_glob(split)}/*")
    for record in tf.data.TFRecordDataset(files, compression_type="GZIP").as_numpy_iterator():
        feature = tf.train.Example.FromString(record).features.feature
        row, text, *pair = (
            feature[name].bytes_list.value[0].decode() for name in (ID, TEXT, TEXT_PAIR) if name in feature
        )
        yield Question(text, pair[0] if pair else None, row)
