"""Pushes, rollbacks and checks of the registry; a push is complete or absent, whatever interrupts it."""

import errno
import json
import os
import random
import shutil
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from components import registry
from components.common.files import exists, list_folder, make_folder, read_bytes, write_whole
from components.registry import (
    BlessedBy,
    ModelRecord,
    RemovedVersions,
    Version,
    check_registry,
    checksums,
    content_id,
    latest,
    push,
    removable,
    remove_leftovers,
    remove_versions,
    rollback,
    standing,
    store,
    versions,
    withdrawn,
)
from schema.errors import Refused


def record_of(model_id: str) -> ModelRecord:
    return ModelRecord(
        model_id=model_id,
        labels=["a", "价格"],
        thresholds=[0.5, 0.25],
        checkpoint="bert",
        created="2026-01-01T00:00:00+00:00",
        versions={"tensorflow": "2.21.0"},
    )


def make_model(folder: Path, content: str = "graph") -> str:
    (folder / "variables").mkdir(parents=True)
    (folder / "variables" / "variables.index").write_text(content)
    (folder / "assets").mkdir()
    (folder / "assets" / "vocab.txt").write_text(content)
    (folder / "saved_model.pb").write_text(content)
    record_of(content).write(str(folder))
    return str(folder)


def files(folder: str | Path) -> list[str]:
    return sorted(str(path.relative_to(folder)) for path in Path(folder).rglob("*") if path.is_file())


@pytest.fixture
def model(tmp_path: Path) -> str:
    return make_model(tmp_path / "model")


@pytest.fixture
def base(tmp_path: Path) -> str:
    return str(tmp_path / "registry" / "classifier")


def test_reads_a_record_as_it_was_written(model: str) -> None:
    assert ModelRecord.read(model) == record_of("graph")


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (None, "model.json: cannot be read (no such file or directory)"),
        ("{", "model.json: the file: Invalid JSON"),
        ("{}", "model.json: model_id: Field required"),
        ("\udcff", "model.json: the file: Invalid JSON"),
    ],
)
def test_refuses_a_missing_or_damaged_record_in_one_line(tmp_path: Path, content: str | None, message: str) -> None:
    if content is not None:
        (tmp_path / "model.json").write_bytes(content.encode(errors="surrogateescape"))
    with pytest.raises(Refused) as refused:
        ModelRecord.read(str(tmp_path))
    assert message in str(refused.value)
    assert "\n" not in str(refused.value)


def test_an_empty_registry_has_no_versions(base: str) -> None:
    assert versions(base) == []
    assert latest(base) is None


def test_adds_a_complete_version_named_by_the_time(model: str, base: str) -> None:
    before = int(time.time())
    version = push(model, base, record_of("enriched"))
    assert before <= version.number <= int(time.time())
    assert version.path == f"{base}/{version.number}"
    assert files(version.path) == files(model)
    assert ModelRecord.read(version.path).model_id == "enriched"
    assert ModelRecord.read(version.path).pushed is not None
    assert latest(base) == version
    assert [path.name for path in Path(base).iterdir() if path.name.isdigit()] == [str(version.number)]


def test_other_users_may_read_a_version(model: str, base: str) -> None:
    """TensorFlow Serving runs as another user."""
    path = Path(push(model, base, record_of("a")).path)
    assert path.stat().st_mode & 0o055 == 0o055
    assert (path / "saved_model.pb").stat().st_mode & 0o044 == 0o044


def test_numbers_ascend_within_a_second_and_after_the_clock_was_set_back(model: str, base: str) -> None:
    Path(base, "99999999999").mkdir(parents=True)  # incomplete, but its number is taken
    numbers = [push(model, base, record_of(model_id)).number for model_id in "abc"]
    assert numbers == [100000000000, 100000000001, 100000000002]
    assert [version.number for version in versions(base)] == numbers


def test_does_not_push_the_latest_model_again_but_an_earlier_one(model: str, base: str) -> None:
    first = push(model, base, record_of("a"))
    assert push(model, base, record_of("a")) == first
    push(model, base, record_of("b"))
    assert push(model, base, record_of("a")).number > first.number
    assert len(versions(base)) == 3


def test_only_complete_numbered_folders_are_versions(model: str, base: str) -> None:
    version = push(model, base, record_of("a"))
    for name in ("200", ".incoming-1", "tmp", "1e5", "²", "-3"):
        Path(base, name).mkdir()
    Path(base, "300").touch()
    assert versions(base) == [version]


def test_refuses_to_push_a_folder_without_a_model(tmp_path: Path, base: str) -> None:
    with pytest.raises(Refused, match=r"there is no saved_model\.pb"):
        push(str(tmp_path), base, record_of("a"))
    assert not Path(base).exists()


KILLED = """
import os, signal, sys
from components import registry
from components.registry import store
at, model, base, do = int(sys.argv[1]), *sys.argv[2:5]
copy, steps = store._copy_durably, []
def step():
    steps.append(1)
    if len(steps) == at:
        os.kill(os.getpid(), signal.SIGKILL)
def copy_or_die(source, destination):
    step()
    copy(source, destination)
store._copy_durably = copy_or_die
next_number, write_record = store._next_number, registry.ModelRecord.write
store._next_number = lambda base: (step(), next_number(base))[1]  # the last step before the rename
registry.ModelRecord.write = lambda *arguments: (step(), write_record(*arguments))
if do == "push":
    registry.push(model, base, registry.ModelRecord.read(model))
else:
    registry.rollback(base)
"""


@pytest.mark.parametrize("do", ["push", "rollback"])
@pytest.mark.parametrize("at", [1, 2, 3, 4, 5, 6])  # each file, the record, and the rename
def test_a_killed_push_changes_no_version_and_the_next_one_cleans_up(
    tmp_path: Path, model: str, base: str, at: int, do: str
) -> None:
    old = [push(make_model(tmp_path / name, name), base, record_of(name)) for name in ("older", "old")]
    killed = subprocess.run([sys.executable, "-c", KILLED, str(at), model, base, do], check=False)
    assert killed.returncode == -9
    assert versions(base) == old
    visible = [path.name for path in Path(base).iterdir() if not path.name.startswith(".")]
    assert sorted(visible) == [str(version.number) for version in old]
    (leftover,) = Path(base).glob(".incoming-*")
    assert [(finding.where, finding.broken) for finding in check_registry(base)] == [(leftover.name, False)]
    new = push(model, base, ModelRecord.read(model))
    assert versions(base) == [*old, new]
    assert files(new.path) == files(model)
    assert list(check_registry(base)) == []


def test_a_push_killed_at_a_random_moment_leaves_only_whole_versions(tmp_path: Path, base: str) -> None:
    """Random moments also fall inside the steps of the test above."""
    models = [make_model(tmp_path / name, name * 300_000) for name in "ab"]
    code = (
        "import sys\nfrom components import registry\n"
        "print('ready', flush=True)\n"
        "for _ in range(1000):\n"
        "    for model in sys.argv[2:]: registry.push(model, sys.argv[1], registry.ModelRecord.read(model))\n"
        "    registry.rollback(sys.argv[1])\n"
    )
    started = time.perf_counter()
    push(models[0], base, record_of("first"))
    duration = time.perf_counter() - started  # it depends on the machine and its load
    draw = random.Random(0)
    for _ in range(12):
        with subprocess.Popen([sys.executable, "-c", code, base, *models], stdout=subprocess.PIPE) as process:
            assert process.stdout is not None
            process.stdout.readline()
            time.sleep(draw.uniform(0, 10 * duration))
            process.kill()
        assert [finding for finding in check_registry(base) if finding.broken] == []
        assert all(ModelRecord.read(version.path).files for version in versions(base))
    assert len(versions(base)) > 3
    push(models[0], base, record_of("c"))
    assert list(check_registry(base)) == []


def test_concurrent_pushes_do_not_interfere(tmp_path: Path, base: str) -> None:
    models = [make_model(tmp_path / name, name) for name in "abcdefgh"]
    with ThreadPoolExecutor(8) as pool:
        pushed = list(pool.map(lambda model: push(model, base, ModelRecord.read(model)), models))
    assert sorted(pushed, key=lambda version: version.number) == versions(base)
    assert {ModelRecord.read(version.path).model_id for version in versions(base)} == set("abcdefgh")
    assert all(len(files(version.path)) == 4 for version in versions(base))


def test_pushes_to_a_remote_registry(model: str) -> None:
    """TensorFlow's in-memory file system stands in for an object store."""
    base = "ram://registry/classifier"
    assert versions(base) == []
    first = push(model, base, record_of("a"))
    assert push(model, base, record_of("a")) == first
    second = push(model, base, record_of("b"))
    assert versions(base) == [first, second] == sorted([first, second], key=lambda version: version.number)
    assert ModelRecord.read(second.path).model_id == "b"
    assert read_bytes(f"{second.path}/variables/variables.index") == b"graph"
    with pytest.raises(Refused, match="cannot be read"):
        ModelRecord.read("ram://registry/nothing")


def test_copies_a_remote_model_to_a_local_folder(model: str, tmp_path: Path) -> None:
    version: Version = push(model, "ram://registry/other", record_of("a"))
    registry.copy_model(version.path, str(tmp_path / "copy"))
    assert files(tmp_path / "copy") == files(model)


# === Rolling back ===


def pushed(tmp_path: Path, base: str, names: str) -> list[Version]:
    return [push(make_model(tmp_path / name, name), base, record_of(name)) for name in names]


def test_rolls_back_to_a_copy_of_the_previous_version(tmp_path: Path, base: str) -> None:
    first, second = pushed(tmp_path, base, "ab")
    copy = rollback(base)
    assert versions(base) == [first, second, copy]
    assert latest(base) == copy
    assert files(copy.path) == files(first.path)
    record = ModelRecord.read(copy.path)
    assert (record.model_id, record.rolled_back_to, record.withdraws) == ("a", first.number, [second.number])
    assert record.files == ModelRecord.read(first.path).files
    assert standing(base) == [first, copy]
    assert withdrawn(base, "b") == second
    assert withdrawn(base, "a") is None
    assert list(check_registry(base)) == []


def test_rolls_back_further_each_time_or_to_the_given_version(tmp_path: Path, base: str) -> None:
    first, second, third = pushed(tmp_path, base, "abc")
    assert ModelRecord.read(rollback(base).path).rolled_back_to == second.number
    assert ModelRecord.read(rollback(base).path).rolled_back_to == first.number
    with pytest.raises(Refused, match="no other model to roll back to"):
        rollback(base)
    again = rollback(base, third.number)
    assert standing(base) == [first, again]
    assert withdrawn(base, "b") == versions(base)[3]
    assert withdrawn(base, "c") is None
    assert push(str(tmp_path / "c"), base, record_of("c")) == again


def test_refuses_impossible_rollbacks(tmp_path: Path, base: str) -> None:
    with pytest.raises(Refused, match="no model was pushed there"):
        rollback(base)
    assert not Path(base).exists()
    first, second = pushed(tmp_path, base, "ab")
    with pytest.raises(Refused, match=f"there is no version 7; there are {first.number}, {second.number}"):
        rollback(base, 7)
    with pytest.raises(Refused, match="is the latest version already"):
        rollback(base, second.number)
    Path(first.path, "assets", "vocab.txt").write_text("other")
    with pytest.raises(Refused, match=r"assets/vocab\.txt has changed since the push"):
        rollback(base)
    assert versions(base) == [first, second]


# === Integrity ===


def test_names_every_difference_from_what_was_pushed(tmp_path: Path, base: str) -> None:
    intact, damaged, unreadable, old = pushed(tmp_path, base, "abcd")
    Path(damaged.path, "variables", "variables.index").write_text("c")
    Path(damaged.path, "assets", "vocab.txt").unlink()
    Path(damaged.path, "assets", "more.txt").touch()
    Path(unreadable.path, "model.json").write_text("{")
    Path(old.path, "model.json").write_text(
        ModelRecord.read(old.path).model_copy(update={"files": {}}).model_dump_json()
    )
    Path(base, "5").mkdir()
    Path(base, "6").mkdir()
    Path(base, "6", "saved_model.pb").touch()
    found = list(check_registry(base))
    assert [(finding.where, finding.what.split(":")[0]) for finding in found if finding.broken] == [
        ("5", "has no saved_model.pb"),
        (str(damaged.number), "assets/vocab.txt is missing"),
        (str(damaged.number), "variables/variables.index has changed since the push"),
        (str(damaged.number), "assets/more.txt was not pushed"),
        (str(unreadable.number), "model.json"),
    ]
    assert [finding.where for finding in found if not finding.broken] == ["6", str(old.number)]
    assert not [finding for finding in found if finding.where == str(intact.number)]


def test_reads_a_record_of_an_older_release(tmp_path: Path) -> None:
    content = record_of("a").model_dump(
        include={"model_id", "labels", "thresholds", "checkpoint", "created", "versions"}
    )
    (tmp_path / "model.json").write_text(json.dumps(content | {"trained_on": {}}))
    assert ModelRecord.read(str(tmp_path)) == record_of("a")


def test_rolls_back_and_checks_a_remote_registry(model: str) -> None:
    base = "ram://registry/rolled"
    first, _ = (push(model, base, record_of(model_id)) for model_id in "ab")
    copy = rollback(base)
    assert ModelRecord.read(copy.path).rolled_back_to == first.number
    assert list(check_registry(base)) == []


def test_names_added_folders_links_and_pipes_without_opening_them(tmp_path: Path, base: str) -> None:
    """Opening a named pipe that nobody writes to would wait for ever."""
    (version,) = pushed(tmp_path, base, "a")
    Path(version.path, "empty").mkdir()
    Path(version.path, "more", "below").mkdir(parents=True)
    Path(version.path, "more", "below", "x").touch()
    os.mkfifo(Path(version.path, "assets", "pipe"))
    Path(version.path, "assets", "vocab.txt").unlink()
    Path(version.path, "assets", "vocab.txt").symlink_to("/etc/hostname")
    assert [finding.what for finding in check_registry(base)] == [
        "more/below/x was not pushed",
        "empty/ was not pushed",
        "assets/pipe is neither a file nor a folder",
        "assets/vocab.txt is neither a file nor a folder",
    ]
    with pytest.raises(Refused, match="assets/pipe is neither a file nor a folder; remove it"):
        push(version.path, str(tmp_path / "other"), record_of("b"))


def test_names_a_version_of_which_the_gates_decided_on_another_model(tmp_path: Path, base: str) -> None:
    model = make_model(tmp_path / "model")
    own = record_of("a").model_copy(update={"blessed_by": BlessedBy(model_id=content_id(checksums(model)))})
    push(model, base, own)
    assert list(check_registry(base)) == []
    other = record_of("b").model_copy(update={"blessed_by": BlessedBy(model_id="0" * 64)})
    version = push(model, base, other)
    (finding,) = check_registry(base)
    assert (finding.where, finding.what, finding.broken) == (
        str(version.number), "the gates and the canary decided on another model", True,
    )  # fmt: skip


def test_the_id_of_a_model_depends_on_every_name_and_byte(tmp_path: Path) -> None:
    model = make_model(tmp_path / "model")
    ids = [content_id(checksums(model))]
    Path(model, "model.json").write_text("{}")  # written after the id is known, and so not part of it
    assert content_id(checksums(model)) == ids[0]
    Path(model, "assets", "vocab.txt").write_text("grapi")
    ids.append(content_id(checksums(model)))
    Path(model, "assets", "vocab.txt").rename(Path(model, "assets", "vocab2.txt"))
    ids.append(content_id(checksums(model)))
    assert len(set(ids)) == 3


def test_a_record_that_was_changed_by_hand_is_refused(tmp_path: Path, base: str) -> None:
    (version,) = pushed(tmp_path, base, "a")
    path = Path(version.path, "model.json")
    path.write_text(path.read_text().replace("0.25", "0.05"))
    with pytest.raises(Refused, match=r"model\.json: has changed since it was written"):
        ModelRecord.read(version.path)
    content = json.loads(path.read_text().replace("0.05", "0.25"))
    path.write_text(json.dumps({"digest": content.pop("digest"), **content}))  # the same content, written differently
    assert ModelRecord.read(version.path).model_id == "a"


# === What cannot be read ===


@pytest.mark.parametrize("damage", ["{", "", '{"model_id": 1}'])
def test_an_unreadable_record_of_a_rollback_brings_nothing_back(tmp_path: Path, base: str, damage: str) -> None:
    _, bad = pushed(tmp_path, base, "ab")
    copy = rollback(base)
    assert withdrawn(base, "b") == bad
    Path(copy.path, "model.json").write_text(damage)
    for decide in (
        lambda: standing(base),
        lambda: withdrawn(base, "b"),
        lambda: push(str(tmp_path / "b"), base, record_of("b")),
        lambda: rollback(base),
    ):
        with pytest.raises(Refused, match="is removed after `models rollback --to VERSION`") as refused:
            decide()
        assert str(refused.value).startswith(f"{copy.path}/model.json: ")
        assert "\n" not in str(refused.value)
    assert len(versions(base)) == 3
    # What the message says: nothing that was withdrawn comes back.
    rollback(base, versions(base)[0].number)
    shutil.rmtree(copy.path)
    assert bad not in standing(base)


def test_a_version_of_another_tool_has_no_record_and_is_passed_over(tmp_path: Path, base: str) -> None:
    first, second = pushed(tmp_path, base, "ab")
    Path(first.path, "model.json").unlink()
    assert standing(base) == [first, second]
    assert withdrawn(base, "a") is None


# === A full disk ===


@pytest.mark.parametrize("at", [1, 2, 3, 4])
def test_a_push_onto_a_full_disk_leaves_nothing(
    model: str, base: str, monkeypatch: pytest.MonkeyPatch, at: int
) -> None:
    old = push(model, base, record_of("old"))
    before = files(base)
    copy, calls = store._copy_durably, []

    def copy_until_full(source: str, destination: str) -> None:
        calls.append(source)
        if len(calls) == at:
            Path(destination).write_bytes(b"half")
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), destination)
        copy(source, destination)

    monkeypatch.setattr(store, "_copy_durably", copy_until_full)
    with pytest.raises(OSError, match="No space left") as raised:
        push(model, base, record_of("new"))
    assert "No space left" in str(raised.value)
    assert files(base) == before
    assert versions(base) == [old]


def test_a_copy_that_differs_from_the_model_is_not_pushed(
    model: str, base: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def copy_badly(source: str, destination: str) -> None:
        shutil.copyfile(source, destination)
        if source.endswith("vocab.txt"):
            Path(destination).write_text("grapj")

    monkeypatch.setattr(store, "_copy_durably", copy_badly)
    with pytest.raises(Refused, match=r"its copy in .* differs from it; check the disk"):
        push(model, base, record_of("new"))
    assert versions(base) == []
    assert not list(Path(base).glob(".incoming-*"))


def test_leftovers_are_removed_unless_a_push_is_in_progress(model: str, base: str) -> None:
    assert remove_leftovers(base) == 0
    assert not Path(base).exists()
    push(model, base, record_of("a"))
    leftover = Path(base, ".incoming-1", "variables")
    leftover.mkdir(parents=True)
    (leftover / "data").write_bytes(b"0" * 1000)
    with registry.locked(base):
        assert remove_leftovers(base) == 0
    assert leftover.exists()
    assert remove_leftovers(base) == 1000
    assert not leftover.parent.exists()


# === Version numbers ===


def test_a_number_that_no_server_reads_is_named_and_is_not_the_latest(model: str, base: str) -> None:
    """ParseVersionNumber reads an int64 (TensorFlow Serving, file_system_storage_path_source.cc)."""
    first = push(model, base, record_of("a"))
    shutil.copytree(first.path, f"{base}/9223372036854775808")
    assert latest(base) == first
    (finding,) = check_registry(base)
    assert finding.where == "9223372036854775808"
    assert "greater than any version number" in finding.what
    assert finding.broken
    assert push(model, base, record_of("b")).number < 2**62
    Path(base, str(2**63 - 1)).mkdir()
    with pytest.raises(Refused, match=r"9223372036854775807: no server reads a greater .* remove the folder"):
        push(model, base, record_of("c"))
    assert not list(Path(base).glob(".incoming-*"))


# === Removing ===

_ANY_AGE = datetime.max.replace(tzinfo=UTC)


@pytest.mark.parametrize("is_remote", [False, True])
def test_removes_versions_but_those_that_are_needed(tmp_path: Path, base: str, is_remote: bool) -> None:
    base = "ram://registry/removal" if is_remote else base
    first, second, third, fourth = pushed(tmp_path, base, "abcd")
    for model_id in "abc":
        make_folder(f"{base}/.profiles/{model_id}")
        write_whole(f"{base}/.profiles/{model_id}/profile.json", b"{}")
    assert removable(base, 2, datetime.now(UTC) - timedelta(hours=1)) == []
    assert removable(base, 2, _ANY_AGE) == [first, second]
    assert remove_versions(base, 2, _ANY_AGE) == [first, second]
    assert remove_versions(base, 1, _ANY_AGE) == [], "the newest is live, and a rollback returns to the other"
    assert versions(base) == [third, fourth]
    assert not any(exists(version.path) for version in (first, second))
    assert [name.rstrip("/") for name in list_folder(f"{base}/.profiles")] == ["c"], "profiles go with their models"
    assert {number: record.model_id for number, record in RemovedVersions.find(base).records.items()} == {
        first.number: "a", second.number: "b",
    }  # fmt: skip


def test_what_a_removed_rollback_withdrew_stays_withdrawn(tmp_path: Path, base: str) -> None:
    _, second = pushed(tmp_path, base, "ab")
    rollback(base)
    pushed(tmp_path, base, "cd")
    remove_versions(base, 1, _ANY_AGE)
    gone = withdrawn(base, "b")
    assert gone is not None
    assert gone == second
    assert not Path(gone.path).exists()
    assert withdrawn(base, "a") is None


def test_ends_what_a_killed_removal_began(tmp_path: Path, base: str) -> None:
    first, second, third = pushed(tmp_path, base, "abc")
    Path(first.path).rename(f"{base}/.removing-abc")
    assert [finding.where for finding in check_registry(base)] == [".removing-abc"]
    assert [path.name for path in registry.leftovers(base)] == [".removing-abc"]
    assert remove_versions(base, 9, _ANY_AGE) == []
    assert sorted(path.name for path in Path(base).iterdir()) == [".lock", str(second.number), str(third.number)]


def test_links_a_copy_that_nobody_changes(
    model: str, base: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    version = push(model, base, record_of("a"))
    registry.copy_model(version.path, str(tmp_path / "linked"), link=True)
    assert (tmp_path / "linked" / "saved_model.pb").samefile(f"{version.path}/saved_model.pb")

    def refuse(*_: object) -> None:
        raise OSError(errno.EXDEV, "Invalid cross-device link")

    monkeypatch.setattr(os, "link", refuse)
    registry.copy_model(version.path, str(tmp_path / "copied"), link=True)
    assert files(tmp_path / "copied") == files(tmp_path / "linked") == files(version.path)
