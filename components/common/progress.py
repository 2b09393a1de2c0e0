"""How a step says how far it is, without knowing who listens.

A component logs one-line messages to `PROGRESS`; whoever runs the pipeline shows them: the command line as a line that
changes in place, a container as its log.
"""

import logging

PROGRESS = logging.getLogger("bert_multilabel.progress")
PROGRESS.setLevel(logging.INFO)
