"""The Evaluator through its real executor: its numbers against scikit-learn, and whom it blesses."""

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
from tfx.dsl.components.base.base_beam_executor import BaseBeamExecutor
from tfx.types import Artifact, standard_artifacts
from tfx.utils import proto_utils

from components.baseline.record import BaselineRecord, write_baseline
from components.blessing.judge import gate_results
from components.evaluation.eval_config import build_eval_config
from components.evaluation.executor import Executor
from components.evaluation.gates.gate import parse_gate
from components.evaluation.metrics.catalogue import AVERAGES, LABEL_RATES
from components.evaluation.metrics.values import Evaluation, LabelMetrics, Metrics
from components.evaluation.results import read_evaluation
from components.evaluation.settings import EvaluationSettings
from components.trainer.decisions.reliability import expected_calibration_error
from schema.errors import Refused
from schema.label_list import LabelList
from tests.components.evaluation import small_model
from tests.components.evaluation.small_model import LABELS, ROWS, THRESHOLDS, artifact

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

Judge = Callable[..., tuple[Path, Artifact]]


@pytest.fixture(scope="module")
def judge(tmp_path_factory: pytest.TempPathFactory) -> Judge:
    """Runs the executor on the candidate; returns the evaluation's folder and the blessing."""
    root = tmp_path_factory.mktemp("evaluator")
    small_model.export(root / "candidate", small_model.good_probabilities())
    small_model.export(root / "baseline", baseline_probabilities(), thresholds=BASELINE_THRESHOLDS)
    small_model.write_examples(root / "examples", small_model.truth())
    small_model.write_schema(root / "schema")
    runs = iter(range(100))

    def run(settings: EvaluationSettings, has_baseline: bool, labels: Sequence[str] = LABELS) -> tuple[Path, Artifact]:
        write_baseline(str(root / "baseline"), BaselineRecord(has_baseline=has_baseline))
        out = root / f"run-{next(runs)}"
        blessing = artifact(standard_artifacts.ModelBlessing, out / "blessing")
        context = BaseBeamExecutor.Context(
            beam_pipeline_args=["--runner=FnApiRunner"], tmp_dir=str(out / "tmp"), unique_id="1"
        )
        Executor(context).Do(
            {
                "examples": [artifact(standard_artifacts.Examples, root / "examples")],
                "model": [artifact(standard_artifacts.Model, root / "candidate")],
                "baseline_model": [artifact(standard_artifacts.Model, root / "baseline", number=2)],
                "schema": [artifact(standard_artifacts.Schema, root / "schema")],
            },
            {"evaluation": [artifact(standard_artifacts.ModelEvaluation, out / "evaluation")], "blessing": [blessing]},
            {
                "eval_config": proto_utils.proto_to_json(build_eval_config(LabelList(tuple(labels)), settings)),
                "example_splits": '["test"]',
            },
        )
        return out / "evaluation", blessing

    return run


@pytest.fixture(scope="module")
def with_baseline(judge: Judge) -> tuple[Path, Artifact]:
    slices = ["language", "language*channel"]
    gates = [*PASSED, "auc[billing] >= 0.5", *FAILED, "pr_auc in language=zh >= 0.1"]
    return judge(EvaluationSettings(gates=gates, slices=slices), has_baseline=True)


@pytest.fixture(scope="module")
def evaluation(with_baseline: tuple[Path, Artifact]) -> Evaluation:
    return read_evaluation(str(with_baseline[0]), LABELS)


def baseline_probabilities() -> npt.NDArray[np.float32]:
    return small_model.good_probabilities(noise=0.5, seed=5)


def slices() -> dict[str, npt.NDArray[np.bool_]]:
    """Slice -> its rows. No row has the last label: no slice."""
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
    measured: Metrics, probabilities: npt.NDArray[np.float32], thresholds: Sequence[float], rows: npt.NDArray[np.bool_]
) -> None:
    """Every number of `measured` is scikit-learn's, from the probabilities and the label's own thresholds."""
    right, scores = small_model.truth()[rows], probabilities[rows]
    given = scores > np.asarray(thresholds, np.float32)
    assert measured.examples == len(right)
    for average in ("macro", "micro", "weighted", "samples"):
        expected = sk.precision_recall_fscore_support(right, given, average=average, zero_division=0)
        names = [f"{average}_{metric}" for metric in ("precision", "recall", "f1")]
        assert [getattr(measured, name) for name in names] == pytest.approx(expected[:3])
    assert measured.hamming_loss == pytest.approx(sk.hamming_loss(right, given))
    assert measured.subset_accuracy == pytest.approx(sk.accuracy_score(right, given))
    ranking = sk.label_ranking_average_precision_score(right, scores)
    assert measured.label_ranking_average_precision == pytest.approx(ranking)
    confusion = sk.multilabel_confusion_matrix(right, given)
    by_label = sk.precision_recall_fscore_support(right, given, zero_division=0)
    areas: dict[str, list[float]] = {"auc": [], "pr_auc": []}
    for column, label in enumerate(LABELS):
        one = measured.per_label[label]
        assert [one.precision, one.recall, one.f1, one.support] == pytest.approx([each[column] for each in by_label])
        matrix = [[one.true_negatives, one.false_positives], [one.false_negatives, one.true_positives]]
        assert matrix == confusion[column].tolist()
        error = expected_calibration_error(scores[:, column], right[:, column].astype(np.float64))
        assert one.calibration_error == pytest.approx(error, abs=1e-6)
        some, every = right[:, column].any(), right[:, column].all()
        if some:
            areas["pr_auc"].append(sk.average_precision_score(right[:, column], scores[:, column]))
        if some and not every:
            areas["auc"].append(sk.roc_auc_score(right[:, column], scores[:, column]))
        assert one.pr_auc == (pytest.approx(areas["pr_auc"][-1], abs=1e-6) if some else None)
        assert one.auc == (pytest.approx(areas["auc"][-1], abs=1e-6) if some and not every else None)
    for name, values in areas.items():
        assert getattr(measured, f"macro_{name}") == pytest.approx(np.mean(values), abs=1e-6)


def test_the_model_meets_the_hard_cases() -> None:
    given = small_model.good_probabilities() > np.asarray(THRESHOLDS, np.float32)
    assert not small_model.truth()[0].any(), "an example without a label"
    assert not small_model.truth()[:, LABELS.index("never")].any(), "a label without an example"
    assert small_model.truth()[:, LABELS.index("shy")].any()
    assert not given[:, LABELS.index("shy")].any(), "a label that is never given"


def test_every_number_of_the_test_split_is_scikit_learns(evaluation: Evaluation) -> None:
    everything = np.ones(ROWS, bool)
    assert_as_scikit_learn(evaluation.candidate, small_model.good_probabilities(), THRESHOLDS, everything)
    assert evaluation.baseline is not None
    assert_as_scikit_learn(evaluation.baseline, baseline_probabilities(), BASELINE_THRESHOLDS, everything)


def test_the_same_by_slice(evaluation: Evaluation) -> None:
    assert evaluation.slices.keys() == slices().keys()
    for name, rows in slices().items():
        by_model = evaluation.slices[name]
        assert_as_scikit_learn(by_model["candidate"], small_model.good_probabilities(), THRESHOLDS, rows)
        assert_as_scikit_learn(by_model["baseline"], baseline_probabilities(), BASELINE_THRESHOLDS, rows)


def test_a_model_that_fails_a_gate_is_not_blessed_and_the_words_say_why(
    with_baseline: tuple[Path, Artifact], evaluation: Evaluation
) -> None:
    assert with_baseline[1].get_int_custom_property("blessed") == 0
    assert (Path(with_baseline[1].uri) / "NOT_BLESSED").exists()
    results = gate_results([parse_gate(gate) for gate in (*PASSED, *FAILED)], evaluation)
    failed_by_tfma = {
        failure.metric_key.name
        for failure in tfma.load_validation_result(str(with_baseline[0])).metric_validations_per_slice[0].failures
    }
    assert [result.gate for result in results if not result.passed] == FAILED
    assert failed_by_tfma == {parse_gate(gate).key for gate in FAILED}
    shy, recall, never, calibration, hamming = (result.note for result in results if not result.passed)
    assert calibration.endswith("above the bound of 0.01")
    assert " of the baseline, above the bound of -0." in hamming
    assert shy == "f1[shy] is 0, below the bound of 0.1"
    assert recall.startswith("recall[refund] is 1 after 0.8")
    assert (
        never == "auc[never] of the candidate is undefined on the test split, and so never enough for auc[never] >= 0.1"
    )


def test_what_is_gated_has_the_interval_of_the_jackknife(evaluation: Evaluation) -> None:
    """By hand: leaving the examples of each bucket out in turn."""
    buckets = np.array([zlib.crc32(str(row).encode()) % 20 for row in range(ROWS)])
    given = {
        "candidate": small_model.good_probabilities() > np.asarray(THRESHOLDS, np.float32),
        "baseline": baseline_probabilities() > np.asarray(BASELINE_THRESHOLDS, np.float32),
    }

    def hamming_losses(model: str) -> npt.NDArray[np.float64]:
        wrong = (given[model] != small_model.truth()).mean(axis=1)
        return np.array([wrong[buckets != bucket].mean() for bucket in range(20)])

    def interval(replicates: npt.NDArray[np.float64]) -> list[float]:
        error = 19 * np.std(replicates, ddof=1) / np.sqrt(20)
        half = scipy.stats.t.ppf(0.975, 19) * error
        return [replicates.mean() - half, replicates.mean() + half]

    candidate, baseline = hamming_losses("candidate"), hamming_losses("baseline")
    assert evaluation.candidate.intervals["hamming_loss"] == pytest.approx(interval(candidate))
    assert evaluation.candidate.change_intervals["hamming_loss"] == pytest.approx(interval(candidate - baseline))
    # Of every label, where a gate asks for one; areas and slices too; nothing where nothing is gated.
    intervals = evaluation.candidate.intervals
    assert {"macro_f1", "f1[refund]", "f1[shy]", "auc[billing]", "false_positives[never]"} < intervals.keys()
    low, high = evaluation.slices["language=zh"]["candidate"].intervals["macro_pr_auc"]
    assert low < (evaluation.slices["language=zh"]["candidate"].macro_pr_auc or 0) < high
    assert "micro_f1" not in intervals
    assert "pr_auc[billing]" not in intervals
    (result,) = gate_results([parse_gate("hamming_loss <= baseline + 0.2")], evaluation)
    assert result.interval == intervals["hamming_loss"]
    assert result.change_interval == evaluation.candidate.change_intervals["hamming_loss"]


def test_without_a_baseline_its_gates_are_not_asked(judge: Judge) -> None:
    settings = EvaluationSettings(gates=PASSED, label_slices=False, length_slices=[])
    folder, blessing = judge(settings, has_baseline=False)
    evaluation = read_evaluation(str(folder), LABELS)
    assert blessing.get_int_custom_property("blessed") == 1
    assert evaluation.baseline is None
    assert evaluation.slices == {}
    assert_as_scikit_learn(evaluation.candidate, small_model.good_probabilities(), THRESHOLDS, np.ones(ROWS, bool))
    against_baseline = gate_results([parse_gate(gate) for gate in PASSED], evaluation)[2]
    assert (against_baseline.passed, against_baseline.asked, against_baseline.bound) == (True, False, None)
    assert against_baseline.note.startswith("no baseline yet")


@pytest.mark.parametrize("gates", [[], ["macro_f1 >= baseline + 0.5"]])
def test_a_model_of_which_nothing_is_asked_is_blessed_and_says_so(judge: Judge, gates: list[str]) -> None:
    _, blessing = judge(EvaluationSettings(gates=gates, label_slices=False), has_baseline=False)
    assert blessing.get_int_custom_property("blessed") == 1
    assert (Path(blessing.uri) / "BLESSED").exists()
    assert "nothing was asked" in blessing.get_string_custom_property("blessing_message")


def test_a_model_with_other_labels_than_configured_is_refused(judge: Judge) -> None:
    with pytest.raises(Refused, match="was the schema changed"):
        judge(EvaluationSettings(gates=[]), has_baseline=False, labels=list(reversed(LABELS)))


def test_a_gate_on_an_unknown_label_is_refused_before_anything_runs() -> None:
    with pytest.raises(Refused, match="did you mean 'refund'"):
        build_eval_config(LabelList(tuple(LABELS)), EvaluationSettings(gates=["f1[refnd] >= 0.1"]))


metric = st.one_of(st.none(), st.floats(0, 1), st.sampled_from([0.45, 0.44, 0.46, 0.1, 0.3]))


@given(candidate=metric, baseline=metric, missing=st.booleans(), label=st.booleans(), data=st.data())
def test_the_words_and_the_blessing_always_agree(
    candidate: float | None, baseline: float | None, missing: bool, label: bool, data: st.DataObject
) -> None:
    """TFMA's validator and `gate_results` on the same numbers, undefined and equal ones among them."""
    bound = data.draw(st.sampled_from(["0.45", "0", "1", "baseline", "baseline - 0.01", "baseline + 0.1"]))
    better = data.draw(
        st.sampled_from(
            ["f1[refund] >=", "calibration_error[refund] <="] if label else ["macro_f1 >=", "hamming_loss <="]
        )
    )
    gate = parse_gate(f"{better} {bound}")
    evaluation = Evaluation(
        candidate=metrics_with(candidate), baseline=None if missing else metrics_with(baseline), slices={}
    )
    config = build_eval_config(LabelList(tuple(LABELS)), EvaluationSettings(gates=[gate.text]))
    config = tfma.utils.update_eval_config_with_defaults(config, has_baseline=not missing, rubber_stamp=True)
    key = tfma.metrics.MetricKey(gate.key, model_name="" if missing else "candidate", example_weighted=None)
    numbers = {key: number(candidate)}
    if not missing:
        numbers[key.make_baseline_key("baseline")] = number(baseline)
        numbers[key.make_diff_key()] = number(candidate) - number(baseline)
    verdict = metrics_validator.validate_metrics(((), numbers), config)
    (result,) = gate_results([gate], evaluation)
    assert result.passed == verdict.validation_ok


def number(value: float | None) -> float:
    return float("nan") if value is None else value


def metrics_with(value: float | None) -> Metrics:
    one = LabelMetrics(**dict.fromkeys(LABEL_RATES, value), support=0)
    return Metrics(**dict.fromkeys(AVERAGES, value), examples=1, per_label={"refund": one})
