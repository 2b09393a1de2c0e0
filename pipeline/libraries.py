"""What libraries log and write to stderr while they work, kept off the terminal."""

import logging
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from components.common.stderr import redirected_stderr

# Messages that TFX logs at every step of every run, and that call for nothing: its own fallback works.
_NOISE = ("property_predicate is not supported", "Fallback to non-ZetaSQL", "filter_query is not supported")


def _is_worth_reading(record: logging.LogRecord) -> bool:
    message = record.getMessage()
    return not any(noise in message for noise in _NOISE)


@contextmanager
def libraries_logged(log: Path, handlers: Sequence[logging.Handler]) -> Iterator[None]:
    """Send what libraries log to handlers, and what they write to stderr to a file.

    The console has the terminal to itself.
    """
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "1")
    # TensorFlow turns oneDNN on by itself only for some Intel processors; on AMD it makes a training step a third
    # faster.
    os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "1")
    for handler in handlers:
        handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(name)s: %(message)s"))
        handler.addFilter(_is_worth_reading)
        logging.getLogger().addHandler(handler)
    with log.open("ab") as file, redirected_stderr(file):
        try:
            yield
        except Exception:
            logging.getLogger(__name__).exception("the run ended here")
            raise
        finally:
            for handler in handlers:
                logging.getLogger().removeHandler(handler)
                handler.close()
