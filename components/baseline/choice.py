"""Choice of the registry version that a candidate is compared with."""

from components import registry
from components.registry import ModelRecord, Version


def choose_baseline(base: str, candidate: ModelRecord) -> Version | None:
    """Return the last blessed and pushed model that is not the candidate itself, without those rolled back.

    If the candidate has already been pushed, only versions older than its own count. A run that is repeated without
    changes then gets the same baseline as the first time, although the registry now has the candidate as well, and its
    steps come from the cache; a version that was put back by hand is not mistaken for a new one.

    Args:
        base: Folder of the registry; need not exist.
        candidate: Record of the new model.

    Returns:
        The version; None if there is none to compare with.

    Raises:
        Refused: The record of a version cannot be read.
    """
    versions = registry.standing(base)
    ids = [read_model_id(version) for version in versions]
    if candidate.model_id in ids:
        newest_own = len(ids) - 1 - ids[::-1].index(candidate.model_id)
        versions, ids = versions[:newest_own], ids[:newest_own]
    others = [version for version, model_id in zip(versions, ids, strict=True) if model_id != candidate.model_id]
    return others[-1] if others else None


def read_model_id(version: Version) -> str | None:
    """Return the id of a version's model; None if another tool pushed the version, or it has been removed.

    Raises:
        Refused: The version's record cannot be read.
    """
    record = registry.find_record(version)
    return None if record is None else record.model_id
