"""The base of all settings: what a person chooses.

Each component declares its settings beside its code. `pipeline.config.configuration` composes them into the
configuration, and they travel to the component's executor as JSON.
"""

from pydantic import BaseModel, ConfigDict


class Settings(BaseModel):
    """Immutable settings. An unknown key is an error."""

    model_config = ConfigDict(frozen=True, extra="forbid")
