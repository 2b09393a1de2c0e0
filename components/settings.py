"""The base of every settings model.

Each component declares its own settings beside its code; `pipeline.config` composes them into the configuration, and
they travel to the component's executor as JSON.
"""

from pydantic import BaseModel, ConfigDict


class Settings(BaseModel):
    """Immutable, and strict about keys: an unknown key is an error, never ignored."""

    model_config = ConfigDict(frozen=True, extra="forbid")
