"""The `retention:` part of the configuration: what is kept of past runs and models, and what is removed."""

from datetime import timedelta

from pydantic import Field, field_validator

from components.common.period import parse_period
from components.common.settings import Settings


class RetentionSettings(Settings):
    """What is removed after each run, and by `clean`.

    The model in service, the one that a rollback returns to, and what a kept run uses always stay.
    """

    keep_runs: int | None = Field(
        7,
        ge=1,
        description="Number of newest runs that trained a model whose artifacts, logs and reports are kept; of runs"
        " that ended before, as many, unless they are older. null: all.",
    )
    keep_models: int | None = Field(
        7,
        ge=1,
        description="Number of newest versions in the registry that are kept, besides those that were rolled back after"
        " the oldest of them. null: all.",
    )
    older_than: str = Field(
        "7d",
        description="Nothing that is younger is removed: a number of hours, days or weeks, such as 12h, 30d or 8w.",
    )
    check_disk: bool = Field(
        True,
        description="Before a run trains, compare the free space with what past runs took, and end with one line if it"
        " does not suffice.",
    )

    @field_validator("older_than")
    @classmethod
    def _check_period(cls, value: str) -> str:
        parse_period(value)
        return value

    @property
    def age(self) -> timedelta:
        """Age below which nothing is removed."""
        return parse_period(self.older_than)
