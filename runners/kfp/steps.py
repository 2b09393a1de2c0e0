"""The steps that Kubeflow and Vertex AI run besides TFX's, and which steps may be answered from the service's cache."""

from collections.abc import Collection, Mapping, Sequence

from pipeline.config.steps import StepSettings
from schema.errors import Refused
from schema.nearest import nearest

NEW_DATA = "NewData"
"""The first step: resolves spans, and says whether there is anything new."""
NOTIFY = "Notify"
"""The last step: tells the webhook how the run ended."""
PUSHER = "RegistryPusher"

RUN_VARIABLE = "KUBEFLOW_RUN_ID"
"""Environment variable that has the service's ID of the run."""
STEP_VARIABLE = "BERT_MULTILABEL_STEP"
"""Environment variable that has the name of the step."""
REGISTRY_VARIABLE = "BERT_MULTILABEL_REGISTRY"
"""Environment variable of the Pusher that has the push destination."""

# The services' caches compare inputs and parameters only, and no driver runs there that would look further. These steps
# look at data files or at the registry.
ALWAYS_RUN = frozenset({
    *(NEW_DATA, "DataGate", "RegistryBaseline", PUSHER, "TrainingRecord", NOTIFY),
    "TextScorer",  # the one step of the scoring pipeline
    "ModelProfile",
})  # fmt: skip


def step_environment(step: str, registry: str) -> dict[str, str]:
    """Return the environment variables that tell a container which step it is, besides `RUN_VARIABLE`.

    Args:
        step: Name of the step.
        registry: The push destination, as the step's container sees it.
    """
    return {STEP_VARIABLE: step} | ({REGISTRY_VARIABLE: registry} if step == PUSHER else {})


def check_steps(
    runner: str, steps: Mapping[str, StepSettings], known: Sequence[str], always_run: Collection[str]
) -> None:
    """Check that the settings of single steps name steps of the pipeline.

    Args:
        runner: Key of `runner` in the configuration.
        steps: Settings of single steps, by name.
        known: Names of the pipeline's steps.
        always_run: Names of the steps that must not be answered from a cache.

    Raises:
        Refused: There is no such step, and the message names the nearest; or a step that must always run is to be
            cached.
    """
    for name, step in steps.items():
        if name not in known:
            raise Refused(f"runner.{runner}.steps.{name}: there is no such step; {nearest(name, known)}")
        if step.cache and name in always_run:
            raise Refused(
                f"runner.{runner}.steps.{name}.cache: the step looks at what the service's cache cannot see, so it "
                "always runs; remove the key"
            )
