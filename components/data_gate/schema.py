"""The curated schema, completed: the features that ExampleGen adds, and the bounds on drift."""

from tensorflow_metadata.proto.v0 import schema_pb2

from components.data_gate.settings import DataGateSettings
from schema.features import LABELS, SPAN, TEXT_LENGTH


def complete_schema(schema: schema_pb2.Schema, gate: DataGateSettings, *, spans: bool) -> schema_pb2.Schema:
    """What StatisticsGen's results are held against.

    Args:
        schema: As the person curates it. A bound on drift that it has itself is left as it is.
        gate: Gives the other bounds.
        spans: Whether the examples have a span.
    """
    complete = schema_pb2.Schema()
    complete.CopyFrom(schema)
    features = {feature.name: feature for feature in complete.feature}
    for name in (TEXT_LENGTH, *([SPAN] if spans else [])):
        if name not in features:
            features[name] = complete.feature.add(name=name, type=schema_pb2.INT)
            features[name].presence.min_fraction = 1.0
            features[name].shape.dim.add(size=1)
    if gate.label_drift is not None and not features[LABELS].HasField("drift_comparator"):
        comparator = features[LABELS].drift_comparator
        if gate.label_drift.measure == "l_infinity":
            comparator.infinity_norm.threshold = gate.label_drift.bound
        else:
            comparator.jensen_shannon_divergence.threshold = gate.label_drift.bound
    if gate.length_drift is not None and not features[TEXT_LENGTH].HasField("drift_comparator"):
        features[TEXT_LENGTH].drift_comparator.jensen_shannon_divergence.threshold = gate.length_drift
    return complete
