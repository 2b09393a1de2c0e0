"""Processor time of what should answer at once: help, refusals and the commands that look at what is there.

python -m benchmarks.startup [--model REGISTRY] [--run]

The commands run in fresh processes, on a small project and a made-up run; each time is the least of three. With
--model, a text is also classified; with --run, what a run imports before its first step is measured too, with the
packages that take most of it.
"""

import argparse
import json
import os
import re
import resource
import shutil
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path

from tests.components.report.made_up import material
from tests.support.small_project import Project, make_project

_TIMES = 3
_ROWS = 50_000
_HELP_S, _LOOK_S, _CHECK_S, _PREDICT_S = 1.0, 2.0, 15.0, 6.0
_IMPORTED = re.compile(r"import time:\s+(\d+) \|\s+\d+ \|\s+(\w+)")
_MOST_PACKAGES = 12

Case = tuple[str, Sequence[str], float]
"""Name, arguments and the bound in seconds."""


def main() -> None:
    """Print a line for each command, with its bound; exit with status 1 if one takes longer."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--model", help="registry or version to classify a text with")
    parser.add_argument("--run", action="store_true", help="measure what a run imports")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        project = _prepare(Path(folder))
        cases = list(_cases(project))
        if options.model:
            predict = ("predict", "--model", options.model, "--text", "Where is my order?")
            cases.append(("predict, a text", predict, _PREDICT_S))
        late = [name for name, arguments, bound in cases if not _measure(name, arguments, bound)]
    if options.run:
        _profile_run()
    sys.exit(f"too slow: {', '.join(late)}" if late else 0)


def _prepare(folder: Path) -> Project:
    """Write a project whose last row has an unknown label, and a run of it that has ended."""
    project = make_project(folder / "project", rows=_ROWS)
    with project.data.open("a", encoding="utf-8") as rows:
        rows.write("x,an unknown label,refunds,chat\n")
    made, run = material(rows=1_000), project.runs / "20261123T120000.000001Z"
    run.mkdir(parents=True)
    uris = {key: folder / key for key in ("evaluation", "quarantine")}
    made.summary.write(str(run))
    assert made.insights is not None
    assert made.ingest is not None
    made.insights.write(str(uris["evaluation"]))
    made.ingest.model_copy(update={"quarantined": 0, "accepted": made.ingest.rows_read, "reasons": {}}).write(
        str(uris["quarantine"])
    )
    outputs = {key: str(uri) for key, uri in uris.items()}
    (run / "artifacts.json").write_text(json.dumps({"TextExampleGen": outputs}))
    shutil.copytree(run, run.with_name("20261124T120000.000001Z"))
    _write_metadata(project.runs.parent / "metadata.sqlite")
    version = project.registry / "1795436460"
    version.mkdir(parents=True)
    (version / "saved_model.pb").write_bytes(b"graph")
    assert made.model is not None
    made.model.write(str(version))
    return project


def _write_metadata(path: Path) -> None:
    """Write a file of ML Metadata, which `history` and `report` then import it to read."""
    from ml_metadata import metadata_store
    from ml_metadata.proto import metadata_store_pb2

    connection = metadata_store_pb2.ConnectionConfig()
    connection.sqlite.filename_uri = str(path)
    metadata_store.MetadataStore(connection)


def _cases(project: Project) -> Iterator[Case]:
    config = str(project.configuration)
    runs = [str(run) for run in sorted(project.runs.iterdir())]
    yield "--version", ("--version",), _HELP_S
    for arguments in _helps():
        yield " ".join(arguments), arguments, _HELP_S
    yield "refused key", ("run", "--config", config, "--set", "training.epochz=1"), _HELP_S
    yield "refused file", ("run", "--config", "nowhere.yaml"), _HELP_S
    for command in ("check", "run"):
        yield f"{command}, an unknown label in {_ROWS:,} rows", (command, "--config", config), _CHECK_S
    yield "models list", ("models", "list", "--registry", str(project.registry)), _LOOK_S
    yield "labels list", ("labels", "list", "--config", config), _LOOK_S
    yield "history", ("history", "--config", config), _LOOK_S
    yield "quarantine", ("quarantine", runs[0]), _LOOK_S
    yield "report", ("report", runs[0]), _LOOK_S
    yield "report --short", ("report", runs[0], "--short"), _LOOK_S
    yield "report --compare", ("report", "--compare", *runs[:2]), _LOOK_S


def _helps() -> Iterator[Sequence[str]]:
    """Yield the arguments of every command's help."""
    from typer.main import get_command

    from cli.main import app

    def walk(command: object, path: tuple[str, ...]) -> Iterator[Sequence[str]]:
        yield (*path, "--help")
        for name, each in getattr(command, "commands", {}).items():
            yield from walk(each, (*path, name))

    yield from walk(get_command(app), ())


def _measure(name: str, arguments: Sequence[str], bound: float) -> bool:
    """Print the processor time of a command; return whether it is within the bound."""
    seconds = min(_cpu_s(["-m", "pipeline", *arguments]) for _ in range(_TIMES))
    print(f"{seconds:6.2f} s  (bound {bound:4.1f} s)  {name}", flush=True)
    return seconds <= bound


def _cpu_s(arguments: Sequence[str]) -> float:
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run([sys.executable, *arguments], capture_output=True, check=False, env={**os.environ, "COLUMNS": "80"})
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def _profile_run() -> None:
    """Print what a run's imports take, beside what they took with `tfx.v1` and while garbage was collected."""
    run = "import runners.local.runner"
    paused = f"from components.common.garbage import paused_collection\nwith paused_collection(): {run}"
    for name, code in (("a run's imports", paused), ("as they were, with tfx.v1", f"import tfx.v1; {run}")):
        print(f"{min(_cpu_s(['-c', code]) for _ in range(_TIMES)):6.2f} s  {name}", flush=True)
    profiled = subprocess.run(
        [sys.executable, "-X", "importtime", "-c", run], capture_output=True, text=True, check=True
    )
    packages = Counter[str]()
    for microseconds, package in _IMPORTED.findall(profiled.stderr):
        packages[package] += int(microseconds)
    print(
        "of these, by package: "
        + ", ".join(f"{name} {us / 1e6:.2f}" for name, us in packages.most_common(_MOST_PACKAGES))
    )


if __name__ == "__main__":
    main()
