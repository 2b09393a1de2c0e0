"""Cases about `clean`: killed or failing at its file operations, and beside every other command."""

import shutil
from collections.abc import Iterator, Sequence
from pathlib import Path

from ml_metadata.proto import metadata_store_pb2 as mlmd

from components.registry import check_registry, latest
from tests.faults.injection import FAULTS, KILL, Server
from tests.faults.table import Row, normalize
from tests.support.nights import Nights
from tests.support.small_project import make_project

_NIGHTS = 3
_BOUNDS = ("--keep-runs", "1", "--keep-models", "1", "--older-than", "0h")
_SAMPLED = 3  # every so many operations, of errors that are like a full disk


class Setting:
    """Project after some nights, of which a clean-up leaves one, and the model before it.

    Args:
        folder: Folder, in which the project is created once; `restore` puts it back as it was.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder / "project"
        self._whole = folder / "whole"
        self.nights = Nights(make_project(self.folder, rows=20), size=100)
        self.nights.project.configure(retention={"keep_runs": None, "keep_models": None})
        for _ in range(_NIGHTS):
            self.nights.run()
        shutil.copytree(self.folder, self._whole)

    @property
    def command(self) -> list[str]:
        """Command line of the clean-up."""
        return ["cli", "clean", "--config", str(self.nights.project.configuration), *_BOUNDS]

    def restore(self) -> None:
        """Put the project back as it was after its nights."""
        shutil.rmtree(self.folder)
        shutil.copytree(self._whole, self.folder)

    def served(self) -> str:
        """Return what answers, and whether it and every artifact that the cache may take is whole."""
        base = self.nights.config.registry
        broken = [finding for finding in check_registry(base) if finding.broken]
        newest = latest(base)
        before = latest(str(self._whole / "registry"))
        assert newest is not None
        assert before is not None
        if broken:
            return f"BROKEN: {broken[0].where} {broken[0].what}"
        for uri in self._taken_from_the_cache():
            if _names(uri) != _names(self._whole / uri.relative_to(self.folder)):
                return f"BROKEN: {uri.relative_to(self.folder)} is not whole"
        return f"the {'old' if newest.number == before.number else 'new'} version, whole"

    def after(self, server: Server) -> str:
        """Run the command again, without a fault; return what came of it."""
        (again,) = server.run(self.command)
        if again.status:
            return f"status {again.status}: {normalize(again.last_line, self.folder)}"
        there = {path for path in self.nights.work_dir.artifacts.glob("*/*/*") if path.is_dir()}
        registry = Path(self.nights.config.registry)
        left = [path for path in registry.iterdir() if path.name.startswith((".incoming-", ".removing-"))]
        left += list(there.symmetric_difference(self._taken_from_the_cache()))
        return "succeeds" + (f", LEAVES {len(left)}" if left else "")

    def _taken_from_the_cache(self) -> list[Path]:
        """Return the folders of the artifacts that TFX would take from its cache."""
        self.nights.work_dir.check_metadata()  # rolls back what a killed process had begun
        artifacts = self.nights.store().get_artifacts()
        live = [Path(each.uri) for each in artifacts if each.state == mlmd.Artifact.LIVE]
        return [uri for uri in live if uri.exists()]


def _names(folder: Path) -> list[str]:
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*"))


def fault_rows(server: Server, folder: Path, *, every: int = 1) -> Iterator[Row]:
    """Let file operations of a clean-up fail, or the process be killed there.

    Args:
        server: Server with the library.
        folder: Folder for the project.
        every: Kill at only every so many operations; errors are tried at fewer.
    """
    setting = Setting(folder / "clean")
    (counted,) = server.run(setting.command, under=setting.folder)
    assert counted.status == 0, counted.said
    assert counted.operations > 40
    for fault, number in FAULTS.items():
        for at in range(1, counted.operations + 1, every if number == KILL else every * _SAMPLED):
            setting.restore()
            (ended,) = server.run(setting.command, under=setting.folder, at=at, fault=number)
            assert "Traceback" not in ended.said, ended.said
            served = setting.served()
            said = "" if number == KILL else _without_file(normalize(ended.last_line, setting.folder))
            status = "killed" if number == KILL else str(ended.status)
            which = "each" if number == KILL else f"every {_SAMPLED}rd"
            yield Row("clean", f"{fault} at {which} file operation", served, said, status, setting.after(server))


def pair_rows(server: Server, folder: Path, *, rounds: int = 5) -> Iterator[Row]:
    """Run a clean-up and another command on one project at once, several times each."""
    setting = Setting(folder / "clean-pairs")
    configuration, base = str(setting.nights.project.configuration), setting.nights.config.registry
    work_dir = setting.nights.config.work_dir
    others: dict[str, Sequence[str]] = {
        "clean": setting.command,
        "clean --dry-run": [*setting.command, "--dry-run"],
        "rollback": ["rollback", base],
        "models list": ["cli", "models", "list", "--registry", base],
        "models verify": ["cli", "models", "verify", "--registry", base],
        "history": ["cli", "history", work_dir],
        "report": ["cli", "report", work_dir],
        "labels list": ["cli", "labels", "list", "--config", configuration],
        "a run in progress": ["hold", work_dir, "1"],
    }
    for name, other in others.items():
        for _ in range(rounds):
            setting.restore()
            both = server.run(setting.command, other)
            assert all("Traceback" not in ended.said for ended in both), [ended.said for ended in both]
            said = next((normalize(ended.last_line, setting.folder) for ended in both if ended.last_line), "")
            said = said.partition(" (process ")[0]
            statuses = " and ".join(str(ended.status) for ended in both)
            yield Row(f"clean and {name}", "at once", setting.served(), said, statuses, setting.after(server))
    yield from _busy_rows(server, setting)


def _busy_rows(server: Server, setting: Setting) -> Iterator[Row]:
    """Call each command while a run is in progress: one that writes is refused, and one that reads answers."""
    configuration, base = str(setting.nights.project.configuration), setting.nights.config.registry
    work_dir = setting.nights.config.work_dir
    others: dict[str, Sequence[str]] = {
        "run": ["cli", "run", "--config", configuration],
        "check": ["cli", "check", "--config", configuration],
        "rollback": ["rollback", base],
        "models list": ["cli", "models", "list", "--registry", base],
        "models verify": ["cli", "models", "verify", "--registry", base],
        "history": ["cli", "history", work_dir],
        "report": ["cli", "report", work_dir],
        "quarantine": ["cli", "quarantine", work_dir],
    }
    for name, other in others.items():
        setting.restore()
        run, ended = server.run(["hold", work_dir, "3"], ["later", "1", *other])
        assert run.status == 0, run.said
        assert "Traceback" not in ended.said, ended.said
        said = normalize(ended.last_line, setting.folder).partition(" (process ")[0]
        yield Row(
            f"{name}, while a run is in progress", "-", setting.served(), said, str(ended.status), setting.after(server)
        )


def _without_file(line: str) -> str:
    """Return a message without the name of its file: each operation is on another one."""
    return f"error: FILE: {line.rpartition(': ')[2]}" if line else ""
