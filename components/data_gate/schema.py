"""Completion of the curated schema: the features that ExampleGen adds, and the bounds on drift."""

from tensorflow_metadata.proto.v0 import schema_pb2

from components.data_gate.settings import DataGateSettings
from schema.features import GROUP_KEY, LABELS, SOFT_LABELS, SOFT_SCORES, SPAN, TEXT_LENGTH, UNKNOWN_LABELS
from schema.label_list import label_list


def complete_schema(
    schema: schema_pb2.Schema,
    settings: DataGateSettings,
    *,
    spans: bool,
    groups: bool = False,
    unknown: bool = False,
    soft: bool = False,
) -> schema_pb2.Schema:
    """Return the schema that ExampleValidator and the data gate compare statistics with.

    Args:
        schema: The schema as a person curates it. Its own bounds on drift are kept.
        settings: The other bounds on drift.
        spans: Whether examples have a span.
        groups: Whether examples have a group.
        unknown: Whether examples may leave labels unknown.
        soft: Whether examples may have labels that some but not all annotators gave.
    """
    complete = schema_pb2.Schema()
    complete.CopyFrom(schema)
    features = {feature.name: feature for feature in complete.feature}
    for name in (TEXT_LENGTH, *([SPAN] if spans else []), *([GROUP_KEY] if groups else [])):
        if name not in features:
            features[name] = complete.feature.add(name=name, type=schema_pb2.INT)
            features[name].presence.min_fraction = 1.0
            features[name].shape.dim.add(size=1)
    if unknown and UNKNOWN_LABELS not in features:
        # Present in the examples that leave a label unknown, which may be none.
        feature = complete.feature.add(name=UNKNOWN_LABELS, type=schema_pb2.BYTES)
        feature.value_count.min = 0
        feature.string_domain.value.extend(label_list(schema).names)
    if soft and SOFT_LABELS not in features:
        feature = complete.feature.add(name=SOFT_LABELS, type=schema_pb2.BYTES)
        feature.value_count.min = 0
        feature.string_domain.value.extend(label_list(schema).names)
        feature = complete.feature.add(name=SOFT_SCORES, type=schema_pb2.FLOAT)
        feature.value_count.min = 0
    if settings.label_drift is not None and not features[LABELS].HasField("drift_comparator"):
        comparator = features[LABELS].drift_comparator
        if settings.label_drift.measure == "l_infinity":
            comparator.infinity_norm.threshold = settings.label_drift.bound
        else:
            comparator.jensen_shannon_divergence.threshold = settings.label_drift.bound
    if settings.length_drift is not None and not features[TEXT_LENGTH].HasField("drift_comparator"):
        features[TEXT_LENGTH].drift_comparator.jensen_shannon_divergence.threshold = settings.length_drift
    return complete
