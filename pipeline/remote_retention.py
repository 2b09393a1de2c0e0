"""Removal of the artifacts of past remote runs, within the bounds of `retention:`."""

import sys
from dataclasses import dataclass
from datetime import UTC, datetime

from components.common.object_store import remove_stored, stored_size
from components.registry import latest, originals
from pipeline.config.retention import RetentionSettings
from pipeline.kubeflow_metadata import mark_removed
from pipeline.remote_runs import RunRecord, begin_removal, forget_run, removable_runs
from pipeline.retention import in_megabytes


@dataclass(frozen=True)
class RemotePlan:
    """What a clean-up removes of remote runs.

    Attributes:
        sizes: Bytes of the artifacts of each run.
    """

    sizes: list[tuple[RunRecord, int]]

    @property
    def runs(self) -> list[RunRecord]:
        """The runs whose artifacts are removed."""
        return [run for run, _ in self.sizes]

    def in_words(self) -> str:
        """Return what is removed, in words; empty if nothing is."""
        count = len(self.sizes)
        if not count:
            return ""
        size = in_megabytes(sum(size for _, size in self.sizes))
        return f"artifacts of {count} run{'s' * (count != 1)} ({size})"

    def listed(self) -> list[str]:
        """Return a line for the artifacts of each run: their size and their folder."""
        return [f"{in_megabytes(size):>12}  {run.folder}" for run, size in self.sizes]


def plan_remote_clean_up(settings: RetentionSettings, registry: str) -> RemotePlan:
    """Find the artifacts that may be removed; change nothing.

    Args:
        settings: What is kept.
        registry: The registry of the runs, which has their records.

    Raises:
        Refused: A record cannot be read, or the store of the artifacts cannot be looked at.
    """
    if settings.keep_runs is None:
        return RemotePlan([])
    before = datetime.now(UTC) - settings.age
    version = latest(registry)
    # By number: containers, and whoever cleans up by hand, may see the registry at different paths.
    live = set() if version is None else originals(registry, version)
    runs = removable_runs(registry, settings.keep_runs, before, live)
    return RemotePlan([(run, stored_size(run.folder) if run.folder else 0) for run in runs])


def clean_up_remote_runs(settings: RetentionSettings, registry: str) -> RemotePlan:
    """Remove the artifacts that may be removed; arguments and errors are those of `plan_remote_clean_up`.

    It may be killed at any time: what it has begun, no run takes from the cache, and the next clean-up ends it.

    Returns:
        What was removed.
    """
    plan = plan_remote_clean_up(settings, registry)
    leaving = {run.run for run in begin_removal(registry, plan.runs)}
    removed = [(run, size) for run, size in plan.sizes if run.run in leaving]
    for run, _ in removed:
        if run.folder:
            remove_stored(run.folder)
            _mark_removed(run)
        forget_run(registry, run.run)
    return RemotePlan(removed)


def _mark_removed(run: RunRecord) -> None:
    """Mark the artifacts in Kubeflow's metadata; say in a line if that fails, which keeps nothing from working."""
    try:
        mark_removed(run.run, run.folder)
    except Exception as error:
        sys.stderr.write(f"run {run.run}: not marked as deleted in ML Metadata: {type(error).__name__}: {error}\n")
