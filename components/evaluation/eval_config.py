"""From the schema's labels and the configured gates to TFMA's EvalConfig.

TFX's Evaluator does the rest: it runs the models on the examples, slices, measures, and blesses by the thresholds.
"""

import json
from collections.abc import Sequence, Set
from typing import Any

import tensorflow_model_analysis as tfma
from tensorflow_model_analysis.proto import config_pb2

from components.evaluation.gates import AVERAGES, LABEL_METRICS, Gate, check_gates, label_key, parse_gate
from components.evaluation.metrics import MultiLabelMetrics, compared_key
from components.evaluation.settings import EvaluationSettings
from schema.features import LABELS
from schema.label_list import LabelList

# The exported signature and its only output: probabilities mapped so that every label's threshold is 0.5.
SIGNATURE = "evaluation"
SCORES = "decision_scores"


def build_eval_config(labels: LabelList, settings: EvaluationSettings) -> config_pb2.EvalConfig:
    """The evaluation of a candidate, and of a baseline if there is one.

    The right answers are the examples' own label strings: the model's Transform graph, which makes them multi-hot for
    training, need not run again, and its multi-hot `labels` would hide the strings that the label slices slice by.

    Args:
        labels: the labels of the schema, in the order of the model's outputs; retired ones are not measured.
        settings: slices and gates.

    Raises:
        Refused: a gate cannot be read, or names a label that does not exist, or not any more.
    """
    gates = [parse_gate(gate) for gate in settings.gates]
    check_gates(gates, labels)
    features = [LABELS] * settings.label_slices + settings.slices
    return config_pb2.EvalConfig(
        model_specs=[_model_spec(tfma.CANDIDATE_KEY), _model_spec(tfma.BASELINE_KEY, is_baseline=True)],
        slicing_specs=[
            config_pb2.SlicingSpec(),
            *(config_pb2.SlicingSpec(feature_keys=[feature]) for feature in features),
        ],
        metrics_specs=[_metrics_spec(labels, gates)],
        options=config_pb2.Options(include_default_metrics={"value": False}),
    )


def outputs_of(eval_config: config_pb2.EvalConfig) -> list[str | None]:
    """What an EvalConfig of `build_eval_config` takes a candidate's outputs for: labels, None for a retired one."""
    config = _metric_config(eval_config)
    return [None if label in config.get("retired", ()) else label for label in config["labels"]]


def compared_with(eval_config: config_pb2.EvalConfig, baseline_outputs: Sequence[str | None]) -> config_pb2.EvalConfig:
    """The evaluation with a baseline whose outputs are others than the candidate's.

    Each gate against the baseline is asked of the labels that both models have: that of an average is asked of the
    average over them, for both models; that of a label which the baseline lacks is not asked. All else stays as it is,
    the bounds on the candidate alone among it.

    Args:
        eval_config: what `build_eval_config` gave.
        baseline_outputs: which of the candidate's labels each output of the baseline is, None where none.
    """
    changed = config_pb2.EvalConfig()
    changed.CopyFrom(eval_config)
    (spec,) = changed.metrics_specs
    lacking = {label for label in outputs_of(eval_config) if label is not None} - set(baseline_outputs)
    moved = _move_comparisons(spec, lacking) if lacking else []
    config = _metric_config(eval_config) | {"baseline_outputs": list(baseline_outputs)}
    spec.metrics[0].config = json.dumps(config | ({"compared": moved} if moved else {}))
    return changed


def _move_comparisons(spec: config_pb2.MetricsSpec, lacking: Set[str]) -> list[str]:
    """Takes the change thresholds of labels in `lacking` out, and puts those of averages under `compared_key`.

    Returns:
        The averages.
    """
    not_asked = {label_key(metric, label) for metric in LABEL_METRICS for label in lacking}
    moved = []
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
            moved.append(key)
    return moved


def _metric_config(eval_config: config_pb2.EvalConfig) -> dict[str, Any]:
    config: dict[str, Any] = json.loads(eval_config.metrics_specs[0].metrics[0].config)
    return config


def _model_spec(name: str, *, is_baseline: bool = False) -> config_pb2.ModelSpec:
    return config_pb2.ModelSpec(
        name=name, is_baseline=is_baseline, signature_name=SIGNATURE, prediction_key=SCORES, label_key=LABELS
    )


def _metrics_spec(labels: LabelList, gates: Sequence[Gate]) -> config_pb2.MetricsSpec:
    gated = sorted({(gate.metric, gate.label) for gate in gates if gate.label is not None})
    config: dict[str, Any] = {"labels": list(labels.names), "gated": gated}
    if labels.retired:
        config["retired"] = sorted(labels.retired)
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
        # Of all examples only: inside its own slice, a label has no negatives and so neither AUC nor false positives.
        spec.per_slice_thresholds[gate.key].thresholds.add(
            slicing_specs=[config_pb2.SlicingSpec()], threshold=_threshold(gate)
        )
    return spec


def _threshold(gate: Gate) -> config_pb2.MetricThreshold:
    if gate.baseline:
        return config_pb2.MetricThreshold(
            change_threshold=config_pb2.GenericChangeThreshold(
                direction=config_pb2.HIGHER_IS_BETTER, absolute={"value": gate.bound}
            )
        )
    return config_pb2.MetricThreshold(
        value_threshold=config_pb2.GenericValueThreshold(lower_bound={"value": gate.bound})
    )
