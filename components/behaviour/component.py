"""Behavioural tests as a step: what the candidate says to texts whose labels are beyond doubt, and to edited ones."""

from tfx.dsl.component.experimental.annotations import InputArtifact, OutputArtifact, Parameter
from tfx.dsl.component.experimental.decorators import component
from tfx.types.standard_artifacts import Examples, Model

from components.behaviour.artifacts import BehaviourResults


@component  # type: ignore[untyped-decorator]
def BehaviouralTests(  # noqa: N802 - a component class
    model: InputArtifact[Model],
    examples: InputArtifact[Examples],
    results: OutputArtifact[BehaviourResults],
    tests: Parameter[str],
) -> None:
    """Measures, and leaves it to the gates to judge; `tests` is a `BehaviourTests` as JSON.

    The tests themselves are the parameter, not their file: an edit of it is a new execution, and a remote step needs no
    file.
    """
    from tfx.types import artifact_utils
    from tfx.utils import path_utils

    from components.behaviour.ask import judge_model
    from components.behaviour.results import write_results
    from components.behaviour.settings import BehaviourTests

    found = judge_model(
        path_utils.serving_model_path(model.uri),
        artifact_utils.get_split_uri([examples], "test"),
        BehaviourTests.model_validate_json(tests),
    )
    write_results(results.uri, found)
