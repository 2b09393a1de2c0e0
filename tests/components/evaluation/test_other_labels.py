"""A baseline with another label list, through the real executors: the models are compared on the labels they share."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
import tensorflow_model_analysis as tfma
from sklearn import metrics as sk
from tfx.dsl.components.base.base_executor import BaseExecutor
from tfx.types import Artifact, standard_artifacts

from components import registry
from components.baseline import executor as baseline_executor
from components.baseline.record import BaselineRecord
from components.baseline.settings import BaselineSettings
from components.blessing.judge import judge_gates
from components.evaluation.eval_config import build_eval_config, set_baseline_outputs
from components.evaluation.gates.gate import parse_gate
from components.evaluation.gates.result import GateResult
from components.evaluation.metrics.catalogue import lower_is_better
from components.evaluation.metrics.values import Evaluation, Metrics
from components.evaluation.results import read_evaluation
from components.evaluation.settings import EvaluationSettings
from components.report.gather import _baseline_metrics, _baseline_note
from schema.errors import Refused
from schema.label_list import LabelList
from tests.components.evaluation import small_model
from tests.components.evaluation.evaluator import run_evaluator
from tests.components.evaluation.small_model import LABELS, ROWS, THRESHOLDS, artifact

NOT_WORSE = [
    *(f"{average} >= baseline - 0.001" for average in (
        "macro_f1", "micro_f1", "macro_precision", "micro_precision", "macro_recall", "micro_recall", "macro_pr_auc",
        "samples_f1", "weighted_recall", "subset_accuracy", "label_ranking_average_precision",
    )),
    "hamming_loss <= baseline + 0.001",
]  # fmt: skip
Table = npt.NDArray[np.float32]


@dataclass(frozen=True)
class Side:
    """Model that has some of LABELS under names of its own.

    Attributes:
        names: Label of each output.
        columns: Index in LABELS of each output; None for a label that is not in LABELS.
        retired: Names that are retired.
        renamed: Former name -> present name.
    """

    names: tuple[str, ...]
    columns: tuple[int | None, ...]
    retired: tuple[str, ...] = ()
    renamed: dict[str, str] = field(default_factory=dict)

    def probabilities(self, all_labels: Table) -> Table:
        """Return its probabilities: those of LABELS, and noise for labels of its own."""
        table = np.random.default_rng(9).uniform(0.01, 0.99, (ROWS, len(self.names))).astype(np.float32)
        for output, (name, column) in enumerate(zip(self.names, self.columns, strict=True)):
            if name in self.retired:
                table[:, output] = 0
            elif column is not None:
                table[:, output] = all_labels[:, column]
        return table

    @property
    def thresholds(self) -> list[float]:
        return [
            1.0 if name in self.retired else 0.5 if column is None else THRESHOLDS[column]
            for name, column in zip(self.names, self.columns, strict=True)
        ]


@dataclass(frozen=True)
class Case:
    """Candidate and baseline.

    Attributes:
        candidate: The new model.
        baseline: The last blessed model.
        shared: Indices in LABELS of the labels that both have in use.
        lacks: Labels that the baseline lacks.
        only_its: Labels that the candidate does not have or has retired.
    """

    candidate: Side
    baseline: Side
    shared: tuple[int, ...]
    lacks: tuple[str, ...] = ()
    only_its: tuple[str, ...] = ()


ALL = Side(tuple(LABELS), (0, 1, 2, 3, 4))
CASES = {
    "other order": Case(ALL, Side(tuple(reversed(LABELS)), (4, 3, 2, 1, 0)), shared=(0, 1, 2, 3, 4)),
    "added since": Case(
        ALL, Side(("shy", "billing", "shipping"), (3, 0, 2)), shared=(0, 2, 3), lacks=("refund", "never")
    ),
    "retired since": Case(
        Side(ALL.names, ALL.columns, retired=("shipping",)), ALL, shared=(0, 1, 3, 4), only_its=("shipping",)
    ),
    "retired before": Case(
        Side(ALL.names, ALL.columns, retired=("shipping",)),
        Side(ALL.names, ALL.columns, retired=("shipping",)),
        shared=(0, 1, 3, 4),
    ),
    "brought back": Case(
        ALL, Side(ALL.names, ALL.columns, retired=("shipping",)), shared=(0, 1, 3, 4), lacks=("shipping",)
    ),
    "renamed, and everything else": Case(
        Side(ALL.names, ALL.columns, retired=("never",), renamed={"money": "refund", "gone": "never"}),
        Side(("praise", "gone", "money", "billing", "old"), (None, 4, 1, 0, None), retired=("old",)),
        shared=(0, 1),
        lacks=("shipping", "shy"),
        only_its=("praise", "gone"),
    ),
}


@dataclass(frozen=True)
class Outcome:
    """Result of the steps from the baseline to the gates."""

    evaluation: Evaluation
    blessed: bool
    record: BaselineRecord
    baseline: Artifact
    gates: list[GateResult]
    failed_by_tfma: set[str]
    note: str


Judge = Callable[[Case, Sequence[str]], Outcome]


@pytest.fixture(scope="module")
def judge(tmp_path_factory: pytest.TempPathFactory) -> Judge:
    root = tmp_path_factory.mktemp("other_labels")
    small_model.write_examples(root / "examples", small_model.truth())
    small_model.write_schema(root / "schema")
    runs = iter(range(100))

    def run(case: Case, gates: Sequence[str]) -> Outcome:
        output = root / f"run-{next(runs)}"
        _export(case.candidate, candidate_table(), output / "candidate")
        _export(case.baseline, baseline_table(), output / "live")
        live = str(output / "live" / "Format-Serving")
        registry.push(live, str(output / "registry"), registry.ModelRecord.read(live))
        baseline = _find_baseline(root, output)
        labels = LabelList(case.candidate.names, frozenset(case.candidate.retired), case.candidate.renamed)
        settings = EvaluationSettings(gates=list(gates), slices=["language"])
        eval_config = build_eval_config(labels, settings)
        blessing = run_evaluator(root, output / "candidate", output / "baseline", output, eval_config)
        record = BaselineRecord.read(baseline.uri)
        evaluation = read_evaluation(str(output / "evaluation"), labels.active, record.lacks)
        validation = tfma.load_validation_result(str(output / "evaluation"))
        return Outcome(
            evaluation=evaluation,
            blessed=bool(blessing.get_int_custom_property("blessed")),
            record=record,
            baseline=baseline,
            gates=judge_gates(settings.gates, evaluation),
            failed_by_tfma={
                failure.metric_key.name for each in validation.metric_validations_per_slice for failure in each.failures
            },
            note=_baseline_note(record, labels.active),
        )

    return run


def _export(side: Side, all_labels: Table, uri: Path) -> None:
    small_model.export(
        uri,
        side.probabilities(all_labels),
        side.names,
        side.thresholds,
        retired=side.retired,
        renamed=side.renamed,
    )


def _find_baseline(data: Path, output: Path) -> Artifact:
    """Run the executor of `RegistryBaseline`, and return the baseline."""
    baseline = artifact(standard_artifacts.Model, output / "baseline", number=2)
    baseline_executor.Executor(BaseExecutor.Context(tmp_dir=str(output / "tmp"), unique_id="1")).Do(
        {
            "model": [artifact(standard_artifacts.Model, output / "candidate")],
            "examples": [artifact(standard_artifacts.Examples, data / "examples")],
        },
        {"baseline": [baseline]},
        {"registry": str(output / "registry"), "settings": BaselineSettings(broken="stop").model_dump_json()},
    )
    return baseline


def candidate_table() -> Table:
    return small_model.good_probabilities()


def baseline_table() -> Table:
    return small_model.good_probabilities(noise=0.5, seed=5)


def averages_of_scikit_learn(table: Table, columns: Sequence[int]) -> dict[str, float]:
    """Return averages over some of LABELS, from probabilities of all of them."""
    truth, scores = small_model.truth()[:, columns], table[:, columns]
    predicted = scores > np.asarray(THRESHOLDS, np.float32)[list(columns)]
    averages: dict[str, float] = {}
    for average in ("macro", "micro", "weighted", "samples"):
        values = sk.precision_recall_fscore_support(truth, predicted, average=average, zero_division=0)
        averages |= {
            f"{average}_{name}": value for name, value in zip(("precision", "recall", "f1"), values, strict=False)
        }
    present = [column for column in range(len(columns)) if truth[:, column].any()]
    averages["hamming_loss"] = sk.hamming_loss(truth, predicted)
    averages["subset_accuracy"] = sk.accuracy_score(truth, predicted)
    averages["label_ranking_average_precision"] = sk.label_ranking_average_precision_score(truth, scores)
    averages["macro_auc"] = float(np.mean([sk.roc_auc_score(truth[:, c], scores[:, c]) for c in present]))
    averages["macro_pr_auc"] = float(np.mean([sk.average_precision_score(truth[:, c], scores[:, c]) for c in present]))
    return averages


def assert_label_as_scikit_learn(metrics: Metrics, table: Table, label: str) -> None:
    column = LABELS.index(label)
    truth, predicted = small_model.truth()[:, column], table[:, column] > np.float32(THRESHOLDS[column])
    label_metrics = metrics.per_label[label]
    expected = sk.precision_recall_fscore_support(truth, predicted, average="binary", zero_division=0)
    assert [label_metrics.precision, label_metrics.recall, label_metrics.f1] == pytest.approx(expected[:3])
    assert label_metrics.support == truth.sum()
    auc = pytest.approx(sk.roc_auc_score(truth, table[:, column]), abs=1e-6) if truth.any() else None
    assert label_metrics.auc == auc


@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
def test_compares_the_models_on_the_labels_that_both_have(judge: Judge, case: Case) -> None:
    outcome = judge(case, NOT_WORSE)
    active = [column for column, name in enumerate(LABELS) if name not in case.candidate.retired]
    evaluation = outcome.evaluation
    assert evaluation.baseline is not None
    assert (tuple(outcome.record.lacks), tuple(outcome.record.only_its)) == (case.lacks, case.only_its)

    # The candidate's own metrics are over all its labels in use, the baseline's over the shared ones.
    tables = {"candidate": candidate_table(), "baseline": baseline_table()}
    for name, expected in averages_of_scikit_learn(tables["candidate"], active).items():
        assert getattr(evaluation.candidate, name) == pytest.approx(expected, abs=1e-6)
    for name, expected in averages_of_scikit_learn(tables["baseline"], case.shared).items():
        assert getattr(evaluation.baseline, name) == pytest.approx(expected, abs=1e-6)
    assert list(evaluation.candidate.per_label) == [LABELS[column] for column in active]
    assert list(evaluation.baseline.per_label) == [LABELS[column] for column in case.shared]
    for label in evaluation.candidate.per_label:
        assert_label_as_scikit_learn(evaluation.candidate, tables["candidate"], label)
    for label in evaluation.baseline.per_label:
        assert_label_as_scikit_learn(evaluation.baseline, tables["baseline"], label)

    # Gates apply to the shared labels alone, for both models.
    baseline, candidate = (averages_of_scikit_learn(tables[name], case.shared) for name in ("baseline", "candidate"))
    for gate in outcome.gates:
        metric = parse_gate(gate.gate).metric
        direction = -1 if lower_is_better(metric) else 1
        assert gate.value == pytest.approx(candidate[metric], abs=1e-6)
        assert gate.bound == pytest.approx(baseline[metric] - direction * 0.001, abs=1e-6)
        assert gate.passed == (direction * (candidate[metric] - baseline[metric]) >= -0.001)
        assert gate.interval is not None
        assert gate.change_interval is not None
    assert outcome.blessed == all(gate.passed for gate in outcome.gates)
    failed = {parse_gate(gate.gate).metric for gate in outcome.gates if not gate.passed}
    assert {name.removesuffix("/compared") for name in outcome.failed_by_tfma} == failed
    assert bool(evaluation.compared) == bool(case.lacks)

    # A retired label has no slice.
    assert {f"labels={name}" for name in case.candidate.retired} & evaluation.slices.keys() == set()
    assert {"language=zh", "labels=billing"} < evaluation.slices.keys()


def test_shared_labels_decide_comparisons_and_all_labels_decide_bounds(judge: Judge) -> None:
    """A new and hard label puts the candidate far below the baseline over all labels, but not over the shared ones."""
    case = CASES["added since"]
    gates = [
        "macro_f1 >= baseline - 0.001",
        "macro_f1 >= 0.9",
        "f1[refund] >= baseline + 0.9",
        "f1[refund] >= 0.999",
        "f1[billing] >= baseline - 0.5",
    ]
    outcome = judge(case, gates)
    assert not outcome.blessed
    assert [gate.passed for gate in outcome.gates] == [True, False, True, False, True]
    assert outcome.failed_by_tfma == {"macro_f1", "f1/refund"}
    over_all = averages_of_scikit_learn(candidate_table(), range(5))["macro_f1"]
    assert outcome.gates[1].value == pytest.approx(over_all)
    assert outcome.gates[0].value == pytest.approx(averages_of_scikit_learn(candidate_table(), (0, 2, 3))["macro_f1"])
    assert outcome.gates[0].note.startswith("macro_f1 over the labels that both models have is ")
    unasked = outcome.gates[2]
    assert unasked.bound is None
    assert unasked.note == "the baseline has no label 'refund': f1[refund] >= baseline + 0.9 is not asked"
    # If the only gate is not asked, the model is blessed.
    assert judge(case, [gates[2]]).blessed


def test_the_summary_explains_what_was_compared(judge: Judge) -> None:
    outcome = judge(CASES["renamed, and everything else"], ["macro_f1 >= 0.1"])
    version = outcome.record.version
    assert outcome.note == (
        f"version {version}; compared on 2 of 4 labels: all but shipping, shy; "
        "labels that only the baseline has are left out: praise, gone"
    )
    candidate = registry.ModelRecord.read(str(Path(outcome.baseline.uri).parent / "candidate" / "Format-Serving"))
    summary = _baseline_metrics(outcome.evaluation.baseline, outcome.baseline.uri, candidate)
    assert summary is not None
    assert {label: one.threshold for label, one in summary.per_label.items()} == {"billing": 0.5, "refund": 0.3}
    few = BaselineRecord(has_baseline=True, version=7, lacks=["b", "c", "d"])
    assert _baseline_note(few, ["a", "b", "c", "d"]) == "version 7; compared on 1 of 4 labels: a"
    assert _baseline_note(BaselineRecord(has_baseline=True, version=7), ["a"]) == "version 7"


def test_refuses_a_gate_on_a_retired_or_renamed_label_before_anything_runs() -> None:
    labels = LabelList(("a", "b"), frozenset({"b"}), {"old": "a"})
    with pytest.raises(Refused, match="label 'b' is retired; remove the gate"):
        build_eval_config(labels, EvaluationSettings(gates=["f1[b] >= 0.1"]))
    with pytest.raises(Refused, match="label 'old' was renamed to 'a'"):
        build_eval_config(labels, EvaluationSettings(gates=["f1[old] >= baseline"]))


def test_leaves_thresholds_alone_if_only_the_order_of_labels_differs() -> None:
    config = build_eval_config(LabelList(tuple(LABELS)), EvaluationSettings(gates=NOT_WORSE))
    adapted = set_baseline_outputs(config, list(reversed(LABELS)))
    (before,), (after,) = config.metrics_specs, adapted.metrics_specs
    assert dict(after.per_slice_thresholds) == dict(before.per_slice_thresholds)
    assert "baseline_outputs" not in before.metrics[0].config
