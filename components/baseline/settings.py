"""Settings of the baseline."""

from typing import Literal

from pydantic import Field

from components.common.settings import Settings

BrokenBaseline = Literal["set_aside", "stop"]


class BaselineSettings(Settings):
    """Settings of `RegistryBaseline`."""

    broken: BrokenBaseline = Field(
        default="set_aside",
        description=(
            "What to do if the last blessed model cannot be loaded or evaluated any more. set_aside: go on without a "
            "baseline, and record why; stop: end the run."
        ),
    )
