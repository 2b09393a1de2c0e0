"""Variants in the registry: pushed with their version, under its number, and rolled back and removed with it."""

from datetime import UTC, datetime
from pathlib import Path

import pytest

from components.registry import (
    Incoming,
    ModelRecord,
    check_registry,
    find_model,
    push,
    remove_leftovers,
    remove_versions,
    rollback,
    store,
    variant_path,
    variants,
    versions,
)
from schema.errors import Refused
from serving.server.live_model import find_source
from tests.components.registry.test_registry import make_model, record_of


def make_variant(folder: Path, content: str) -> Incoming:
    folder.mkdir(parents=True)
    for name in ("model.onnx", "tokenizer.json"):
        (folder / name).write_text(content)
    record = record_of(content).model_copy(update={"variant": "int8", "variant_of": "a"})
    return Incoming(str(folder), record)


def numbers(base: str) -> dict[str, list[int]]:
    return {name: [version.number for version in existing] for name, existing in variants(base).items()}


@pytest.fixture
def base(tmp_path: Path) -> str:
    return str(tmp_path / "registry")


def add(base: str, folder: Path, content: str, *names: str) -> int:
    """Push a model with variants, and return its number."""
    others = {name: make_variant(folder / content / name, f"{content} {name}") for name in names}
    model = make_model(folder / content / "full", content)
    return push(model, base, record_of(content), variants=others).number


def test_variants_have_the_number_of_their_version_and_their_own_record(base: str, tmp_path: Path) -> None:
    first = add(base, tmp_path, "a", "int8", "onnx")
    second = add(base, tmp_path, "b", "onnx")
    assert numbers(base) == {"int8": [first], "onnx": [first, second]}
    path = Path(variant_path(base, "onnx", second))
    assert sorted(file.name for file in path.iterdir()) == ["model.json", "model.onnx", "tokenizer.json"]
    assert ModelRecord.read(str(path)).model_id == "b onnx"
    assert ModelRecord.read(str(path)).pushed == ModelRecord.read(versions(base)[-1].path).pushed
    assert list(check_registry(base)) == []
    # A server of full models sees versions alone.
    assert [version.number for version in versions(base)] == [first, second]


def test_the_latest_version_gets_the_variants_that_it_lacks(base: str, tmp_path: Path) -> None:
    number = add(base, tmp_path, "a", "onnx")
    written = Path(variant_path(base, "onnx", number), "model.onnx").stat().st_mtime_ns
    others = {name: make_variant(tmp_path / "later" / name, f"later {name}") for name in ("onnx", "int8")}
    again = push(str(tmp_path / "a" / "full"), base, record_of("a"), variants=others)
    assert again.number == number
    assert numbers(base) == {"int8": [number], "onnx": [number]}
    assert Path(variant_path(base, "onnx", number), "model.onnx").stat().st_mtime_ns == written


def test_verification_finds_a_changed_variant(base: str, tmp_path: Path) -> None:
    number = add(base, tmp_path, "a", "int8")
    Path(variant_path(base, "int8", number), "model.onnx").write_text("other")
    (finding,) = check_registry(base)
    assert (finding.where, finding.what) == (
        f"variants/int8/{number}",
        "model.onnx has changed since the push",
    )
    add(base, tmp_path, "b")
    with pytest.raises(
        Refused, match=r"variants/int8/\d+: model.onnx has changed since the push; roll back to another"
    ):
        rollback(base, number)


def test_a_rollback_copies_variants_and_takes_away_those_that_the_version_lacks(base: str, tmp_path: Path) -> None:
    first = add(base, tmp_path, "a", "onnx")
    second = add(base, tmp_path, "b", "onnx", "int8")
    back = rollback(base, first).number
    # A server of int8 would go on with what was withdrawn; one of onnx serves the copy.
    assert numbers(base) == {"int8": [], "onnx": [first, second, back]}
    record = ModelRecord.read(variant_path(base, "onnx", back))
    assert (record.model_id, record.rolled_back_to, record.withdraws) == ("a onnx", first, [second])
    assert list(check_registry(base)) == []


def test_versions_are_removed_with_their_variants_but_not_the_newest_of_a_kind(base: str, tmp_path: Path) -> None:
    first = add(base, tmp_path, "a", "onnx", "int8")
    second = add(base, tmp_path, "b", "onnx")
    third, fourth = add(base, tmp_path, "c"), add(base, tmp_path, "d")
    later = datetime(2100, 1, 1, tzinfo=UTC)
    assert [version.number for version in remove_versions(base, 1, later)] == []
    # As the newest of each kind, the first two are needed.
    add(base, tmp_path, "e", "onnx", "int8")
    assert [version.number for version in remove_versions(base, 1, later)] == [first, second, third]
    assert numbers(base)["onnx"] == numbers(base)["int8"] == [versions(base)[-1].number]
    assert fourth in [version.number for version in versions(base)]


def test_a_push_that_fails_leaves_neither_the_version_nor_its_variants(
    base: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    add(base, tmp_path, "a", "int8")
    before = numbers(base)
    copy_model = store.copy_model

    def fail(model_dir: str, destination: str) -> None:
        copy_model(model_dir, destination)
        if model_dir.endswith("full"):
            raise OSError("no space left")

    monkeypatch.setattr(store, "copy_model", fail)
    with pytest.raises(OSError, match="no space left"):
        add(base, tmp_path, "b", "int8")
    assert numbers(base) == before
    assert not list(Path(base).rglob(".incoming-*"))


def test_the_next_push_removes_what_a_killed_one_left(base: str, tmp_path: Path) -> None:
    number = add(base, tmp_path, "a", "int8")
    orphan = Path(variant_path(base, "int8", number + 5))
    Path(variant_path(base, "int8", number)).rename(orphan)
    incoming = orphan.parent / ".incoming-0"
    incoming.mkdir()
    (incoming / "model.onnx").write_text("half")
    found = {finding.where: finding.broken for finding in check_registry(base)}
    assert found == {f"variants/int8/{number + 5}": False, "variants/int8/.incoming-0": False}
    assert remove_leftovers(base) == 4
    last = add(base, tmp_path, "b", "int8")
    assert numbers(base) == {"int8": [last]}
    assert list(check_registry(base)) == []


def test_commands_refuse_onnx_variants_and_read_bfloat16_ones(base: str, tmp_path: Path) -> None:
    number = add(base, tmp_path, "a", "onnx")
    for model in (f"{base}/variants/onnx", variant_path(base, "onnx", number)):
        for find in (find_model, find_source):
            with pytest.raises(Refused, match=rf"variants/onnx/{number}: an ONNX variant; use its client.py"):
                find(model)
    half = make_model(tmp_path / "half", "half")
    others = {"bfloat16": Incoming(half, record_of("half"))}
    number = push(make_model(tmp_path / "b", "b"), base, record_of("b"), variants=others).number
    path = variant_path(base, "bfloat16", number)
    assert find_model(f"{base}/variants/bfloat16") == path
    assert [version.path for version in find_source(f"{base}/variants/bfloat16")()] == [path]
