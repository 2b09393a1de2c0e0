"""The `concurrency:` part of the configuration: what happens when two runs of a pipeline meet."""

from typing import Literal

from pydantic import Field

from components.common.settings import Settings


class ConcurrencySettings(Settings):
    """Behaviour of a run if another run of its pipeline is in progress."""

    when_busy: Literal["stop", "wait"] = Field(
        "stop", description="stop: end at once with exit status 2; wait: start when the other run has ended."
    )
    longest_wait_s: float = Field(3600, gt=0, description="Seconds to wait, with when_busy: wait, before it stops.")
