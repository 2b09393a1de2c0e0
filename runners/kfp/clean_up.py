"""Removal of old versions from the registry of remote runs: by the last step, or by the first one where there is none.

The artifacts are the service's: its cache answers from them without asking whether they exist, and cannot be told that
one is gone.
"""

import sys

from components.registry import Claimant, check_owner
from pipeline.config.retention import RetentionSettings
from pipeline.retention import clean_up


def clean_up_registry(settings: str, registry: str, pipeline: str) -> None:
    """Remove what the configuration's retention says from a registry, and say so in one line; never fail.

    Args:
        settings: The retention settings, as JSON; empty: another step does it.
        registry: The push destination, as this container sees it.
        pipeline: Name of the pipeline, which the registry must belong to.
    """
    if not settings:
        return
    try:
        check_owner(registry, Claimant(pipeline=pipeline))
        plan = clean_up(RetentionSettings.model_validate_json(settings), None, registry)
    except Exception as error:  # it must not change how the run ends
        sys.stderr.write(f"not cleaned up: {type(error).__name__}: {error}\n")
        return
    if words := plan.in_words():
        sys.stdout.write(f"Removed from {registry}: {words}\n")
