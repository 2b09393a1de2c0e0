"""Made-up material for a report, with any number of labels and rows, and any text wherever a text can be."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np

from components.behaviour.results import Failure, GroupResult, Results, WrongLabel, gate_results
from components.canary.verdict import CanaryVerdict
from components.common.outcome import Outcome
from components.data_gate.distributions import Distribution, Distributions
from components.data_gate.verdict import Drift
from components.evaluation.gates.result import GateResult
from components.evaluation.insights.insights import Reliability
from components.evaluation.insights.tally import Example, InsightsTally, ScoreReader
from components.evaluation.metrics.values import LabelMetrics, Metrics
from components.example_gen.report import Contradiction, Duplicates, IngestReport, LabelCount, SpanCount
from components.registry import CalibrationRecord, CanaryFindings, Latency, ModelRecord
from components.report.summary import DataSummary, LabelSummary, MetricsSummary, Provenance, Rows, StepCost, Summary
from components.report.views.material import Material
from components.report.views.training import CalibrationCurve, Training
from components.report.views.trend import PastResult

WHEN = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)
_AVERAGES = {
    "macro_f1": 0.51, "micro_f1": 0.62, "macro_precision": 0.53, "micro_precision": 0.6, "macro_recall": 0.5,
    "micro_recall": 0.64, "macro_auc": 0.9, "macro_pr_auc": 0.55,
}  # fmt: skip


def material(
    labels: Sequence[str] = ("billing", "refund", "shipping"),
    *,
    rows: int = 300,
    text: str = "Where is my order?",
    id_: str = "row",
    texts: bool = True,
    mistakes: int = 5,
    **changes: Any,
) -> Material:
    """Return a run with a baseline, in which a gate, a group of behavioural tests and the canary failed.

    Args:
        labels: Labels of the model; the baseline lacks the last one.
        rows: Number of rows of the test split.
        text: Text for every place that takes one; with a number behind it, the text of each row.
        id_: ID of each row, before its number.
        texts: Whether the report shows them.
        mistakes: Number of mistakes shown of each label and kind.
        changes: Attributes of the summary to change.
    """
    summary = Summary(
        outcome="not_blessed",
        attention=[f"F1 below 0.3: {labels[0]} {text}"],
        attention_labels=[labels[0]],
        blessed=False,
        pushed=None,
        reasons=[f"macro_f1 is 0.51, below the bound of 0.6 {text}", *_canary(text).reasons],
        rows=Rows(read=rows * 10, accepted=rows * 10 - 7, quarantined=7),
        data=DataSummary(
            splits={"train": rows * 8, "eval": rows - 7, "test": rows},
            spans=[SpanCount(span=7, version=1, rows=rows * 10 - 7)],
            incomplete_spans=[8, 9],
            duplicates=Duplicates(
                texts=2, rows=4, contradictory=1,
                contradictions=[Contradiction(rows=[f"{id_}:1", f"{id_}:2"], labels=[[labels[0]], []])],
            ),
            retired_labels={text: 3},
            compared_with=text,
            drift=[Drift(feature=text, measure="l_infinity", value=0.02, bound=0.1)],
            warnings=[text],
        ),
        metrics=_metrics(labels, 0.0),
        baseline=_metrics(labels[:-1], 0.03),
        baseline_note=text,
        gates=[
            GateResult(gate="macro_f1 >= 0.6", value=0.51, bound=0.6, passed=False, note=text, interval=(0.48, 0.55)),
            GateResult(
                gate=f"f1[{labels[0]}] >= baseline - 0.3", value=0.4, bound=0.1, passed=True, note="", label=labels[0],
                support=100, interval=(0.35, 0.45), change_interval=(-0.05, 0.02),
            ),
            GateResult(gate="f1 in language=zh >= 0.2", value=None, bound=None, passed=True, asked=False, support=9,
                       slice="language=zh", note="language=zh has 9 examples: not asked"),
            *gate_results(behaviour(labels, text, id_)),
        ],
        min_support=50,
        small_slices={"language=zh": 9},
        slices={
            f"language={name}": {"candidate": _slice(labels, 9 if name == "zh" else rows // 3)}
            for name in ("en", "zh", text)
        },
        durations_s={"Trainer": 1234.5, "MultiLabelEvaluator": 20.0},
        costs={"Trainer": StepCost(cpu_s=2345.6, peak_memory_mb=2048), "MultiLabelEvaluator": StepCost(cpu_s=25.0)},
        peak_memory_mb=2048,
        versions={"tfx": "1.21.0"},
        canary=_canary(text),
    )  # fmt: skip
    return Material(
        name=text,
        when=WHEN,
        summary=summary.model_copy(update=_outcome_of(changes) | changes),
        texts=texts,
        mistakes=mistakes,
        configuration=f"name: {text}\nmax_tokens: 128\n",
        chosen=f"name: {text}\n",
        provenance=Provenance(
            command=f"bert-multilabel run --config '{text}'", host=text, user=text, cores=2, commit="0123456789abcdef"
        ),
        ingest=IngestReport(
            read=rows * 10, accepted=rows * 10 - 7, quarantined=7, reasons={text: 7},
            splits={"train": rows * 8, "eval": rows - 7, "test": rows},
            labels={label: LabelCount(count=10 * number + 5, first="a:1") for number, label in enumerate(labels)},
        ),
        model=ModelRecord(
            model_id="0123456789abcdef" * 4, labels=list(labels), thresholds=[0.4] * len(labels), checkpoint=text,
            created="2026-11-23T12:00:00+00:00", versions={"tfx": "1.21.0"},
            calibration=CalibrationRecord(method="platt", error_before=0.06, error_after=0.03),
        ),
        training=Training(
            losses=[0.5, 0.3, 0.25], eval_losses=[0.4, 0.32, 0.33], steps=[(50, 0.6), (100, 0.5)],
            eval_macro_f1=[0.3, 0.5, 0.52], best_epoch=2,
            calibration=CalibrationCurve(
                method="platt",
                error={"before": 0.06, "after": 0.03},
                reliability={"before": _reliability(0.1), "after": _reliability(0.02)},
            ),
        ),
        insights=_insights(labels, rows, text, id_),
        behaviour=behaviour(labels, text, id_),
        batches=100,
        distributions=Distributions(
            splits={split: _distribution(labels, size) for split, size in (("train", 8), ("eval", 1), ("test", 1))},
            last=_distribution(labels, 6),
        ),
        past=[
            PastResult(WHEN - timedelta(days=days), 0.53 - days / 100, f"/r/{days}" if days % 2 else None)
            for days in range(4, 0, -1)
        ],
    )  # fmt: skip


def behaviour(labels: Sequence[str], text: str, id_: str) -> Results:
    """Return a group of texts, one of edits and one that is only measured, with failures from both sources."""
    wrong = WrongLabel(label=labels[0], must_be_given=True, probability=0.31, threshold=0.4)
    moved = WrongLabel(label=labels[-1], must_be_given=False, probability=0.52, threshold=0.4, before=0.38)
    own = Failure(text=f"the tests' own {text}", expected=[labels[0]], given=[], wrong=[wrong])
    edited = Failure(text=f"the tests' own {text} tpyo", original=f"the tests' own {text} typo", expected=[labels[0]],
                     given=[labels[0], labels[-1]], wrong=[moved])  # fmt: skip
    row = edited.model_copy(update={"text": f"of the data {text} tpyo", "original": f"of the data {text} typo",
                                    "row": f"{id_}-1"})  # fmt: skip
    return Results(
        groups=[
            GroupResult(name=f"plain {text}", kind="texts", cases=40, passed=38, bound=0.9, failures=[own, own]),
            GroupResult(name="typos", kind="edits", edit="typos", cases=200, passed=150, bound=0.9,
                        failures=[edited, row]),
            GroupResult(name="shouted", kind="edits", edit="upper_case", cases=10, passed=10, bound=0.0),
        ]
    )  # fmt: skip


def _canary(text: str) -> CanaryVerdict:
    findings = CanaryFindings(
        requests=57, load_s=3.21, peak_memory_mb=812, memory_limit_mb=4096, compared_rows=32,
        largest_difference=2.1e-7, latency_note=text,
        latency=[
            Latency(request="one text", candidate_ms=4.2, baseline_ms=4.0, bound_ms=16.0),
            Latency(request=f"32 texts {text}", candidate_ms=190.0, baseline_ms=100.0, bound_ms=160.0),
        ],
    )  # fmt: skip
    return CanaryVerdict(passed=False, reasons=[f"canary: 32 texts take too long {text}"], findings=findings)


def _outcome_of(changes: Mapping[str, Any]) -> dict[str, Outcome]:
    return {"outcome": "blessed" if changes.get("pushed") else "not_blessed"}


def _metrics(labels: Sequence[str], less: float) -> MetricsSummary:
    return MetricsSummary(
        intervals={"macro_f1": (0.48, 0.55), f"f1[{labels[0]}]": (0.35, 0.45)},
        change_intervals={"macro_f1": (-0.01, 0.07)},
        **{name: value - less for name, value in _AVERAGES.items()},
        examples=300,
        per_label={
            label: LabelSummary(
                precision=0.7, recall=0.6, f1=round((0.37 * (number + 2)) % 0.9, 3) - less, auc=0.9, pr_auc=0.6,
                support=100 + number if number % 5 else 3, threshold=0.4, true_positives=60, false_positives=26,
                false_negatives=40 + number, true_negatives=174,
            )
            for number, label in enumerate(labels)
        },
    )  # fmt: skip


def _reliability(off: float) -> list[Reliability]:
    """Return bins that are off by so much; the last one has a few rows only."""
    return [
        Reliability(low=low / 10, examples=200 - 24 * low, probability=low / 10 + 0.05, frequency=low / 10 + 0.05 - off)
        for low in range(9)
    ]


def _distribution(labels: Sequence[str], size: int) -> Distribution:
    counts = {label: size * (10 + (number * (3 + size)) % 40) for number, label in enumerate(labels)}
    return Distribution(
        rows=size * 100, labels=counts, lengths=[(5 + size, 0.0), (60.0 + size, 0.4), (150.0, 0.9), (1_200.0, 1.0)]
    )


def _slice(labels: Sequence[str], rows: int) -> Metrics:
    one = LabelMetrics(precision=0.7, recall=0.6, f1=0.6, auc=0.9, pr_auc=0.6, support=9)
    return Metrics(**_AVERAGES, examples=rows, per_label=dict.fromkeys(labels, one))


def _insights(labels: Sequence[str], rows: int, text: str, id_: str) -> Any:
    random, n_labels = np.random.default_rng(0), len(labels)
    truth = random.random((rows, n_labels)) < np.linspace(0.3, 0.02, n_labels)
    scores = np.clip(np.where(truth, 0.65, 0.3) + random.normal(0, 0.2, truth.shape), 0.001, 0.999).astype(np.float32)
    candidate = ScoreReader(output_indices=tuple(range(n_labels)), thresholds=(0.4,) * n_labels)
    baseline = ScoreReader(output_indices=(*range(n_labels - 1), -1), thresholds=(0.3,) * n_labels)
    tally = InsightsTally(labels, candidate, baseline)
    for row in range(rows):
        columns = np.flatnonzero(truth[row]).tolist()
        tally.add(Example(scores[row], scores[row, :-1], columns, f"{id_}-{row}", f"{text} {row}", None))
    return tally.insights()
