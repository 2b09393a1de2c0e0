"""Helpers that run the command line in this process."""

import json
import sys
from typing import Any

from cli import main as cli
from tests.support.small_project import Project


def command(*arguments: str) -> int:
    """Run the command line and return its exit status."""
    before = sys.argv
    sys.argv = ["bert-multilabel", *arguments]
    try:
        cli.main()
    except SystemExit as ended:
        return int(ended.code or 0)
    finally:
        sys.argv = before
    return 0


def summaries(project: Project) -> list[dict[str, Any]]:
    """Return the summaries of a project's runs, in order."""
    return [
        json.loads((run / "summary.json").read_text())
        for run in sorted(project.runs.iterdir())
        if (run / "summary.json").exists()
    ]


def run(project: Project, *changes: str, force: bool = False) -> tuple[int, dict[str, Any]]:
    """Run the whole pipeline and return exit status and summary.

    Args:
        project: The project.
        changes: Keys of the configuration to replace, each as `--set` takes it.
        force: Whether to train even if nothing is new.
    """
    options = [option for change in changes for option in ("--set", change)] + ["--force"] * force
    status = command("run", "--config", str(project.configuration), *options)
    return status, summaries(project)[-1]
