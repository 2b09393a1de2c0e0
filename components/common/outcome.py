"""How a run ends: set once, in summary.json, and read everywhere else."""

from collections.abc import Mapping
from typing import Literal

Outcome = Literal[
    "blessed", "not_blessed", "no_new_data", "refused", "failed", "untried", "scored", "steady", "drifted"
]
"""How a run ends.

scored: a run of the scoring pipeline, which makes no model. steady, drifted: `watch` has found no drift, or some.
untried: something could not be tried, which says nothing about the model.
"""

EXIT_STATUS: Mapping[Outcome, int] = {
    "blessed": 0,
    "no_new_data": 0,
    "scored": 0,
    "steady": 0,
    "drifted": 3,
    "failed": 1,
    "untried": 1,
    "refused": 2,
    "not_blessed": 3,
}
"""Exit status of the command line."""


class Untried(Exception):  # noqa: N818 - named after the outcome it causes
    """Something could not be tried because of the state of the machine, which says nothing about the model.

    A step that raises it fails, so that the cache never answers for it: the next run tries again. The message is one
    line: what could not be tried, why, and which key of the configuration bounds it.
    """
