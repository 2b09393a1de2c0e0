"""`provenance.json`: what started a run, where, and with which code."""

from typing import ClassVar

from components.common.record import Record


class Provenance(Record):
    """Start of a run.

    Attributes:
        command: The command line, without values that grant access.
        host: Name of the machine.
        user: Name of the user.
        cores: Number of processor cores that the run may use.
        commit: Git commit of the code; None if the code is not in a git repository.
        is_modified: Whether the code had changes that are not in the commit.
    """

    FILE: ClassVar[str] = "provenance.json"

    command: str
    host: str
    user: str
    cores: int
    commit: str | None = None
    is_modified: bool = False
