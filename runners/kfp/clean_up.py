"""Removal of old versions from the registry of remote runs: by the last step, or by the first one where there is none.

The artifacts are the service's: its cache answers from them without asking whether they exist, and cannot be told that
one is gone.
"""

import json
import sys

from components.registry import Claimant, check_owner
from pipeline.config.retention import RetentionSettings
from pipeline.retention import clean_up


def clean_up_registry(settings: str, registry: str, pipeline: str, vertex: str = "") -> None:
    """Remove what the configuration's retention says from a registry, and say so in one line; never fail.

    Args:
        settings: The retention settings, as JSON; empty: another step does it.
        registry: The push destination, as this container sees it.
        pipeline: Name of the pipeline, which the registry must belong to.
        vertex: Where on Vertex AI the models are as well, as JSON {settings, target}: what it serves stays; empty:
            nowhere.
    """
    if not settings:
        return
    try:
        check_owner(registry, Claimant(pipeline=pipeline))
        in_use = _find_numbers_in_use(vertex) if vertex else ()
        plan = clean_up(RetentionSettings.model_validate_json(settings), None, registry, in_use)
    except Exception as error:  # it must not change how the run ends
        sys.stderr.write(f"not cleaned up: {type(error).__name__}: {error}\n")
        return
    if words := plan.in_words():
        sys.stdout.write(f"Removed from {registry}: {words}\n")


def _find_numbers_in_use(vertex: str) -> set[int]:
    from components.vertex_push.settings import VertexPushSettings, VertexTarget
    from components.vertex_push.versions import numbers_in_use

    destination = json.loads(vertex)
    settings = VertexPushSettings.model_validate(destination["settings"])
    return numbers_in_use(settings, VertexTarget.model_validate(destination["target"]))
