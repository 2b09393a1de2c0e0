"""Removal of what past runs left and nobody needs: after each run, and by `clean`. Needs no TensorFlow for local paths.

Each part can be interrupted anywhere: what is removed first stops being an artifact or a version, and what is left of
it is removed the next time. One process at a time changes anything: the caller holds the working directory, and the
registry has a lock of its own.
"""

import os
from collections import Counter
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

from rich.console import Console
from rich.text import Text

from components import registry
from components.common.files import file_size, is_remote, remove_tree
from components.registry import Version
from components.report.summary import Summary
from components.training_log.log import old_entries, remove_old_entries
from pipeline.artifact_store import ArtifactStore, StoredArtifact, metadata_refused
from pipeline.config.configuration import Configuration
from pipeline.config.retention import RetentionSettings
from pipeline.errors import describe
from pipeline.run_folder import read_pushed, start_time
from pipeline.work_dir import WorkDir
from schema.errors import Refused

# Files of a run's folder that are removed; the summary, the model card and the configuration stay for the history.
_LARGE_FILES = ("log.txt", "report.html", "watch.html", "slices.parquet", "suspects.csv", "suspects.json")
# Newest entries of the log of what was trained on that stay: a span may be trained on again long after.
_ENTRIES = 30
_PARTIAL = "*.partial"  # what a process that was killed while it wrote a file left


@dataclass(frozen=True)
class Plan:
    """What a clean-up removes.

    Attributes:
        artifacts: Artifacts of past runs.
        versions: Versions of the registry.
        files: Logs and reports of past runs.
        leftovers: Files and folders that killed runs and trainings left.
        incomplete: Versions that killed pushes and removals left in the registry.
        entries: Entries of the log of what was trained on, which hold statistics of the data.
        size: Bytes on disk that this frees.
    """

    artifacts: list[StoredArtifact]
    versions: list[Version]
    files: list[Path]
    leftovers: list[Path]
    incomplete: list[Path]
    entries: list[str]
    size: int = 0

    @property
    def paths(self) -> list[str]:
        """Everything that is removed."""
        return [
            *(str(each.folder) for each in self.artifacts),
            *(each.path for each in self.versions),
            *(copy for each in self.versions if (copy := registry.serving_copy(each))),
            *self.entries,
            *(str(path) for path in [*self.files, *self.leftovers, *self.incomplete]),
        ]

    def in_words(self) -> str:
        """Return what is removed, in words; empty if nothing is."""
        counts = {
            "artifact": len(self.artifacts),
            "model": len(self.versions),
            "record of data": len(self.entries),
            "log or report": len(self.files),
            "leftover": len(self.leftovers) + len(self.incomplete),
        }
        words = [_counted(count, name) for name, count in counts.items() if count]
        return f"{', '.join(words)} ({in_megabytes(self.size)})" if words else ""

    def listed(self) -> Iterator[str]:
        """Yield a line for everything that is removed: its size, alone, and its path."""
        for path in self.paths:
            yield f"{in_megabytes(_size([path])):>12}  {path}"


def in_megabytes(size: int) -> str:
    """Return a number of bytes in MB, as disks are sold.

    Example:
        >>> in_megabytes(94_371_840)
        '94.4 MB'
    """
    return f"{size / 1e6:,.1f} MB"


_PLURALS = {"log or report": "logs and reports", "record of data": "records of data"}


def _counted(count: int, name: str) -> str:
    return f"{count} {name if count == 1 else _PLURALS.get(name, f'{name}s')}"


def plan_clean_up(
    settings: RetentionSettings, work_dir: WorkDir | None, base: str, in_use: Collection[int] = ()
) -> Plan:
    """Find what may be removed; change nothing.

    Args:
        settings: What is kept.
        work_dir: Working directory of the pipeline's local runs; None: only the registry.
        base: The registry.
        in_use: Numbers of versions that something else than the registry's servers serves.

    Raises:
        Refused: The registry or the metadata cannot be read, so what is needed is unknown.
    """
    return _plan(settings, work_dir, base, in_use, datetime.now(UTC) - settings.age)


def _plan(
    settings: RetentionSettings, work_dir: WorkDir | None, base: str, in_use: Collection[int], before: datetime
) -> Plan:
    keep_models = settings.keep_models
    versions = [] if keep_models is None else registry.removable(base, keep_models, before, in_use)
    artifacts: list[StoredArtifact] = []
    files: list[Path] = []
    leftovers = [] if is_remote(base) else _partial_files(Path(base), before)
    if work_dir is not None:
        work_dir.check_metadata()
        with metadata_refused(work_dir.metadata):
            store = ArtifactStore(work_dir, read_only=True)
            strays = store.strays()
            if settings.keep_runs is not None:
                artifacts = store.unneeded(settings.keep_runs, before, _live_paths(base))
        leftovers += [*strays, *_partial_files(work_dir.runs, before), *_old_states(work_dir, before)]
        if settings.keep_runs is not None:
            removed = {version.path for version in versions}
            kept = [version.path for version in registry.versions(base) if version.path not in removed]
            files = _old_files(work_dir, settings.keep_runs, before, kept)
    entries = [] if settings.keep_runs is None else old_entries(base, max(settings.keep_runs, _ENTRIES), before)
    plan = Plan(artifacts, versions, files, leftovers, registry.leftovers(base), entries)
    return replace(plan, size=_size(plan.paths))


def clean_up(settings: RetentionSettings, work_dir: WorkDir | None, base: str, in_use: Collection[int] = ()) -> Plan:
    """Remove what may be removed; arguments and errors are those of `plan_clean_up`.

    The caller holds the working directory. What killed runs left open in the metadata is closed.

    Returns:
        What was removed.
    """
    before = datetime.now(UTC) - settings.age  # once, so that what is removed is what the plan says
    plan = _plan(settings, work_dir, base, in_use, before)
    # What writes comes last: on a full disk there is space by then.
    for path in [*plan.leftovers, *plan.files]:
        remove_tree(path)
    registry.remove_leftovers(base)
    if work_dir is not None:
        with metadata_refused(work_dir.metadata):
            store = ArtifactStore(work_dir)
            store.delete(plan.artifacts)
            store.mark_missing()
            store.close_killed()
    if plan.versions and settings.keep_models is not None:
        registry.remove_versions(base, settings.keep_models, before, in_use)
    if plan.entries and settings.keep_runs is not None:
        remove_old_entries(base, max(settings.keep_runs, _ENTRIES), before)
    return plan


def settle(work_dir: WorkDir, console: Console) -> None:
    """Close what killed runs left open, before a run begins, and empty the folders that its steps will write to.

    The caller holds the working directory.

    Raises:
        Refused: The metadata cannot be read.
    """
    with metadata_refused(work_dir.metadata):
        store = ArtifactStore(work_dir)
        store.close_killed()
        store.mark_missing()
        strays = store.strays()
    if strays and not work_dir.metadata.exists():
        line = f"{work_dir.artifacts}: removed what is there, since {work_dir.metadata} is gone and knows none of it"
        console.print(Text(line), soft_wrap=True)
    for path in strays:
        remove_tree(path)


def retention_here(config: Configuration, base: str) -> RetentionSettings:
    """Return the retention of runs that do not ask Vertex AI what it serves: they leave its versions alone.

    Args:
        config: The configuration.
        base: The registry of the runs.
    """
    vertex = config.runner.vertex
    if (
        vertex is None
        or vertex.push is None
        or (vertex.paths.registry or config.registry).rstrip("/") != base.rstrip("/")
    ):
        return config.retention
    return config.retention.model_copy(update={"keep_models": None})


def clean_up_after_run(config: Configuration, console: Console, work_dir: WorkDir | None = None) -> None:
    """Remove what the configuration says, at the end of a run, and say so; an error never changes how the run ended.

    Args:
        config: The configuration.
        console: Where it is said.
        work_dir: Working directory of a run that trains nothing and so removes no version; None: the configuration's,
            of a run that trains.
    """
    settings = retention_here(config, config.registry)
    if work_dir is not None:
        settings = settings.model_copy(update={"keep_models": None})
    try:
        plan = clean_up(settings, work_dir or WorkDir(config.work_dir), config.registry)
    except (Refused, OSError) as error:
        console.print(Text(f"Not cleaned up: {describe(error)}"), soft_wrap=True)
        return
    if words := plan.in_words():
        console.print(Text(f"Removed: {words}; retention in the configuration has the bounds"), soft_wrap=True)


def _live_paths(base: str) -> list[str]:
    """Return the path of the version in service, and of those that it is a copy of."""
    live = registry.latest(base)
    return [] if live is None else [f"{base.rstrip('/')}/{number}" for number in registry.originals(base, live)]


def _old_files(work_dir: WorkDir, keep: int, before: datetime, kept_versions: Iterable[str]) -> list[Path]:
    """Return logs and reports, but those of the newest runs and of the runs whose model is in the registry."""
    versions = set(kept_versions)
    folders = [run for run in sorted(work_dir.runs.glob("*"), reverse=True) if _large_files(run)]
    return [
        path
        for run in folders[keep:]
        if _started_before(run, before) and _find_pushed(run) not in versions
        for path in _large_files(run)
    ]


def _large_files(run: Path) -> list[Path]:
    return [path for name in _LARGE_FILES if (path := run / name).is_file()]


def _started_before(run: Path, before: datetime) -> bool:
    try:
        return start_time(run) < before
    except FileNotFoundError:  # not a run's folder
        return False


def _find_pushed(run: Path) -> str | None:
    try:
        return Summary.read(str(run)).pushed
    except FileNotFoundError:
        return read_pushed(run)
    except Refused:
        return None


def _partial_files(folder: Path, before: datetime) -> list[Path]:
    patterns = (_PARTIAL, f"*/{_PARTIAL}", f".trained_on/*/{_PARTIAL}", f".splits/*/{_PARTIAL}")
    found = [path for pattern in patterns for path in folder.glob(pattern)]
    return sorted(path for path in found if _modified_before(path, before))


def _old_states(work_dir: WorkDir, before: datetime) -> list[Path]:
    """Return the states of trainings that were interrupted and never resumed."""
    states = [path for path in work_dir.resume.glob("*") if path.is_dir()]
    return sorted(path for path in states if all(_modified_before(each, before) for each in [path, *path.glob("*")]))


def _modified_before(path: Path, before: datetime) -> bool:
    try:
        return datetime.fromtimestamp(path.stat().st_mtime, UTC) < before
    except OSError:  # gone meanwhile
        return False


def _size(paths: Iterable[str]) -> int:
    """Return the bytes that are free when these files and folders are gone; a file counts when its last link is."""
    remote = [path for path in paths if is_remote(path)]
    links: Counter[tuple[int, int]] = Counter()
    found: dict[tuple[int, int], os.stat_result] = {}
    for path in paths:
        for file in _files(path) if not is_remote(path) else ():
            try:
                status = os.stat(file, follow_symlinks=False)  # noqa: PTH116 - strings, as walk's are
            except FileNotFoundError:  # gone already: a clean-up was killed, or another one is in progress
                continue
            inode = (status.st_dev, status.st_ino)
            links[inode] += 1
            found[inode] = status
    local = sum(each.st_blocks * 512 for inode, each in found.items() if links[inode] >= each.st_nlink)
    return local + sum(file_size(file) for path in remote for file in _remote_files(path))


def _files(path: str) -> Iterator[str]:
    if not Path(path).is_dir():
        yield path
    for parent, _, names in os.walk(path):
        yield from (os.path.join(parent, name) for name in names)  # noqa: PTH118 - strings, as walk's are


def _remote_files(path: str) -> Iterator[str]:
    from tfx.dsl.io import fileio

    for parent, _, names in fileio.walk(path):
        yield from (f"{parent.rstrip('/')}/{name}" for name in names)
