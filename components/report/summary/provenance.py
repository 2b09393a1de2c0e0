"""`provenance.json`: what started a run, where, and with which code."""

from typing import ClassVar

from components.common.record import Record


class Provenance(Record):
    """Start of a run.

    Attributes:
        command: The command line, without values that grant access.
        host: Name of the machine that started the run.
        user: Name of the user.
        cores: Number of processor cores that the run may use; None if it runs elsewhere.
        commit: Git commit of the code; None if the code is not in a git repository.
        is_modified: Whether the code had changes that are not in the commit.
        runner: Service that runs the steps, and the image that it runs; empty: the machine that started the run.
    """

    FILE: ClassVar[str] = "provenance.json"

    command: str
    host: str
    user: str
    cores: int | None = None
    commit: str | None = None
    is_modified: bool = False
    runner: str = ""
