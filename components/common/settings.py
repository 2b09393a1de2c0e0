"""The base of every settings model.

Each component declares its own settings beside its code. `pipeline.config.configuration` composes them into the
configuration, and they travel to the component's executor as JSON.
"""

from pydantic import BaseModel, ConfigDict

from components.common.files import make_folder, write_whole


class Settings(BaseModel):
    """Immutable, and strict about keys: an unknown key is an error, never ignored."""

    model_config = ConfigDict(frozen=True, extra="forbid")


def write_json(folder: str, name: str, value: Settings) -> None:
    """Writes it as a file of a folder, local or remote, complete or not at all.

    The folder is made: of an output, Kubeflow's launcher makes the parent only.
    """
    make_folder(folder)
    write_whole(f"{folder}/{name}", f"{value.model_dump_json(indent=2)}\n".encode())
