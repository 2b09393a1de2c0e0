"""The command line, run in this process."""

import json
import sys
from typing import Any

from cli import main as cli
from tests.support.small_project import Project


def command(*arguments: str) -> int:
    """Runs the command line; returns its exit status."""
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
    """Of every run of a project, in order."""
    return [
        json.loads((run / "summary.json").read_text())
        for run in sorted(project.runs.iterdir())
        if (run / "summary.json").exists()
    ]


def run(project: Project, *changes: str, force: bool = False) -> tuple[int, dict[str, Any]]:
    """Runs the whole pipeline; returns exit status and summary."""
    options = [option for change in changes for option in ("--set", change)] + ["--force"] * force
    status = command("run", "--config", str(project.configuration), *options)
    return status, summaries(project)[-1]
