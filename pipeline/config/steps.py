"""What the container of a step gets on a remote runner: settings that Kubeflow and Vertex AI share."""

from collections.abc import Mapping
from typing import Annotated, Any, TypeVar

from pydantic import BeforeValidator, Field, NonNegativeInt, PositiveInt

from components.common.settings import Settings

# The steps that get the accelerator where no step names one: those that train.
_TRAINING = ("Trainer", "Tuner")


def _as_text(value: object) -> object:
    """Return a number as text: YAML reads `cpu: 2` as a number."""
    return str(value) if isinstance(value, int | float) and not isinstance(value, bool) else value


def _absolute(value: str) -> str:
    """Return a path that means the same in every container."""
    if not value.startswith("/") and "://" not in value:
        raise ValueError(f"{value}: a container needs an absolute path or an address such as gs://BUCKET/...")
    return value


Processors = Annotated[str, BeforeValidator(_as_text), Field(pattern=r"^[0-9]*\.?[0-9]+m?$")]
Memory = Annotated[str, BeforeValidator(_as_text), Field(pattern=r"^[0-9]+(M|G|T|Mi|Gi|Ti)$")]
ContainerPath = Annotated[str, BeforeValidator(_absolute)]


class StepSettings(Settings):
    """What the container of a step gets. A null is left to the service or, below `steps`, to what every step gets."""

    image: str | None = Field(None, description="Container image, with this project installed in it.")
    cpu: Processors | None = Field(
        None, description="Processors: 2 or 500m. Kubeflow's request and limit; Vertex AI chooses the machine by it."
    )
    memory: Memory | None = Field(None, description="Memory, used like cpu: 8Gi.")
    env: dict[str, str] = Field({}, description="Environment variables that are not secret.")
    timeout_s: PositiveInt | None = Field(None, description="Seconds after which each try of the step is stopped.")
    retries: NonNegativeInt | None = Field(
        None, description="Number of retries of a step that fails, after 60 s, 120 s, 240 s, ..."
    )
    cache: bool | None = Field(
        None, description="false: run the step even if none of its inputs has changed. null means true."
    )


Step = TypeVar("Step", bound=StepSettings)


def step_settings(kind: type[Step], every: StepSettings, steps: Mapping[str, Step], name: str) -> Step:
    """Return the settings of one step: its own, merged into those of every step.

    Dictionaries and lists are joined. Of single values the step's own counts. The accelerator of every step is
    that of the Trainer and the Tuner alone.

    Args:
        kind: Class of the settings of a step.
        every: Settings of every step; has at least the fields of `kind`.
        steps: Settings of single steps, by name.
        name: Name of the step.

    Example:
        >>> every = StepSettings(image="bert:1", env={"A": "1"})
        >>> step = step_settings(StepSettings, every, {"Trainer": StepSettings(cpu="8", env={"B": "2"})}, "Trainer")
        >>> step.image, step.cpu, step.env
        ('bert:1', '8', {'A': '1', 'B': '2'})
    """
    own = steps.get(name) or kind()
    merged: dict[str, Any] = {}
    for field in kind.model_fields:
        common, value = getattr(every, field), getattr(own, field)
        if field == "accelerator" and name not in _TRAINING:
            common = None
        if isinstance(value, dict):
            merged[field] = common | value
        elif isinstance(value, list):
            merged[field] = [*common, *value]
        else:
            merged[field] = common if value is None else value
    return kind(**merged)
