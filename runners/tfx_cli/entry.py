"""What the pipeline files of TFX's own command line share: their configuration, and errors in one line."""

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from components.common.outcome import EXIT_STATUS
from pipeline.check import check_configuration
from pipeline.config.configuration import Configuration
from pipeline.config.loading import load_configuration
from pipeline.console import PlainConsole
from pipeline.errors import errors_in_one_line
from runners.table import LocalRunner
from schema.errors import Refused
from schema.visible import in_one_line

CONFIGURATION_VARIABLE = "BERT_MULTILABEL_CONFIG"
_SAMPLE = Path(__file__).parents[2] / "configs" / "sample.yaml"
# The module with which TFX's command line loads pipeline files in its own process.
_LOADER = "tfx.tools.cli.handler.base_handler"


def configuration_file() -> Path:
    """Return the file that `BERT_MULTILABEL_CONFIG` names; without it, in a checkout, that of the bundled sample.

    Raises:
        Refused: The variable is not set, and the package is installed without a checkout.
    """
    name = os.environ.get(CONFIGURATION_VARIABLE)
    if not name and not _SAMPLE.is_file():
        raise Refused(f"{CONFIGURATION_VARIABLE} is not set; set it to the path of the pipeline's configuration")
    return Path(name or _SAMPLE)


def checked_configuration() -> Configuration:
    """Read the configuration and check what can be checked without TensorFlow.

    Raises:
        Refused: It cannot be read, or does not fit its files.
    """
    config = load_configuration(configuration_file())
    check_configuration(config)
    return config


def is_loaded_by_tfx() -> bool:
    """Return whether TFX's command line has loaded the pipeline file, to create or compile it, and does not run it."""
    return _LOADER in sys.modules


def run(orchestrator: str) -> None:
    """Run the pipeline as `bert-multilabel run` does: one at a time, with summary, report and webhook.

    Args:
        orchestrator: local or beam.
    """
    from pipeline.run import run_pipeline

    with errors_in_one_line():
        config = load_configuration(configuration_file(), [f"runner.orchestrator={orchestrator}"])
        summary = run_pipeline(config, PlainConsole(), LocalRunner(orchestrator))
    sys.exit(EXIT_STATUS[summary.outcome])


@contextmanager
def one_line_errors() -> Iterator[None]:
    """Exit with status 1, as TFX's command line does, and one line if the body refuses."""
    try:
        yield
    except Refused as refused:
        sys.exit(f"error: {in_one_line(str(refused))}")
