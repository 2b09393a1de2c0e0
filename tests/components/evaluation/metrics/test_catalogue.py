"""The catalogue: declaring a metric is enough for it to be computed, reported, read and gated."""

import dataclasses
from pathlib import Path

import apache_beam as beam
import numpy as np
import numpy.typing as npt
import pytest
import tensorflow_model_analysis as tfma

from components.blessing.judge import judge_gates
from components.evaluation.eval_config import build_eval_config
from components.evaluation.metrics import catalogue
from components.evaluation.metrics.catalogue import METRICS, Metric, ratio
from components.evaluation.metrics.values import Evaluation
from components.evaluation.results import read_evaluation
from components.evaluation.settings import EvaluationSettings
from schema.label_list import LabelList
from tests.components.evaluation import small_model
from tests.components.evaluation.small_model import LABELS, ROWS, THRESHOLDS

# The share of the predictions that are wrong: not in the catalogue.
FALSE_DISCOVERY_RATE = Metric(
    "false_discovery_rate",
    lambda evidence: ratio(evidence.false_positives, evidence.true_positives + evidence.false_positives),
    averages=("macro", "micro", "samples"),
    lower_is_better=True,
)
GATES = [
    "false_discovery_rate[billing] <= 0.0001",
    "macro_false_discovery_rate <= 0.9",
    "false_discovery_rate[*] <= 1 where support >= 10",
]


@pytest.fixture
def settings(monkeypatch: pytest.MonkeyPatch) -> EvaluationSettings:
    """Return settings with gates on a metric that is declared in the catalogue, and nowhere else."""
    monkeypatch.setattr(catalogue, "METRICS", (*METRICS, FALSE_DISCOVERY_RATE))
    return EvaluationSettings(gates=GATES, label_slices=False, length_slices=[])


def evaluate(settings: EvaluationSettings, folder: Path) -> Evaluation:
    """Run the Evaluator's metric, by TFMA, on predictions."""
    config = tfma.utils.update_eval_config_with_defaults(
        build_eval_config(LabelList(tuple(LABELS)), settings), has_baseline=False
    )
    scores = small_model.decision_scores(small_model.good_probabilities(), THRESHOLDS)
    names = np.array([label.encode() for label in LABELS])
    extracts = [
        {
            tfma.FEATURES_KEY: {"text": np.array([b"%d" % row])},
            tfma.LABELS_KEY: names[small_model.truth()[row]],
            tfma.PREDICTIONS_KEY: scores[row],
        }
        for row in range(ROWS)
    ]
    with beam.Pipeline(runner="FnApiRunner") as pipeline:
        _ = (
            pipeline
            | beam.Create(extracts, reshuffle=False)
            | tfma.ExtractEvaluateAndWriteResults(
                eval_config=config,
                eval_shared_model=[tfma.types.EvalSharedModel(model_name="", model_type=tfma.TF_GENERIC)],
                output_path=str(folder),
                extractors=[tfma.extractors.SliceKeyExtractor(eval_config=config, materialize=False)],
            )
        )
    return read_evaluation(str(folder), LABELS)


def false_discovery_rates(axis: int | None) -> npt.NDArray[np.float64]:
    predicted = small_model.good_probabilities() > np.asarray(THRESHOLDS, np.float32)
    n_wrong, n_predicted = (predicted & ~small_model.truth()).sum(axis=axis), predicted.sum(axis=axis)
    return np.where(n_predicted > 0, n_wrong / np.maximum(n_predicted, 1), 0.0)


def test_a_metric_is_added_by_one_entry(settings: EvaluationSettings, tmp_path: Path) -> None:
    evaluation = evaluate(settings, tmp_path)
    metrics = evaluation.candidate
    by_label = false_discovery_rates(axis=0)
    assert [metrics.value("false_discovery_rate", label) for label in LABELS] == pytest.approx(by_label.tolist())
    assert metrics.value("macro_false_discovery_rate") == pytest.approx(by_label.mean())
    assert metrics.value("micro_false_discovery_rate") == pytest.approx(float(false_discovery_rates(axis=None)))
    assert metrics.value("samples_false_discovery_rate") == pytest.approx(false_discovery_rates(axis=1).mean())

    results = judge_gates(settings.gates, evaluation)
    assert [result.passed for result in results] == [False, True, True]
    assert all(result.lower_is_better for result in results)
    assert results[1].interval is not None
    validation = tfma.load_validation_result(str(tmp_path))
    failures = [failure.metric_key.name for failure in validation.metric_validations_per_slice[0].failures]
    assert failures == ["false_discovery_rate/billing"]

    # In JSON, as in summary.json, it is beside the metrics that have fields of their own.
    read = Evaluation.model_validate_json(evaluation.model_dump_json())
    assert read == evaluation
    assert "macro_false_discovery_rate" in read.candidate.numbers()


def test_refuses_averages_that_cannot_be_computed() -> None:
    with pytest.raises(ValueError, match="from areas, only the macro average"):
        dataclasses.replace(FALSE_DISCOVERY_RATE, evidence="areas")
    with pytest.raises(ValueError, match="it needs one average, micro or samples"):
        dataclasses.replace(FALSE_DISCOVERY_RATE, per_label=False)


def test_names_are_unique() -> None:
    names = [*catalogue.average_names(), *catalogue.label_metric_names()]
    assert len(names) == len(set(names))
