"""TFMA's EvalConfig, from the schema's labels and the configured gates.

TFX's Evaluator does the rest: it runs the models on the examples, slices, measures, and compares with the thresholds.
Gates that depend on support or slices are not thresholds: `components.blessing` decides them, from the Evaluator's
results.
"""

import json
from collections.abc import Mapping, Sequence, Set
from typing import Any

import tensorflow_model_analysis as tfma
from tensorflow_model_analysis.proto import config_pb2

from components.evaluation.gates.checks import GateNames, check_gates
from components.evaluation.gates.gate import Gate
from components.evaluation.metrics.catalogue import average_names, label_key, label_metric_names
from components.evaluation.metrics.multi_label_metrics import MultiLabelMetrics, compared_key
from components.evaluation.settings import EvaluationSettings
from schema.features import LABELS
from schema.label_list import LabelList

# The exported signature, and its only output: probabilities, mapped so that every label's threshold is 0.5.
SIGNATURE = "evaluation"
SCORES = "decision_scores"


def build_eval_config(
    labels: LabelList, settings: EvaluationSettings, domains: Mapping[str, Sequence[str]] | None = None
) -> config_pb2.EvalConfig:
    """Return the evaluation of a candidate, and of a baseline if there is one.

    The true labels are the examples' own label strings. The model's Transform graph, which makes them multi-hot for
    training, is not run again: its multi-hot `labels` would replace the strings that label slices need.

    Args:
        labels: Labels of the schema, in the order of the model's outputs; retired ones are not measured.
        settings: Slices and gates.
        domains: Column -> its values, for the slice columns whose values the schema lists.

    Raises:
        Refused: A gate names a label or a slice that does not exist, or a label that is retired.
    """
    slicing = settings.slicing(len(labels.active))
    check_gates(settings.gates, GateNames(labels, slicing, domains or {}))
    return config_pb2.EvalConfig(
        model_specs=[_model_spec(tfma.CANDIDATE_KEY), _model_spec(tfma.BASELINE_KEY, is_baseline=True)],
        slicing_specs=[
            config_pb2.SlicingSpec(),
            *(config_pb2.SlicingSpec(feature_keys=columns) for columns in slicing.columns),
        ],
        metrics_specs=[_metrics_spec(labels, settings)],
        options=config_pb2.Options(include_default_metrics={"value": False}),
    )


def metric_arguments(eval_config: config_pb2.EvalConfig) -> dict[str, Any]:
    """Return the arguments of `MultiLabelMetrics` in an EvalConfig of `build_eval_config`."""
    arguments: dict[str, Any] = json.loads(eval_config.metrics_specs[0].metrics[0].config)
    return arguments


def model_outputs(eval_config: config_pb2.EvalConfig) -> list[str | None]:
    """Return the label of each of the candidate's outputs that an EvalConfig expects; None for a retired label."""
    arguments = metric_arguments(eval_config)
    return [None if label in arguments["retired"] else label for label in arguments["labels"]]


def set_thresholds(
    eval_config: config_pb2.EvalConfig, candidate: Sequence[float], baseline: Sequence[float] | None
) -> config_pb2.EvalConfig:
    """Return the evaluation with the models' decision thresholds, which probabilities are derived with.

    Args:
        eval_config: The result of `build_eval_config`.
        candidate: Threshold of each of the candidate's outputs.
        baseline: Threshold of each of the baseline's outputs; None if there is no baseline.
    """
    thresholds = {tfma.CANDIDATE_KEY: list(candidate)}
    if baseline is not None:
        thresholds[tfma.BASELINE_KEY] = list(baseline)
    return _set_arguments(eval_config, thresholds=thresholds)


def set_baseline_outputs(
    eval_config: config_pb2.EvalConfig, baseline_outputs: Sequence[str | None]
) -> config_pb2.EvalConfig:
    """Return the evaluation with a baseline whose outputs are not the candidate's.

    Gates against the baseline then apply to the labels that both models have: a gate on an average, to the average over
    them, for both models; a gate on a label that the baseline lacks is dropped. Everything else, such as bounds on the
    candidate alone, stays as it is.

    Args:
        eval_config: The result of `build_eval_config`.
        baseline_outputs: The candidate's label that each output of the baseline is; None if it is none of them.
    """
    changed = _set_arguments(eval_config, baseline_outputs=list(baseline_outputs))
    missing = {label for label in model_outputs(eval_config) if label is not None} - set(baseline_outputs)
    if missing:
        _move_change_thresholds(changed.metrics_specs[0], missing)
    return changed


def _set_arguments(eval_config: config_pb2.EvalConfig, **arguments: Any) -> config_pb2.EvalConfig:
    """Return a copy with these arguments of the metric."""
    changed = config_pb2.EvalConfig()
    changed.CopyFrom(eval_config)
    changed.metrics_specs[0].metrics[0].config = json.dumps(metric_arguments(eval_config) | arguments)
    return changed


def _move_change_thresholds(spec: config_pb2.MetricsSpec, missing: Set[str]) -> None:
    """Remove the change thresholds of labels that the baseline misses, and move those of averages to `compared_key`."""
    dropped = {label_key(metric, label) for metric in label_metric_names() for label in missing}
    averages = average_names()
    for key in sorted(spec.per_slice_thresholds):
        if key not in averages and key not in dropped:
            continue
        thresholds = list(spec.per_slice_thresholds[key].thresholds)
        on_change = [each for each in thresholds if each.threshold.HasField("change_threshold")]
        on_value = [each for each in thresholds if not each.threshold.HasField("change_threshold")]
        del spec.per_slice_thresholds[key]
        if on_value:
            spec.per_slice_thresholds[key].thresholds.extend(on_value)
        if on_change and key in averages:
            spec.per_slice_thresholds[compared_key(key)].thresholds.extend(on_change)


def _model_spec(name: str, *, is_baseline: bool = False) -> config_pb2.ModelSpec:
    return config_pb2.ModelSpec(
        name=name, is_baseline=is_baseline, signature_name=SIGNATURE, prediction_key=SCORES, label_key=LABELS
    )


def _metrics_spec(labels: LabelList, settings: EvaluationSettings) -> config_pb2.MetricsSpec:
    gates = settings.gates
    arguments: dict[str, Any] = {
        "labels": list(labels.names),
        "retired": sorted(labels.retired),
        "gated": sorted(
            {(gate.metric, gate.label) for gate in gates if gate.is_tfma_threshold and gate.label is not None}
        ),
        "intervals": sorted({gate.metric for gate in gates}),
        "compared": sorted({gate.metric for gate in gates if gate.against_baseline and gate.label is None}),
        "length_slices": settings.length_slices,
    }
    metric = config_pb2.MetricConfig(
        class_name=MultiLabelMetrics.__name__, module=MultiLabelMetrics.__module__, config=json.dumps(arguments)
    )
    spec = config_pb2.MetricsSpec(metrics=[metric])
    for gate in gates:
        if gate.is_tfma_threshold:
            # On all examples only: inside its own slice, a label has no negatives and so neither AUC nor false
            # positives.
            spec.per_slice_thresholds[gate.key].thresholds.add(
                slicing_specs=[config_pb2.SlicingSpec()], threshold=_threshold(gate)
            )
    return spec


def _threshold(gate: Gate) -> config_pb2.MetricThreshold:
    bound = {"value": gate.bound}
    if gate.against_baseline:
        direction = config_pb2.LOWER_IS_BETTER if gate.lower_is_better else config_pb2.HIGHER_IS_BETTER
        change = config_pb2.GenericChangeThreshold(direction=direction, absolute=bound)
        return config_pb2.MetricThreshold(change_threshold=change)
    value = {"upper_bound": bound} if gate.lower_is_better else {"lower_bound": bound}
    return config_pb2.MetricThreshold(value_threshold=config_pb2.GenericValueThreshold(**value))
