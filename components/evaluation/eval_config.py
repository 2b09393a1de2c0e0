"""From the schema's labels and the configured gates to TFMA's EvalConfig.

TFX's Evaluator does the rest: it runs the models on the examples, slices, measures, and judges by the thresholds.
Gates that depend on support are no thresholds: `components.blessing` decides them, on the Evaluator's numbers.
"""

import json
from collections.abc import Mapping, Sequence, Set
from typing import Any

import tensorflow_model_analysis as tfma
from tensorflow_model_analysis.proto import config_pb2

from components.evaluation.gates.checks import Known, check_gates
from components.evaluation.gates.gate import Gate, parse_gate
from components.evaluation.metrics.catalogue import AVERAGES, LABEL_METRICS, label_key
from components.evaluation.metrics.multi_label_metrics import MultiLabelMetrics, compared_key
from components.evaluation.settings import EvaluationSettings
from schema.features import LABELS
from schema.label_list import LabelList

# The exported signature and its only output: probabilities mapped so that every label's threshold is 0.5.
SIGNATURE = "evaluation"
SCORES = "decision_scores"


def build_eval_config(
    labels: LabelList, settings: EvaluationSettings, domains: Mapping[str, Sequence[str]] | None = None
) -> config_pb2.EvalConfig:
    """The evaluation of a candidate, and of a baseline if there is one.

    The right answers are the examples' own label strings: the model's Transform graph, which makes them multi-hot for
    training, need not run again, and its multi-hot `labels` would hide the strings that the label slices slice by.

    Args:
        labels: the labels of the schema, in the order of the model's outputs; retired ones are not measured.
        settings: slices and gates.
        domains: column -> its values, of the slice columns whose values the schema lists.

    Raises:
        Refused: a gate cannot be read, or names a label or a slice that does not exist, or not any more.
    """
    gates = [parse_gate(gate) for gate in settings.gates]
    check_gates(gates, Known(labels, settings.slicing, domains or {}))
    return config_pb2.EvalConfig(
        model_specs=[_model_spec(tfma.CANDIDATE_KEY), _model_spec(tfma.BASELINE_KEY, is_baseline=True)],
        slicing_specs=[
            config_pb2.SlicingSpec(),
            *(config_pb2.SlicingSpec(feature_keys=columns) for columns in settings.slicing.columns),
        ],
        metrics_specs=[_metrics_spec(labels, settings, gates)],
        options=config_pb2.Options(include_default_metrics={"value": False}),
    )


def metric_config(eval_config: config_pb2.EvalConfig) -> dict[str, Any]:
    """The arguments of `MultiLabelMetrics` in an EvalConfig of `build_eval_config`."""
    config: dict[str, Any] = json.loads(eval_config.metrics_specs[0].metrics[0].config)
    return config


def outputs_of(eval_config: config_pb2.EvalConfig) -> list[str | None]:
    """What an EvalConfig of `build_eval_config` takes a candidate's outputs for: labels, None for a retired one."""
    config = metric_config(eval_config)
    return [None if label in config["retired"] else label for label in config["labels"]]


def with_thresholds(
    eval_config: config_pb2.EvalConfig, candidate: Sequence[float], baseline: Sequence[float] | None
) -> config_pb2.EvalConfig:
    """The evaluation of models of which the thresholds are known, one for each output: probabilities come of them."""
    thresholds = {tfma.CANDIDATE_KEY: list(candidate)}
    if baseline is not None:
        thresholds[tfma.BASELINE_KEY] = list(baseline)
    return _with(eval_config, thresholds=thresholds)


def compared_with(eval_config: config_pb2.EvalConfig, baseline_outputs: Sequence[str | None]) -> config_pb2.EvalConfig:
    """The evaluation with a baseline whose outputs are others than the candidate's.

    Each gate against the baseline is asked of the labels that both models have: that of an average is asked of the
    average over them, for both models; that of a label which the baseline lacks is not asked. All else stays as it is,
    the bounds on the candidate alone among it.

    Args:
        eval_config: what `build_eval_config` gave.
        baseline_outputs: which of the candidate's labels each output of the baseline is, None where none.
    """
    changed = _with(eval_config, baseline_outputs=list(baseline_outputs))
    lacking = {label for label in outputs_of(eval_config) if label is not None} - set(baseline_outputs)
    if lacking:
        _move_comparisons(changed.metrics_specs[0], lacking)
    return changed


def _with(eval_config: config_pb2.EvalConfig, **arguments: Any) -> config_pb2.EvalConfig:
    """A copy with other arguments of the metric."""
    changed = config_pb2.EvalConfig()
    changed.CopyFrom(eval_config)
    changed.metrics_specs[0].metrics[0].config = json.dumps(metric_config(eval_config) | arguments)
    return changed


def _move_comparisons(spec: config_pb2.MetricsSpec, lacking: Set[str]) -> None:
    """Takes the change thresholds of labels in `lacking` out, and puts those of averages under `compared_key`."""
    not_asked = {label_key(metric, label) for metric in LABEL_METRICS for label in lacking}
    for key in sorted(spec.per_slice_thresholds):
        if key not in AVERAGES and key not in not_asked:
            continue
        thresholds = list(spec.per_slice_thresholds[key].thresholds)
        comparing = [each for each in thresholds if each.threshold.HasField("change_threshold")]
        alone = [each for each in thresholds if not each.threshold.HasField("change_threshold")]
        del spec.per_slice_thresholds[key]
        if alone:
            spec.per_slice_thresholds[key].thresholds.extend(alone)
        if comparing and key in AVERAGES:
            spec.per_slice_thresholds[compared_key(key)].thresholds.extend(comparing)


def _model_spec(name: str, *, is_baseline: bool = False) -> config_pb2.ModelSpec:
    return config_pb2.ModelSpec(
        name=name, is_baseline=is_baseline, signature_name=SIGNATURE, prediction_key=SCORES, label_key=LABELS
    )


def _metrics_spec(labels: LabelList, settings: EvaluationSettings, gates: Sequence[Gate]) -> config_pb2.MetricsSpec:
    config: dict[str, Any] = {
        "labels": list(labels.names),
        "retired": sorted(labels.retired),
        "gated": sorted({(gate.metric, gate.label) for gate in gates if gate.by_tfma and gate.label is not None}),
        "intervals": sorted({gate.metric for gate in gates}),
        "compared": sorted({gate.metric for gate in gates if gate.baseline and gate.label is None}),
        "length_slices": settings.length_slices,
    }
    spec = config_pb2.MetricsSpec(
        metrics=[
            config_pb2.MetricConfig(
                class_name=MultiLabelMetrics.__name__,
                module=MultiLabelMetrics.__module__,
                config=json.dumps(config),
            )
        ]
    )
    for gate in gates:
        if gate.by_tfma:
            # Of all examples only: inside its own slice, a label has no negatives and so neither AUC nor false
            # positives.
            spec.per_slice_thresholds[gate.key].thresholds.add(
                slicing_specs=[config_pb2.SlicingSpec()], threshold=_threshold(gate)
            )
    return spec


def _threshold(gate: Gate) -> config_pb2.MetricThreshold:
    bound = {"value": gate.bound}
    if gate.baseline:
        direction = config_pb2.LOWER_IS_BETTER if gate.lower_is_better else config_pb2.HIGHER_IS_BETTER
        change = config_pb2.GenericChangeThreshold(direction=direction, absolute=bound)
        return config_pb2.MetricThreshold(change_threshold=change)
    value = {"upper_bound": bound} if gate.lower_is_better else {"lower_bound": bound}
    return config_pb2.MetricThreshold(value_threshold=config_pb2.GenericValueThreshold(**value))
