"""Which values a feature may have, where the schema says so."""

from tensorflow_metadata.proto.v0 import schema_pb2


def string_domains(schema: schema_pb2.Schema) -> dict[str, tuple[str, ...]]:
    """Feature -> its values, of the features with a closed string domain, of their own or one that they name."""
    named = {domain.name: domain for domain in schema.string_domain}
    found = {}
    for feature in schema.feature:
        kind = feature.WhichOneof("domain_info")
        domain = named.get(feature.domain) if kind == "domain" else feature.string_domain if kind else None
        if kind in ("domain", "string_domain") and domain is not None and domain.value and not _is_open(feature):
            found[feature.name] = tuple(domain.value)
    return found


def _is_open(feature: schema_pb2.Feature) -> bool:
    """Whether some values may lie outside of the domain, as TFDV reads it."""
    return bool(feature.HasField("distribution_constraints") and feature.distribution_constraints.min_domain_mass < 1)
