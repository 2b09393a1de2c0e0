"""The base of all settings: what a person chooses.

Each component declares its settings beside its code. `pipeline.config.configuration` composes them into the
configuration, and they travel to the component's executor as JSON.
"""

from pydantic import BaseModel, ConfigDict

from components.common.files import make_folder, write_whole


class Settings(BaseModel):
    """Immutable settings. An unknown key is an error."""

    model_config = ConfigDict(frozen=True, extra="forbid")


def write_json(folder: str, name: str, value: BaseModel) -> None:
    """Write a model as a JSON file into a folder, which is created if it does not exist.

    Kubeflow's launcher creates only the parent of an output's folder.
    """
    make_folder(folder)
    write_whole(f"{folder}/{name}", f"{value.model_dump_json(indent=2)}\n".encode())
