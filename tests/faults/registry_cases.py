"""Cases about the registry: pushes and rollbacks that are killed or fail, damaged versions, two commands at once."""

import json
import shutil
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from components.registry import ModelRecord, Version, check_registry, find_owner, latest, push, versions
from components.registry.record import DIGEST_KEY, record_digest
from tests.faults.injection import FAULTS, KILL, Server
from tests.faults.table import Row, normalize

_COMMANDS = ("push", "rollback", "remove")


def make_model(folder: Path, content: str) -> Path:
    """Write a model of four files, each of which holds `content`."""
    for name in ("variables/variables.index", "variables/variables.data-00000-of-00001", "assets/vocab.txt"):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(content)
    (folder / "saved_model.pb").write_text(content)
    ModelRecord(
        model_id=content, labels=["joy"], thresholds=[0.5], checkpoint="google", created="2026-01-01", versions={}
    ).write(str(folder))
    return folder


class Registry:
    """Registry of some versions in a fresh folder, and another model to push.

    Args:
        folder: Folder, which is created anew.
        names: Names of the models of the versions.
    """

    def __init__(self, folder: Path, names: Sequence[str] = ("oldest", "old")) -> None:
        shutil.rmtree(folder, ignore_errors=True)
        self.folder = folder
        self.base = folder / "registry"
        self.new = make_model(folder / "new", "new")
        models = [make_model(folder / name, name) for name in names]
        self.old = [push(str(model), str(self.base), ModelRecord.read(str(model))) for model in models]

    def command(self, name: str) -> list[str]:
        """Return the command line of `push`, `rollback` or `remove`."""
        return ["push", str(self.new), str(self.base)] if name == "push" else [name, str(self.base)]

    def served(self) -> str:
        """Return which version answers, and whether every version is whole."""
        broken = [finding for finding in check_registry(str(self.base)) if finding.broken]
        newest = latest(str(self.base))
        assert newest is not None
        which = "the old version" if newest == self.old[-1] else "the new version"
        return f"{which}, whole" if not broken else f"BROKEN: {broken[0].where} {broken[0].what}"

    def after(self, server: Server, name: str) -> str:
        """Run the command again, without a fault; return what came of it."""
        (again,) = server.run(self.command(name))
        if again.status:
            return f"status {again.status}: {normalize(again.last_line, self.folder)}"
        left = [path for path in self.base.iterdir() if path.name.startswith((".incoming-", ".removing-"))]
        return "succeeds" + ("" if not left else f", LEAVES {len(left)} incomplete folders")


def fault_rows(server: Server, folder: Path, *, every: int = 1) -> Iterator[Row]:
    """Let each file operation of a push, a rollback and a removal fail, or the process be killed there.

    Args:
        server: Server with the library.
        folder: Folder for the registries.
        every: Try only every so many operations.
    """
    for name in _COMMANDS:
        names = ("first", "second", "oldest", "old") if name == "remove" else ("oldest", "old")
        setting = Registry(folder / "count", names)
        (counted,) = server.run(setting.command(name), under=setting.base, at=0)
        assert counted.status == 0, counted.said
        assert counted.operations > 10
        for fault, number in FAULTS.items():
            for at in range(1, counted.operations + 1, every):
                yield _fault_row(server, Registry(folder / "case", names), name, fault, number, at)


def _fault_row(server: Server, setting: Registry, name: str, fault: str, number: int, at: int) -> Row:
    (ended,) = server.run(setting.command(name), under=setting.base, at=at, fault=number)
    served = setting.served()
    if number == KILL:
        assert ended.status == KILL
    assert "Traceback" not in ended.said, ended.said
    if ended.status == 0:
        expected = "the old version, whole" if name == "remove" else "the new version, whole"
        assert served == expected, "success is told only of what answers"
    said = "" if number == KILL else _message(normalize(ended.last_line, setting.folder))
    status = "killed" if number == KILL else str(ended.status)
    return Row(name, f"{fault} at each file operation", served, said, status, setting.after(server, name))


def _message(line: str) -> str:
    """Return a message without the name of its file: each operation is on another one."""
    return f"error: FILE: {line.rpartition(': ')[2]}" if line else ""


def _truncate(content: bytes) -> bytes:
    return content[: len(content) // 2]


def _zero(content: bytes) -> bytes:
    return bytes(len(content))


def _flip(content: bytes) -> bytes:
    middle = len(content) // 2
    return content[:middle] + bytes([content[middle] ^ 1]) + content[middle + 1 :]


DAMAGES: dict[str, Callable[[bytes], bytes]] = {"truncated": _truncate, "zeroed": _zero, "one bit flipped": _flip}


def newer_schema(content: bytes) -> bytes:
    """Return a JSON record as a later release may write it: with a key more, and its digest where it has one."""
    newer = json.loads(content) | {"key_of_a_newer_release": {"x": [1]}}
    if newer.pop(DIGEST_KEY, None):
        newer[DIGEST_KEY] = record_digest(newer)
    return json.dumps(newer).encode()


def damage_rows(server: Server, folder: Path) -> Iterator[Row]:
    """Damage each file of the version that answers; list and verify the versions, and roll back."""
    setting = Registry(folder / "names")
    names = sorted(str(path.relative_to(setting.old[-1].path)) for path in _files(setting.old[-1]))
    for name in names:
        damages = DAMAGES | ({"of a newer schema": newer_schema} if name == ModelRecord.FILE else {})
        for what, damage in damages.items():
            setting = Registry(folder / "case")
            path = Path(setting.old[-1].path, name)
            path.write_bytes(damage(path.read_bytes()))
            (verified,) = server.run(["cli", "models", "verify", "--registry", str(setting.base)])
            (listed,) = server.run(["cli", "models", "list", "--registry", str(setting.base)])
            assert "Traceback" not in verified.said + listed.said
            assert listed.status == 0
            finding = next((line for line in verified.shown.splitlines() if line.startswith("broken: ")), "")
            yield Row(
                f"`models verify`: {name}",
                what,
                "as it is" if verified.status else "the old version, whole",
                normalize(finding, setting.folder),
                str(verified.status),
                f"`models rollback`: {setting.after(server, 'rollback')}",
            )


def _files(version: Version) -> list[Path]:
    return [path for path in Path(version.path).rglob("*") if path.is_file()]


def pair_rows(server: Server, folder: Path, *, rounds: int = 10) -> Iterator[Row]:
    """Run two commands on one registry at once, several times each."""
    readers = {
        "list": ["cli", "models", "list", "--registry"],
        "verify": ["cli", "models", "verify", "--registry"],
    }
    pairs = [("push", "push"), ("push", "rollback"), ("rollback", "rollback")]
    pairs += [(one, other) for one in ("push", "rollback") for other in readers]
    for one, other in pairs:
        for _ in range(rounds):
            setting = Registry(folder / "case")
            second = [*readers[other], str(setting.base)] if other in readers else setting.command(other)
            both = server.run(setting.command(one), second)
            assert all("Traceback" not in ended.said for ended in both), [ended.said for ended in both]
            said = next((normalize(ended.last_line, setting.folder) for ended in both if ended.last_line), "")
            statuses = " and ".join(str(ended.status) for ended in both)
            yield Row(f"{one} and {other}", "at once", setting.served(), said, statuses, setting.after(server, "push"))


def owner_rows(server: Server, folder: Path, *, rounds: int = 10) -> Iterator[Row]:
    """Push to a registry without an owner by two pipelines at once: one gets it, and the other is refused."""
    for _ in range(rounds):
        setting = Registry(folder / "case")
        pipelines = ("billing", "tickets")
        models = [make_model(folder / "case" / name, name) for name in pipelines]
        both = server.run(
            *(["push", str(model), str(setting.base), name] for model, name in zip(models, pipelines, strict=True))
        )
        served, owner, pushed = setting.served(), find_owner(str(setting.base)), versions(str(setting.base))[2:]
        if [ModelRecord.read(version.path).model_id for version in pushed] != [owner and owner.pipeline]:
            served = f"BROKEN: {owner} and {len(pushed)} models"
        said = next(ended.last_line for ended in both if ended.last_line)
        for name in pipelines:
            said = said.replace(name, "ONE" if owner and name == owner.pipeline else "OTHER")
        statuses = " and ".join(sorted(str(ended.status) for ended in both))
        (again,) = server.run(["push", str(setting.new), str(setting.base), owner.pipeline if owner else ""])
        next_run = "succeeds" if again.status == 0 else f"status {again.status}: {again.last_line}"
        what = "first pushes of two pipelines"
        yield Row(what, "at once", served, normalize(said, setting.folder), statuses, next_run)


def clock_row(server: Server, folder: Path) -> Row:
    """Push after the clock was set back: a version has a number from the future."""
    setting = Registry(folder / "case")
    future = Path(setting.base, "99999999999")
    Path(setting.old[-1].path).rename(future)
    (ended,) = server.run(setting.command("push"))
    numbers = [version.number for version in versions(str(setting.base))]
    served = "the new version, whole" if numbers[-1] == 100000000000 else f"BROKEN: {numbers}"
    return Row("push", "clock set back", served, "", str(ended.status), setting.after(server, "push"))


def memory_row(server: Server, folder: Path, megabytes: int = 300) -> Row:
    """Push a model that is larger than the memory that the process may take."""
    setting = Registry(folder / "case")
    with Path(setting.new, "variables", "variables.data-00000-of-00001").open("wb") as file:
        file.truncate(megabytes * 2**20)
    (ended,) = server.run(setting.command("push"), memory_mb=64)
    fault = f"64 MiB of memory for a model of {megabytes} MiB"
    return Row("push", fault, setting.served(), ended.last_line, str(ended.status), setting.after(server, "push"))


def untrue(rows: Sequence[Row]) -> list[Row]:
    """Return the rows in which something damaged or incomplete was made to answer, or a next run fails."""
    return [row for row in rows if "BROKEN" in row.served or "LEAVES" in row.next_run]
