"""Which version of the registry a candidate is compared with."""

from components import registry
from components.registry import ModelRecord, Version
from schema.errors import Refused


def choose_baseline(base: str, candidate: ModelRecord) -> Version | None:
    """The last blessed and pushed model other than the candidate itself; none that a rollback took back.

    If the candidate was pushed already, only versions older than its own count: a run repeated without a change then
    meets the same baseline as the first time, although the registry has grown by the candidate, and is served from
    the cache; and a version put back by hand is not taken for news.

    Args:
        base: the registry; need not exist yet.
        candidate: the new model.

    Returns:
        The version, or None if there is nothing to compare with.
    """
    versions = registry.standing(base)
    ids = [model_id_of(version) for version in versions]
    if candidate.model_id in ids:
        newest_own = len(ids) - 1 - ids[::-1].index(candidate.model_id)
        versions, ids = versions[:newest_own], ids[:newest_own]
    others = [version for version, model_id in zip(versions, ids, strict=True) if model_id != candidate.model_id]
    return others[-1] if others else None


def model_id_of(version: Version) -> str | None:
    """The model of a version, None for a version that another tool pushed, or that is gone already."""
    try:
        return registry.ModelRecord.read(version.path).model_id
    except Refused:
        return None
