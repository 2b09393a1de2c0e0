"""The Evaluator through its real executor: its metrics against scikit-learn, and its blessings."""

import zlib
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
import scipy.stats
import tensorflow_model_analysis as tfma
from hypothesis import given
from hypothesis import strategies as st
from sklearn import metrics as sk
from tensorflow_model_analysis.evaluators import metrics_validator
from tfx.types import Artifact

from components.baseline.record import BaselineRecord
from components.blessing.judge import judge_gates
from components.evaluation.gates.gate import parse_gate
from components.evaluation.insights.insights import Insights
from components.evaluation.metrics.catalogue import average_names, label_rate_names
from components.evaluation.metrics.proportions import proportion_interval
from components.evaluation.metrics.values import Evaluation, LabelMetrics, Metrics
from components.evaluation.results import _with_share_intervals, read_evaluation
from components.evaluation.settings import EvaluationSettings
from components.trainer.decisions.reliability import expected_calibration_error
from schema.errors import Refused
from tests.components.evaluation import small_model
from tests.components.evaluation.evaluator import make_eval_config, run_evaluator
from tests.components.evaluation.small_model import LABELS, ROWS, THRESHOLDS

BASELINE_THRESHOLDS = [0.2, 0.4, 0.6, 0.5, 0.4]
PASSED = [
    "macro_f1 >= 0.3",
    "f1[refund] >= 0.5",
    "precision[refund] >= baseline - 0.05",
    "hamming_loss <= baseline + 0.2",
    "macro_calibration_error <= 0.9",
    "false_positives[never] <= 60",
]
FAILED = [
    "f1[shy] >= 0.1",
    "recall[refund] >= baseline + 0.9",
    "auc[never] >= 0.1",
    "calibration_error[billing] <= 0.01",
    "hamming_loss <= baseline - 0.9",
]

Evaluate = Callable[..., tuple[Path, Artifact]]


@pytest.fixture(scope="module")
def evaluate(tmp_path_factory: pytest.TempPathFactory) -> Evaluate:
    """Return a function that runs the executor and returns the folder of the evaluation, and the blessing."""
    root = tmp_path_factory.mktemp("evaluator")
    small_model.export(root / "candidate", small_model.good_probabilities())
    small_model.export(root / "baseline", baseline_probabilities(), thresholds=BASELINE_THRESHOLDS)
    small_model.write_examples(root / "examples", small_model.truth())
    small_model.write_schema(root / "schema")
    runs = iter(range(100))

    def run(settings: EvaluationSettings, has_baseline: bool, labels: Sequence[str] = LABELS) -> tuple[Path, Artifact]:
        BaselineRecord(has_baseline=has_baseline).write(str(root / "baseline"))
        output = root / f"run-{next(runs)}"
        eval_config = make_eval_config(settings, labels)
        blessing = run_evaluator(root, root / "candidate", root / "baseline", output, eval_config)
        return output / "evaluation", blessing

    return run


@pytest.fixture(scope="module")
def with_baseline(evaluate: Evaluate) -> tuple[Path, Artifact]:
    slices = ["language", "language*channel"]
    gates = [*PASSED, "auc[billing] >= 0.5", *FAILED, "pr_auc in language=zh >= 0.1"]
    return evaluate(EvaluationSettings(gates=gates, slices=slices), has_baseline=True)


@pytest.fixture(scope="module")
def evaluation(with_baseline: tuple[Path, Artifact]) -> Evaluation:
    return read_evaluation(str(with_baseline[0]), LABELS)


def test_mistakes_of_a_model_that_explains_are_explained(with_baseline: tuple[Path, Artifact]) -> None:
    mistakes = Insights.read(str(with_baseline[0])).mistakes["billing"]
    assert mistakes.wrongly_given
    for each in (*mistakes.wrongly_given[:3], *mistakes.missed[:3]):
        assert [segment.text for segment in each.why] == [each.text]


def baseline_probabilities() -> npt.NDArray[np.float32]:
    return small_model.good_probabilities(noise=0.5, seed=5)


def slices() -> dict[str, npt.NDArray[np.bool_]]:
    """Return slice -> its rows. The last label has no slice, because no row has it."""
    zh = np.array([small_model.language(row) == "zh" for row in range(ROWS)])
    mail = np.array([small_model.channel(row) == "mail" for row in range(ROWS)])
    lengths = np.array([small_model.length(row) for row in range(ROWS)])
    by_label = {f"labels={label}": small_model.truth()[:, column] for column, label in enumerate(LABELS[:-1])}
    return {
        "language=zh": zh,
        "language=en": ~zh,
        "channel=mail, language=zh": mail & zh,
        "channel=mail, language=en": mail & ~zh,
        "channel=chat, language=zh": ~mail & zh,
        "channel=chat, language=en": ~mail & ~zh,
        "text_length=0-49": lengths < 50,
        "text_length=50-99": (lengths >= 50) & (lengths < 100),
        "text_length=100-199": lengths >= 100,
    } | by_label


def assert_as_scikit_learn(
    metrics: Metrics, probabilities: npt.NDArray[np.float32], thresholds: Sequence[float], rows: npt.NDArray[np.bool_]
) -> None:
    """Assert that every metric is scikit-learn's, computed from the probabilities and the label's own thresholds."""
    truth, scores = small_model.truth()[rows], probabilities[rows]
    predicted = scores > np.asarray(thresholds, np.float32)
    assert metrics.examples == len(truth)
    for average in ("macro", "micro", "weighted", "samples"):
        expected = sk.precision_recall_fscore_support(truth, predicted, average=average, zero_division=0)
        names = [f"{average}_{metric}" for metric in ("precision", "recall", "f1")]
        assert [getattr(metrics, name) for name in names] == pytest.approx(expected[:3])
    assert metrics.hamming_loss == pytest.approx(sk.hamming_loss(truth, predicted))
    assert metrics.subset_accuracy == pytest.approx(sk.accuracy_score(truth, predicted))
    ranking = sk.label_ranking_average_precision_score(truth, scores)
    assert metrics.label_ranking_average_precision == pytest.approx(ranking)
    confusion = sk.multilabel_confusion_matrix(truth, predicted)
    by_label = sk.precision_recall_fscore_support(truth, predicted, zero_division=0)
    areas: dict[str, list[float]] = {"auc": [], "pr_auc": []}
    for column, label in enumerate(LABELS):
        one = metrics.per_label[label]
        assert [
            one.precision,
            one.recall,
            one.f1,
            one.support,
        ] == pytest.approx([each[column] for each in by_label])
        matrix = [
            [one.true_negatives, one.false_positives],
            [one.false_negatives, one.true_positives],
        ]
        assert matrix == confusion[column].tolist()
        error = expected_calibration_error(scores[:, column], truth[:, column].astype(np.float64))
        assert one.calibration_error == pytest.approx(error, abs=1e-6)
        has_positives, has_negatives = truth[:, column].any(), not truth[:, column].all()
        if has_positives:
            areas["pr_auc"].append(sk.average_precision_score(truth[:, column], scores[:, column]))
        if has_positives and has_negatives:
            areas["auc"].append(sk.roc_auc_score(truth[:, column], scores[:, column]))
        assert one.pr_auc == (pytest.approx(areas["pr_auc"][-1], abs=1e-6) if has_positives else None)
        assert one.auc == (pytest.approx(areas["auc"][-1], abs=1e-6) if has_positives and has_negatives else None)
    for name, values in areas.items():
        assert getattr(metrics, f"macro_{name}") == pytest.approx(np.mean(values), abs=1e-6)


def test_the_examples_include_the_edge_cases() -> None:
    predicted = small_model.good_probabilities() > np.asarray(THRESHOLDS, np.float32)
    assert not small_model.truth()[0].any(), "an example without a label"
    assert not small_model.truth()[:, LABELS.index("never")].any(), "a label without an example"
    assert small_model.truth()[:, LABELS.index("shy")].any()
    assert not predicted[:, LABELS.index("shy")].any(), "a label that is never predicted"


def test_every_metric_of_the_test_split_is_scikit_learns(evaluation: Evaluation) -> None:
    all_rows = np.ones(ROWS, bool)
    assert_as_scikit_learn(evaluation.candidate, small_model.good_probabilities(), THRESHOLDS, all_rows)
    assert evaluation.baseline is not None
    assert_as_scikit_learn(evaluation.baseline, baseline_probabilities(), BASELINE_THRESHOLDS, all_rows)


def test_every_metric_of_a_slice_is_scikit_learns(evaluation: Evaluation) -> None:
    assert evaluation.slices.keys() == slices().keys()
    for name, rows in slices().items():
        by_model = evaluation.slices[name]
        assert_as_scikit_learn(by_model["candidate"], small_model.good_probabilities(), THRESHOLDS, rows)
        assert_as_scikit_learn(by_model["baseline"], baseline_probabilities(), BASELINE_THRESHOLDS, rows)


def test_does_not_bless_a_model_that_fails_a_gate_and_explains_why(
    with_baseline: tuple[Path, Artifact], evaluation: Evaluation
) -> None:
    assert with_baseline[1].get_int_custom_property("blessed") == 0
    assert (Path(with_baseline[1].uri) / "NOT_BLESSED").exists()
    results = judge_gates([parse_gate(gate) for gate in (*PASSED, *FAILED)], evaluation)
    failed_by_tfma = {
        failure.metric_key.name
        for failure in tfma.load_validation_result(str(with_baseline[0])).metric_validations_per_slice[0].failures
    }
    assert [result.gate for result in results if not result.passed] == FAILED
    assert failed_by_tfma == {parse_gate(gate).key for gate in FAILED}
    shy, recall, never, calibration, hamming = (result.note for result in results if not result.passed)
    assert calibration.endswith("above the bound of 0.01")
    assert ", the baseline's is 0." in hamming
    assert ": above the bound of -0." in hamming
    assert shy == "f1[shy] is 0, below the bound of 0.1"
    assert recall.startswith("recall[refund] is 1, the baseline's is 0.8")
    assert never == "auc[never] of the candidate is undefined on the test split, so auc[never] >= 0.1 fails"


def test_recall_and_precision_have_an_interval_without_a_gate(evaluation: Evaluation) -> None:
    gated = evaluation.candidate.model_copy(update={"intervals": {"recall[refund]": (0.1, 0.2)}})
    intervals = _with_share_intervals(gated).intervals
    assert intervals["recall[refund]"] == (0.1, 0.2), "that of the gate"
    for label, measured in gated.per_label.items():
        if measured.recall is None:
            assert f"precision[{label}]" not in intervals
            continue
        right = measured.true_positives or 0
        given = right + (measured.false_positives or 0)
        assert intervals.get(f"precision[{label}]") == proportion_interval(right, given)
        if label != "refund":
            assert intervals.get(f"recall[{label}]") == proportion_interval(right, measured.support)
    assert "precision[refund]" in intervals


def test_gated_metrics_have_the_interval_of_the_jackknife(evaluation: Evaluation) -> None:
    """Computed here by leaving out the examples of each group in turn."""
    groups = np.array([zlib.crc32(str(row).encode()) % 20 for row in range(ROWS)])
    predicted = {
        "candidate": small_model.good_probabilities() > np.asarray(THRESHOLDS, np.float32),
        "baseline": baseline_probabilities() > np.asarray(BASELINE_THRESHOLDS, np.float32),
    }

    def hamming_losses(model: str) -> npt.NDArray[np.float64]:
        wrong = (predicted[model] != small_model.truth()).mean(axis=1)
        return np.array([wrong[groups != group].mean() for group in range(20)])

    def interval(replicates: npt.NDArray[np.float64]) -> list[float]:
        error = 19 * np.std(replicates, ddof=1) / np.sqrt(20)
        half = scipy.stats.t.ppf(0.975, 19) * error
        return [replicates.mean() - half, replicates.mean() + half]

    candidate, baseline = hamming_losses("candidate"), hamming_losses("baseline")
    assert evaluation.candidate.intervals["hamming_loss"] == pytest.approx(interval(candidate))
    assert evaluation.candidate.change_intervals["hamming_loss"] == pytest.approx(interval(candidate - baseline))
    # A gate on one label gives all labels an interval, in areas and slices too; what is not gated has none.
    intervals = evaluation.candidate.intervals
    assert {"macro_f1", "f1[refund]", "f1[shy]", "auc[billing]", "false_positives[never]"} < intervals.keys()
    low, high = evaluation.slices["language=zh"]["candidate"].intervals["macro_pr_auc"]
    assert low < (evaluation.slices["language=zh"]["candidate"].macro_pr_auc or 0) < high
    assert "micro_f1" not in intervals
    assert "pr_auc[billing]" not in intervals
    (result,) = judge_gates([parse_gate("hamming_loss <= baseline + 0.2")], evaluation)
    assert result.interval == intervals["hamming_loss"]
    assert result.change_interval == evaluation.candidate.change_intervals["hamming_loss"]


def test_skips_gates_against_a_missing_baseline(evaluate: Evaluate) -> None:
    settings = EvaluationSettings(gates=PASSED, label_slices=False, length_slices=[])
    folder, blessing = evaluate(settings, has_baseline=False)
    evaluation = read_evaluation(str(folder), LABELS)
    assert blessing.get_int_custom_property("blessed") == 1
    assert evaluation.baseline is None
    assert evaluation.slices == {}
    assert_as_scikit_learn(evaluation.candidate, small_model.good_probabilities(), THRESHOLDS, np.ones(ROWS, bool))
    against_baseline = judge_gates([parse_gate(gate) for gate in PASSED], evaluation)[2]
    assert (against_baseline.passed, against_baseline.asked, against_baseline.bound) == (True, False, None)
    assert against_baseline.note.startswith("no baseline yet")


@pytest.mark.parametrize("gates", [[], ["macro_f1 >= baseline + 0.5"]])
def test_blesses_a_model_to_which_no_threshold_applies_with_a_message(evaluate: Evaluate, gates: list[str]) -> None:
    _, blessing = evaluate(EvaluationSettings(gates=gates, label_slices=False), has_baseline=False)
    assert blessing.get_int_custom_property("blessed") == 1
    assert (Path(blessing.uri) / "BLESSED").exists()
    assert "no gate is a TFMA threshold that applies" in blessing.get_string_custom_property("blessing_message")


def test_refuses_a_model_with_other_labels_than_configured(evaluate: Evaluate) -> None:
    with pytest.raises(Refused, match="was the schema changed"):
        evaluate(EvaluationSettings(gates=[]), has_baseline=False, labels=list(reversed(LABELS)))


def test_refuses_a_gate_on_an_unknown_label_before_anything_runs() -> None:
    with pytest.raises(Refused, match="did you mean 'refund'"):
        make_eval_config(EvaluationSettings(gates=["f1[refnd] >= 0.1"]))


value = st.one_of(st.none(), st.floats(0, 1), st.sampled_from([0.45, 0.44, 0.46, 0.1, 0.3]))


@given(candidate=value, baseline=value, missing=st.booleans(), label=st.booleans(), data=st.data())
def test_results_and_blessing_always_agree(
    candidate: float | None, baseline: float | None, missing: bool, label: bool, data: st.DataObject
) -> None:
    """TFMA's validator and `judge_gates` get the same values, undefined and equal ones among them."""
    bound = data.draw(st.sampled_from(["0.45", "0", "1", "baseline", "baseline - 0.01", "baseline + 0.1"]))
    comparison = data.draw(
        st.sampled_from(
            ["f1[refund] >=", "calibration_error[refund] <="] if label else ["macro_f1 >=", "hamming_loss <="]
        )
    )
    gate = parse_gate(f"{comparison} {bound}")
    evaluation = Evaluation(
        candidate=metrics_with(candidate), baseline=None if missing else metrics_with(baseline), slices={}
    )
    config = make_eval_config(EvaluationSettings(gates=[gate.text]))
    config = tfma.utils.update_eval_config_with_defaults(config, has_baseline=not missing, rubber_stamp=True)
    key = tfma.metrics.MetricKey(gate.key, model_name="" if missing else "candidate", example_weighted=None)
    values = {key: nan_if_none(candidate)}
    if not missing:
        values[key.make_baseline_key("baseline")] = nan_if_none(baseline)
        values[key.make_diff_key()] = nan_if_none(candidate) - nan_if_none(baseline)
    validation = metrics_validator.validate_metrics(((), values), config)
    (result,) = judge_gates([gate], evaluation)
    assert result.passed == validation.validation_ok


def nan_if_none(value: float | None) -> float:
    return float("nan") if value is None else value


def metrics_with(value: float | None) -> Metrics:
    one = LabelMetrics(**dict.fromkeys(label_rate_names(), value), support=0)
    return Metrics(**dict.fromkeys(average_names(), value), examples=1, per_label={"refund": one})
