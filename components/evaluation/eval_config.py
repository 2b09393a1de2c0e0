"""From the schema's labels and the configured gates to TFMA's EvalConfig.

TFX's Evaluator does the rest: it runs the models on the examples, slices, measures, and blesses by the thresholds.
"""

import json
from collections.abc import Sequence

import tensorflow_model_analysis as tfma
from tensorflow_model_analysis.proto import config_pb2

from components.evaluation.gates import Gate, check_gates, parse_gate
from components.evaluation.metrics import MultiLabelMetrics
from components.evaluation.settings import EvaluationSettings
from schema.features import LABELS

# The exported signature and its only output: probabilities mapped so that every label's threshold is 0.5.
SIGNATURE = "evaluation"
SCORES = "decision_scores"


def build_eval_config(labels: Sequence[str], settings: EvaluationSettings) -> config_pb2.EvalConfig:
    """The evaluation of a candidate, and of a baseline if there is one.

    The right answers are the examples' own label strings: the model's Transform graph, which makes them multi-hot for
    training, need not run again, and its multi-hot `labels` would hide the strings that the label slices slice by.

    Args:
        labels: the labels of the schema, in the order of the model's outputs.
        settings: slices and gates.

    Raises:
        Refused: a gate cannot be read, or names a label that does not exist.
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


def labels_of(eval_config: config_pb2.EvalConfig) -> list[str]:
    """The labels that an EvalConfig of `build_eval_config` measures, in order."""
    labels: list[str] = json.loads(eval_config.metrics_specs[0].metrics[0].config)["labels"]
    return labels


def _model_spec(name: str, *, is_baseline: bool = False) -> config_pb2.ModelSpec:
    return config_pb2.ModelSpec(
        name=name, is_baseline=is_baseline, signature_name=SIGNATURE, prediction_key=SCORES, label_key=LABELS
    )


def _metrics_spec(labels: Sequence[str], gates: Sequence[Gate]) -> config_pb2.MetricsSpec:
    gated = sorted({(gate.metric, gate.label) for gate in gates if gate.label is not None})
    spec = config_pb2.MetricsSpec(
        metrics=[
            config_pb2.MetricConfig(
                class_name=MultiLabelMetrics.__name__,
                module=MultiLabelMetrics.__module__,
                config=json.dumps({"labels": list(labels), "gated": gated}),
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
