"""Signatures of versions, by sigstore's model-signing: who holds the public key can tell who vouches for a version.

    <base>/.signatures/1764000000.sig       sigstore bundle over every file of the version, model.json included
    <base>/.signatures/variants-int8-1764000000.sig     the same of a variant

Checksums in `model.json` detect damage, and anybody who can write to the registry can write new ones; a signature needs
the private key, which neither the registry nor the pipeline has. It is beside the versions, whose folders so stay as
they were pushed. model-signing is an optional package (the extra `signing`), and needs no network for keys of one's
own.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from components.common.files import is_remote
from components.registry.integrity import Finding, differences
from components.registry.lock import locked
from components.registry.record import ModelRecord
from components.registry.store import Version, variants, versions
from schema.errors import Refused

_FOLDER = ".signatures"
_MOST_CHARACTERS = 300  # of an error of the library, which lists files


def sign_versions(base: str, private_key: Path) -> list[Version]:
    """Sign every version that has no signature yet, and remove signatures of versions that are gone.

    Args:
        base: The registry, on a local disk.
        private_key: File of an elliptic curve key, PEM, without a password.

    Returns:
        The versions that were signed.

    Raises:
        Refused: The registry is empty or remote, the key cannot be used, model-signing is not installed, or a version
            is not as it was pushed.
    """
    existing = _local_versions(base)
    library = _library("signing")
    with _readable(private_key):
        signer = library.Config().use_elliptic_key_signer(private_key=private_key).set_hashing_config(_hashing())
    with locked(base):
        folder = Path(base, _FOLDER)
        folder.mkdir(exist_ok=True)
        for left in set(folder.iterdir()) - {_signature(base, version) for version in existing}:
            left.unlink()
        unsigned = [version for version in existing if not _signature(base, version).exists()]
        for version in unsigned:
            found = differences(version.path, ModelRecord.read(version.path))
            if found:
                raise Refused(f"{version.path}: {found[0]}; it is not signed, nor are newer ones")
            whole = _signature(base, version)
            partial = whole.with_suffix(".partial")
            signer.sign(version.path, partial)
            partial.rename(whole)
    return unsigned


def check_signatures(base: str, public_key: Path) -> Iterator[Finding]:
    """Yield a finding for each version that has no signature, or none of this key over the files that it has.

    Args:
        base: The registry, on a local disk.
        public_key: File of the public key, PEM.

    Raises:
        Refused: The registry is empty or remote, the key cannot be used, or model-signing is not installed.
    """
    existing = _local_versions(base)
    library = _library("verifying")
    with _readable(public_key):
        library.Config().use_elliptic_key_verifier(public_key=public_key)
    for version in existing:
        signature = _signature(base, version)
        if not signature.exists():
            yield Finding(_where(base, version), "has no signature")
            continue
        # A verifier of its own: it takes over what a signature says is to be left out.
        verifier = library.Config().use_elliptic_key_verifier(public_key=public_key).set_hashing_config(_hashing())
        try:
            verifier.verify(Path(version.path), signature)
        except Exception as error:  # of the library, pydantic, cryptography or the system
            reason = " ".join(str(error).split()) or type(error).__name__
            yield Finding(_where(base, version), f"its signature does not fit: {reason[:_MOST_CHARACTERS]}")


@contextmanager
def _readable(key: Path) -> Iterator[None]:
    """Refuse a key that the body cannot read, in one line."""
    if not key.is_file():
        raise Refused(f"{key}: no such key; `openssl ecparam -name prime256v1 -genkey -noout -out KEY` makes one")
    try:
        yield
    except (ValueError, TypeError) as error:  # of cryptography
        reason = " ".join(str(error).split())[:_MOST_CHARACTERS]
        raise Refused(f"{key}: not an elliptic curve's key in PEM without a password: {reason}") from None


def _library(module: str) -> Any:
    try:
        import model_signing
    except ImportError:
        raise Refused("signatures need the package model-signing; install the extra `signing`") from None
    return getattr(model_signing, module)


def _hashing() -> Any:
    """Return model-signing's hashing of every file; by default it leaves out those of git."""
    return _library("hashing").Config().set_ignored_paths(paths=[], ignore_git_paths=False)


def _local_versions(base: str) -> list[Version]:
    if is_remote(base):
        raise Refused(f"{base}: signatures need a registry on a disk; mount the bucket, and give that folder")
    existing = versions(base)
    if not existing:
        raise Refused(f"{base}: no model was pushed there")
    return [*existing, *(each for versions_of in variants(base).values() for each in versions_of)]


def _where(base: str, version: Version) -> str:
    """Return the folder of a version, or of a variant of one, relative to the registry."""
    return Path(version.path).relative_to(base).as_posix()


def _signature(base: str, version: Version) -> Path:
    return Path(base, _FOLDER, f"{_where(base, version).replace('/', '-')}.sig")
