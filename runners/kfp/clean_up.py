"""Removal of what nobody needs after a remote run: by the last step, or by the first one where there is none.

Old versions go from the registry, and artifacts of past runs from the object store (`pipeline.remote_runs`).
"""

import json
import sys
from collections.abc import Callable

from components.registry import Claimant, check_owner
from pipeline.config.retention import RetentionSettings
from pipeline.remote_retention import clean_up_remote_runs
from pipeline.retention import clean_up


def clean_up_after_remote_run(settings: str, registry: str, pipeline: str, vertex: str = "") -> None:
    """Remove what the configuration's retention says, and say so in a line or two; never fail.

    Args:
        settings: The retention settings, as JSON; empty: another step does it.
        registry: The push destination, as this container sees it.
        pipeline: Name of the pipeline, which the registry must belong to.
        vertex: Where on Vertex AI the models are as well, as JSON {settings, target}: what it serves stays; empty:
            nowhere.
    """
    if not settings:
        return
    _try_to_remove(f"from {registry}", lambda: _clean_up_registry(settings, registry, pipeline, vertex))
    _try_to_remove("of past runs", lambda: _clean_up_runs(settings, registry, pipeline))


def _try_to_remove(what: str, remove: Callable[[], str]) -> None:
    try:
        words = remove()
    except Exception as error:  # it must not change how the run ends
        sys.stderr.write(f"not cleaned up: {type(error).__name__}: {error}\n")
        return
    if words:
        sys.stdout.write(f"Removed {what}: {words}\n")


def _clean_up_registry(settings: str, registry: str, pipeline: str, vertex: str) -> str:
    check_owner(registry, Claimant(pipeline=pipeline))
    in_use = _find_numbers_in_use(vertex) if vertex else ()
    return clean_up(RetentionSettings.model_validate_json(settings), None, registry, in_use).in_words()


def _clean_up_runs(settings: str, registry: str, pipeline: str) -> str:
    check_owner(registry, Claimant(pipeline=pipeline))
    return clean_up_remote_runs(RetentionSettings.model_validate_json(settings), registry).in_words()


def _find_numbers_in_use(vertex: str) -> set[int]:
    from components.vertex_push.settings import VertexPushSettings, VertexTarget
    from components.vertex_push.versions import numbers_in_use

    destination = json.loads(vertex)
    settings = VertexPushSettings.model_validate(destination["settings"])
    return numbers_in_use(settings, VertexTarget.model_validate(destination["target"]))
