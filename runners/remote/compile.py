"""From the configuration to what another machine runs."""

import os
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import import_module
from pathlib import Path

from pipeline.check import check_without_data
from pipeline.config.configuration import Configuration
from schema.errors import Refused
from schema.nearest import nearest

RUNNERS = ("kubeflow", "vertex")


def compile_pipeline(config: Configuration, runner: str, output: Path) -> None:
    """Writes the pipeline as a runner takes it. The data need not be within reach.

    Args:
        config: The configuration.
        runner: One of `RUNNERS`.
        output: The file; replaced if it is there.

    Raises:
        Refused: There is no such runner, or the configuration does not fit it.
    """
    if runner not in RUNNERS:
        raise Refused(f"--runner {runner}: there is no such runner to compile for; {nearest(runner, RUNNERS)}")
    check_without_data(config)
    # By name: runners know the pipeline, the pipeline does not know what runs it.
    with quiet():
        import_module(f"runners.{runner}").compile(config, output)


@contextmanager
def quiet() -> Iterator[None]:
    """Keeps what libraries write to stderr, from Python or from C++, off the terminal, unless something breaks."""
    sys.stderr.flush()
    terminal = os.dup(2)
    with tempfile.TemporaryFile() as kept:
        os.dup2(kept.fileno(), 2)
        try:
            yield
        except Refused:
            raise
        except Exception:
            sys.stderr.flush()
            kept.seek(0)
            os.write(terminal, kept.read())
            raise
        finally:
            sys.stderr.flush()
            os.dup2(terminal, 2)
            os.close(terminal)
