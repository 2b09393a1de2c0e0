"""The `concurrency:` part of the configuration."""

from typing import Literal

from pydantic import Field

from components.common.settings import Settings


class ConcurrencySettings(Settings):
    """What a run does that finds another one of its pipeline at work on this machine."""

    when_busy: Literal["stop", "wait"] = Field(
        "stop", description="stop: end at once with exit status 2; wait: begin when the other has ended."
    )
    longest_wait_s: float = Field(3600, gt=0, description="Of wait: seconds after which it stops even so.")
