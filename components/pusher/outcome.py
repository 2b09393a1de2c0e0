"""What a push came to: `pushed.json` in the PushedModel artifact. Needs no TensorFlow."""

from components.common.files import read_bytes, write_whole
from components.common.settings import Settings

_FILE = "pushed.json"


class Pushed(Settings):
    """Where the model is, or why it is nowhere.

    Attributes:
        number: of the version; None: the model was not pushed.
        path: its directory.
        reason: why a blessed model was not pushed; empty where it was, or was not blessed.
    """

    number: int | None = None
    path: str | None = None
    reason: str = ""


def write_pushed(uri: str, pushed: Pushed) -> None:
    """Writes it into the artifact."""
    write_whole(f"{uri}/{_FILE}", f"{pushed.model_dump_json()}\n".encode())


def read_pushed(uri: str) -> Pushed:
    """Reads it out of a `RegistryPusher`'s artifact."""
    return Pushed.model_validate_json(read_bytes(f"{uri}/{_FILE}"))
