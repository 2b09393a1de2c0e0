"""Server of `tests.faults.run_server.RunServer`: it imports TensorFlow and TFX, then forks a process for each run."""

import ctypes
import importlib
import json
import os
import sys
import traceback
from dataclasses import fields
from pathlib import Path
from typing import Any

from pipeline.libraries import libraries_logged
from tests.faults.run_server import BEFORE_EXECUTOR, END, EXECUTOR_REACHED, NOT_REACHED, START, STEP_MARK, STOPPED, Case


def _import_everything(log: Path) -> None:
    """Import what a run imports, which takes longer than most cases; TensorFlow must compute nothing before a fork."""
    with libraries_logged(log, []):  # sets what TensorFlow reads when it is imported
        for name in ("cli.main", "pipeline.create", "pipeline.run", "runners.table", "runners.local.runner"):
            importlib.import_module(name)
        for path in sorted(Path(__file__).parents[2].glob("components/*/executor.py")):
            importlib.import_module(f"components.{path.parent.name}.executor")
        importlib.import_module("components.trainer.run")


def _watch_steps(case: Case, library: ctypes.CDLL) -> None:
    """Let the fault begin with its step, and note in the trace which step is running."""
    from pipeline import run as pipeline_run
    from runners.local.steps import Steps

    run, run_steps = Steps.run, pipeline_run.run_steps
    trace = os.open(case.trace, os.O_WRONLY | os.O_CREAT | os.O_TRUNC) if case.trace else None
    if trace is not None:
        library.fault_trace(case.under.encode(), trace)

    def begin(step: str) -> None:
        if trace is not None:
            os.write(trace, f"{STEP_MARK}{step}\n".encode())
        if step == case.step and case.error:
            library.fault_begin(case.under.encode(), case.pattern.encode(), case.error)

    def end(step: str) -> None:
        if step == case.step and case.error and not library.fault_begun():
            os._exit(NOT_REACHED)

    def run_watched(self: Steps, node: Any) -> None:
        name = node.node_info.id
        end(START)
        begin(name)
        run(self, node)
        end(name)

    def run_steps_watched(*arguments: Any, **options: Any) -> Any:
        result = run_steps(*arguments, **options)
        begin(END)
        return result

    Steps.run = run_watched  # type: ignore[method-assign]
    pipeline_run.run_steps = run_steps_watched
    begin(START)


def _end_before_executor(step: str) -> None:
    """End the process, as a kill does, when a step is about to make its outputs anew."""
    from runners.local.launcher import CheckedLauncher

    run = CheckedLauncher._run_executor

    def run_unless(self: CheckedLauncher, execution_info: Any) -> Any:
        if execution_info.pipeline_node.node_info.id == step:
            os._exit(EXECUTOR_REACHED)
        return run(self, execution_info)

    CheckedLauncher._run_executor = run_unless  # type: ignore[method-assign]


def _run(case: Case) -> int:
    from cli import main

    library = ctypes.CDLL(None)
    if case.clock_s:
        library.fault_clock(ctypes.c_long(case.clock_s))
    _watch_steps(case, library)
    if case.end == BEFORE_EXECUTOR:
        _end_before_executor(case.step)
    sys.argv[1:] = case.arguments
    try:
        main.main()
    except SystemExit as ended:
        status = int(ended.code or 0)
    except BaseException:
        traceback.print_exc()
        return 1
    return status if not case.error else exit_status(status, has_begun=library.fault_begun())


def exit_status(status: int, *, has_begun: bool) -> int:
    """Return the exit status of a run with a fault, which tells whether the fault has begun."""
    if has_begun:
        return status
    return STOPPED if status else NOT_REACHED


def _in_child(case: Case) -> None:
    """Run a case with its output in files, and end this process."""
    for descriptor, path in ((1, case.shown), (2, case.said)):
        os.dup2(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC), descriptor)
    sys.stdout.reconfigure(line_buffering=True)  # type: ignore[union-attr]
    status = _run(case)
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(status)


def _serve(folder: Path) -> None:
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)  # libraries may print when they are imported
    _import_everything(folder / "import.log")
    answers.write("ready\n")
    answers.flush()
    names = {field.name for field in fields(Case)}
    for line in sys.stdin:
        request = json.loads(line)
        if "wait" in request:
            answer = os.waitstatus_to_exitcode(os.waitpid(request["wait"], 0)[1])
        else:
            answer = os.fork()
            if answer == 0:
                _in_child(Case(**{name: request[name] for name in names}))
        answers.write(f"{answer}\n")
        answers.flush()


if __name__ == "__main__":
    _serve(Path(sys.argv[1]))
