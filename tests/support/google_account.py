"""A Google Cloud service account for tests."""

import json
from pathlib import Path

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from google.auth.credentials import CredentialsWithRegionalAccessBoundary


def log_in(
    folder: Path,
    patch: pytest.MonkeyPatch,
    *,
    project: str = "my-project",
    email: str = "tests@my-project.example",
    token_uri: str = "http://127.0.0.1:9/token",
) -> None:
    """Write the key of a service account and let Google's libraries find it.

    Args:
        folder: Folder to write the key to.
        patch: Undoes the change after the test.
        project: Project of the account.
        email: E-mail address of the account.
        token_uri: Its identity provider. Libraries that sign their own tokens never call it.
    """
    key = rsa.generate_private_key(65537, 2048).private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    account = {
        "type": "service_account", "project_id": project, "client_email": email, "private_key_id": "1",
        "private_key": key.decode(), "token_uri": token_uri,
    }  # fmt: skip
    (folder / "key.json").write_text(json.dumps(account), encoding="utf-8")
    patch.setenv("GOOGLE_APPLICATION_CREDENTIALS", str(folder / "key.json"))
    # google-auth calls iamcredentials.googleapis.com about every service account of Google's own.
    patch.setattr(
        CredentialsWithRegionalAccessBoundary, "_is_regional_access_boundary_lookup_required", lambda _: False
    )
