"""Progress of a step, reported without knowing who listens.

A component logs one-line messages to `PROGRESS`. What runs the pipeline shows them: the command line as a line that
changes in place, a container in its log.
"""

import logging
from typing import Any

# `extra` of a message that stays on the screen; others replace each other.
LASTING: dict[str, Any] = {"lasting": True}

PROGRESS = logging.getLogger("bert_multilabel.progress")
PROGRESS.setLevel(logging.INFO)
