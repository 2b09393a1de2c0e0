"""Tests of what a run records of its command, machine, user and code."""

import subprocess
from pathlib import Path

import pytest

from pipeline import provenance
from pipeline.provenance import find_provenance


@pytest.mark.parametrize(
    ("arguments", "command"),
    [
        (["/venv/bin/bert-multilabel", "run", "--config", "my pipeline.yaml"],
         "bert-multilabel run --config 'my pipeline.yaml'"),
        (["/code/pipeline/__main__.py", "run"], "python -m pipeline run"),
        (["bert-multilabel", "run", "--set", "notify.url=https://hooks/T0", "--set=a.token=x", "--set", "a.b=1=2"],
         "bert-multilabel run --set 'notify.url=(left out)' '--set=a.token=(left out)' --set a.b=1=2"),
        (["bert-multilabel", "run", "--set", "notify={url: https://hooks/T0}", "--set=a={b: {'api_token' : x}}"],
         "bert-multilabel run --set 'notify=(left out)' '--set=a=(left out)'"),
        (["bert-multilabel", "run", "--set", "notify.url =https://hooks/T0", "--set", "notify={url_from: HOOK}"],
         "bert-multilabel run --set 'notify.url =(left out)' --set 'notify={url_from: HOOK}'"),
    ],
)  # fmt: skip
def test_records_the_command_without_what_grants_access(arguments: list[str], command: str) -> None:
    assert find_provenance(arguments).command == command


def test_records_the_commit_and_whether_the_code_was_changed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(provenance, "_ROOT", tmp_path)
    assert find_provenance().commit is None

    def git(*arguments: str) -> str:
        settings = ("-c", "user.name=a", "-c", "user.email=a@b")
        return subprocess.run(
            ["git", "-C", str(tmp_path), *settings, *arguments], check=True, capture_output=True, text=True
        ).stdout.strip()

    git("init", "-q")
    (tmp_path / "code.py").write_text("1")
    git("add", ".")
    git("commit", "-qm", "code")
    found = find_provenance()
    assert (found.commit, found.is_modified) == (git("rev-parse", "HEAD"), False)
    (tmp_path / "code.py").write_text("2")
    assert find_provenance().is_modified
