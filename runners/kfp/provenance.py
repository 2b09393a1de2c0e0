"""Provenance of a remote run: known where the run is compiled or submitted, and passed on as a parameter of the run."""

from pipeline.provenance import find_provenance
from runners.kfp.protection import protect_json

PROVENANCE = "provenance"
"""Parameter of a run: `Provenance` as JSON, for the report."""


def provenance_text(runner: str) -> str:
    """Return what starts the runs, as JSON in a spelling that the service leaves as it is.

    Args:
        runner: The service, and the image that it runs.
    """
    return protect_json(find_provenance(runner=runner).model_dump_json())
