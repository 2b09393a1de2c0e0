"""Values that features may have, where the schema lists them."""

from tensorflow_metadata.proto.v0 import schema_pb2


def string_domains(schema: schema_pb2.Schema) -> dict[str, tuple[str, ...]]:
    """Return the values of every feature with a closed string domain, by the feature's name.

    A domain may be the feature's own or one of the schema's that the feature names.
    """
    named = {domain.name: domain for domain in schema.string_domain}
    found = {}
    for feature in schema.feature:
        kind = feature.WhichOneof("domain_info")
        domain = named.get(feature.domain) if kind == "domain" else feature.string_domain if kind else None
        if kind in ("domain", "string_domain") and domain is not None and domain.value and not _is_open(feature):
            found[feature.name] = tuple(domain.value)
    return found


def _is_open(feature: schema_pb2.Feature) -> bool:
    """Return whether TFDV accepts values outside the feature's domain."""
    return bool(feature.HasField("distribution_constraints") and feature.distribution_constraints.min_domain_mass < 1)
