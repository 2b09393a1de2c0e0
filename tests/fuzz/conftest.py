"""Number of examples: a few, or what FUZZ_EXAMPLES says."""

import os

from hypothesis import HealthCheck, settings

EXAMPLES = int(os.environ.get("FUZZ_EXAMPLES", "25"))

FUZZ = settings(
    max_examples=EXAMPLES,
    # Nothing small may take seconds; the first example of a kind imports what it needs.
    deadline=10_000,
    suppress_health_check=list(HealthCheck),
)
"""Settings of every test here."""
