"""`python -m MODULE ARGUMENTS` in a fork of a process that has imported what most modules import, to save seconds."""

import multiprocessing
import os
import runpy
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

_IMPORTED = (
    "tfx.orchestration.kubeflow.v2.container.kubeflow_v2_run_executor", "tfx.v1", "tensorflow_text", "keras_hub",
    "pipeline.create", "components.trainer.run",
)  # fmt: skip


def run_module(
    module: str, arguments: Sequence[str], environment: Mapping[str, str], folder: Path, printed: Path, log: Path
) -> int:
    """Run a module as `python -m` does.

    Args:
        module: Its dotted name.
        arguments: Arguments of the command.
        environment: Variables in addition to those of this process.
        folder: Working directory.
        printed: File for stdout.
        log: File for stderr.

    Returns:
        The exit status.
    """
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(list(_IMPORTED))
    process = context.Process(target=_run, args=(module, list(arguments), dict(environment), folder, printed, log))
    process.start()
    process.join()
    assert process.exitcode is not None
    return process.exitcode


def _run(
    module: str, arguments: list[str], environment: dict[str, str], folder: Path, printed: Path, log: Path
) -> None:
    for number, file in ((1, printed), (2, log)):
        with file.open("wb") as to:
            os.dup2(to.fileno(), number)
    os.chdir(folder)
    os.environ.update(environment)
    sys.argv = [module, *arguments]
    runpy.run_module(module, run_name="__main__", alter_sys=True)
