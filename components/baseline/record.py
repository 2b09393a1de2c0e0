"""What a baseline artifact says of itself, in a file: artifact properties do not reach every step on every runner."""

from pydantic import Field

from components.common.files import read_bytes
from components.common.settings import Settings, write_json

_FILE = "baseline.json"


class BaselineRecord(Settings):
    """`baseline.json` in the artifact of `RegistryBaseline`.

    Attributes:
        has_baseline: whether the artifact holds a model to compare with.
        version: the registry's version that was found, None if there is none.
        model_id: its model, None if unknown.
        set_aside: why the version found is not compared with, None if it is.
        lacks: the candidate's labels that it has not, and so is not compared on.
        only_its: its labels that the candidate has not, or not any more.
    """

    has_baseline: bool
    version: int | None = None
    model_id: str | None = None
    set_aside: str | None = None
    lacks: list[str] = Field(default=[])
    only_its: list[str] = Field(default=[])


def write_baseline(uri: str, record: BaselineRecord) -> None:
    """Writes the record into the artifact."""
    write_json(uri, _FILE, record)


def read_baseline(uri: str) -> BaselineRecord:
    """Reads the record of an artifact of `RegistryBaseline`.

    Raises:
        OSError: there is none.
    """
    return BaselineRecord.model_validate_json(read_bytes(f"{uri}/{_FILE}"))
