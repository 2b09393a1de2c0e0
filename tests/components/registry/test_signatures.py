"""Signatures of versions: of this key, over every file of the version."""

import hashlib
import sys
from pathlib import Path

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec

from components.registry import (
    Version,
    check_registry,
    check_signatures,
    push,
    rollback,
    sign_versions,
    variant_path,
    versions,
)
from components.registry.record import ModelRecord
from schema.errors import Refused
from tests.components.registry.test_registry import make_model, record_of
from tests.components.registry.test_variants import make_variant
from tests.end_to_end.command import command


@pytest.fixture(scope="module")
def keys(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """A private key, and its public one."""
    pytest.importorskip("model_signing", reason="model-signing is not installed (the extra `signing`)")
    return write_keys(tmp_path_factory.mktemp("keys"))


def write_keys(folder: Path) -> tuple[Path, Path]:
    key = ec.generate_private_key(ec.SECP256R1())
    private, public = folder / "key.pem", folder / "key.pub"
    pem, pkcs8 = serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8
    private.write_bytes(key.private_bytes(pem, pkcs8, serialization.NoEncryption()))
    spki = serialization.PublicFormat.SubjectPublicKeyInfo
    public.write_bytes(key.public_key().public_bytes(pem, spki))
    return private, public


@pytest.fixture
def base(tmp_path: Path) -> str:
    return str(tmp_path / "registry")


@pytest.fixture
def pushed(tmp_path: Path, base: str) -> list[Version]:
    return [push(make_model(tmp_path / name, name), base, record_of(name)) for name in ("old", "new")]


def found(base: str, public: Path) -> dict[str, str]:
    return {finding.where: finding.what for finding in check_signatures(base, public)}


def test_signs_what_has_no_signature_and_verifies_every_file(
    base: str, pushed: list[Version], keys: tuple[Path, Path], capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    private, public = keys
    assert found(base, public) == dict.fromkeys((str(each.number) for each in pushed), "has no signature")
    assert sign_versions(base, private) == pushed
    assert sign_versions(base, private) == []
    assert found(base, public) == {}
    assert list(check_registry(base)) == []
    assert versions(base) == pushed
    copy = rollback(base)
    assert found(base, public) == {str(copy.number): "has no signature"}
    assert command("models", "sign", "--registry", base, "--private-key", str(private)) == 0
    assert capsys.readouterr().out == f"Signed: {copy.number}\n"
    assert command("models", "verify", "--registry", base, "--public-key", str(public)) == 0
    _, other = write_keys(tmp_path)
    assert "its signature does not fit" in found(base, other)[str(copy.number)]


def test_variants_have_signatures_of_their_own(
    base: str, keys: tuple[Path, Path], capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    private, public = keys
    variant = make_variant(tmp_path / "int8", "quantized")
    number = push(make_model(tmp_path / "full", "full"), base, record_of("full"), variants={"int8": variant}).number
    assert command("models", "sign", "--registry", base, "--private-key", str(private)) == 0
    assert capsys.readouterr().out == f"Signed: {number}, variants/int8/{number}\n"
    assert found(base, public) == {}
    Path(variant_path(base, "int8", number), "tokenizer.json").write_text("changed")
    assert "its signature does not fit" in found(base, public)[f"variants/int8/{number}"]


@pytest.mark.parametrize("name", [ModelRecord.FILE, "variables/variables.index", ".gitignore"])
def test_finds_what_somebody_changed_with_its_checksums(
    base: str, pushed: list[Version], keys: tuple[Path, Path], capsys: pytest.CaptureFixture[str], name: str
) -> None:
    private, public = keys
    sign_versions(base, private)
    changed = pushed[-1]
    (Path(changed.path) / name).write_text("changed")
    record = record_of("new")
    files = {}
    for path in Path(changed.path).rglob("*"):
        if path.is_file() and path.name != ModelRecord.FILE:
            files[str(path.relative_to(changed.path))] = hashlib.sha256(path.read_bytes()).hexdigest()
    record.model_copy(update={"files": files}).write(changed.path)
    assert list(check_registry(base)) == [], "the checksums fit"
    assert list(found(base, public)) == [str(changed.number)]
    assert command("models", "verify", "--registry", base, "--public-key", str(public)) == 1
    assert f"broken: {changed.number}: its signature does not fit: Signature mismatch" in capsys.readouterr().out


def test_does_not_sign_a_version_that_is_not_as_it_was_pushed(
    base: str, pushed: list[Version], keys: tuple[Path, Path]
) -> None:
    Path(pushed[-1].path, "assets", "vocab.txt").write_text("changed")
    with pytest.raises(Refused, match=r"vocab\.txt has changed since the push; it is not signed"):
        sign_versions(base, keys[0])
    assert found(base, keys[1]) == {str(pushed[-1].number): "has no signature"}


@pytest.mark.usefixtures("pushed")
def test_refuses_keys_that_cannot_be_used_in_one_line(base: str, keys: tuple[Path, Path], tmp_path: Path) -> None:
    (tmp_path / "text").write_text("no key")
    for key, reason in ((tmp_path / "none", "no such key"), (tmp_path / "text", "not an elliptic curve's key in PEM")):
        with pytest.raises(Refused, match=reason):
            sign_versions(base, key)
        with pytest.raises(Refused, match=reason):
            list(check_signatures(base, key))
    with pytest.raises(Refused, match="not an elliptic curve's key"):
        sign_versions(base, keys[1])


@pytest.mark.usefixtures("pushed")
def test_says_which_package_is_missing(base: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "model_signing", None)
    with pytest.raises(Refused, match="install the extra `signing`"):
        sign_versions(base, write_keys(tmp_path)[0])


def test_refuses_a_registry_in_an_object_store(tmp_path: Path) -> None:
    with pytest.raises(Refused, match="signatures need a registry on a disk"):
        sign_versions("gs://bucket/registry", tmp_path / "key")
