"""Tests of the command line as a whole: version, shell completion, and what it imports to answer."""

import os
import subprocess
import sys
from importlib.metadata import version
from typing import Any

import pytest
from typer.main import get_command

from cli.main import app

_SLOW_TO_IMPORT = ("tensorflow", "tfx", "apache_beam", "keras", "pyarrow", "yaml", "tensorflow_metadata")


def run_fresh(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run the command line in a process that fails if it has imported something slow."""
    code = (
        f"import sys; sys.argv = ['bert-multilabel', *{arguments!r}]; from cli import main as cli\n"
        "try: cli.main()\n"
        f"finally: assert not set({_SLOW_TO_IMPORT}) & set(sys.modules), set({_SLOW_TO_IMPORT}) & set(sys.modules)"
    )
    return subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=False, env=os.environ | environment
    )


def test_version_is_that_of_the_package() -> None:
    ended = run_fresh("--version")
    assert ended.returncode == 0, ended
    assert ended.stdout == f"bert-multilabel {version('bert-multilabel')}\n"


@pytest.mark.parametrize(
    "arguments", [["--help"], ["run", "--help"], ["models", "--help"], ["labels", "add", "--help"]]
)
def test_help_imports_nothing_slow(arguments: list[str]) -> None:
    ended = run_fresh(*arguments)
    assert ended.returncode == 0, ended
    assert "Usage:" in ended.stdout


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_prints_a_completion_script(shell: str) -> None:
    ended = run_fresh(_BERT_MULTILABEL_COMPLETE=f"source_{shell}")
    assert ended.returncode == 0, ended
    assert "_BERT_MULTILABEL_COMPLETE" in ended.stdout


@pytest.mark.parametrize(
    ("words", "completions"),
    [
        ("bert-multilabel sche", {"schedule"}),
        ("bert-multilabel models ro", {"rollback"}),
        ("bert-multilabel run --fo", {"--force"}),
    ],
)
def test_completes_commands_and_options(words: str, completions: set[str]) -> None:
    environment = {"COMP_WORDS": words, "COMP_CWORD": str(len(words.split()) - 1)}
    ended = run_fresh(_BERT_MULTILABEL_COMPLETE="complete_bash", **environment)
    assert ended.returncode == 0, ended
    assert set(ended.stdout.split()) == completions


def test_every_command_and_option_has_a_help_text() -> None:
    def check(command: Any) -> None:
        assert command.help, command.name
        for parameter in command.params:
            # The names of labels, which are arguments of `labels`, explain themselves.
            assert parameter.name in ("name", "old", "new", "implied") or parameter.help, parameter.name
        for subcommand in getattr(command, "commands", {}).values():
            check(subcommand)

    check(get_command(app))
