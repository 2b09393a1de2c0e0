"""TextExampleGen, the component that reads labelled texts."""

from typing import Any

from tfx.dsl.components.base.base_beam_component import BaseBeamComponent
from tfx.dsl.components.base.executor_spec import BeamExecutorSpec
from tfx.types import standard_artifacts
from tfx.types.channel import Channel
from tfx.types.component_spec import ChannelParameter, ComponentSpec, ExecutionParameter
from tfx.types.standard_component_specs import EXAMPLES_KEY

from components.example_gen.artifacts import Quarantine
from components.example_gen.dealing import STRATIFIED
from components.example_gen.driver import PROJECT_KEY, REGISTRY_KEY, SETTINGS_KEY, Driver
from components.example_gen.executor import LABEL_CHANGES_KEY, QUARANTINE_KEY, Executor
from components.example_gen.parsing.label_changes import LabelChanges
from components.example_gen.settings import ExamplesSettings


class TextExampleGenSpec(ComponentSpec):  # type: ignore[misc]
    """Interface of `TextExampleGen`."""

    PARAMETERS = {  # noqa: RUF012 - TFX declares specs this way
        SETTINGS_KEY: ExecutionParameter(type=str),
        LABEL_CHANGES_KEY: ExecutionParameter(type=str),
        PROJECT_KEY: ExecutionParameter(type=str),
        REGISTRY_KEY: ExecutionParameter(type=str, optional=True),
    }
    INPUTS: dict[str, Any] = {}  # noqa: RUF012
    OUTPUTS = {  # noqa: RUF012
        EXAMPLES_KEY: ChannelParameter(type=standard_artifacts.Examples),
        QUARANTINE_KEY: ChannelParameter(type=Quarantine),
    }


class TextExampleGen(BaseBeamComponent):  # type: ignore[misc]
    """Component that reads labelled texts into tf.Examples {id, text, labels, slices}, split and shuffled.

    It resolves spans as TFX's file-based ExampleGens do, but several at a time, and without a driver where none runs.
    Its own driver fingerprints the input: an unchanged input is not read again, a changed one is.

    Args:
        settings: Inputs, their format and columns, and how rows are split.
        label_changes: Labels that were renamed or retired since the rows were written.
        project: Google Cloud project that pays for queries; "" if there are none.
        registry: The push destination, which remembers stratified splits; not used where splits are by hash.

    Outputs:
        examples: `Examples` with the splits train, eval and test.
        quarantine: `Quarantine` with the rows that could not become examples, and a report on all rows.

    Example:
        ```python
        example_gen = TextExampleGen(settings=ExamplesSettings.model_validate({
            "input_base": "/data/comments",
            "labels": {"kind": "delimited", "column": "labels"},
            "inputs": [{"pattern": "{YYYY}-{MM}-{DD}/*.csv", "split": {"train": 8, "eval": 1, "test": 1}}],
            "spans": {"last": 7},
        }))
        ```
    """

    SPEC_CLASS = TextExampleGenSpec
    EXECUTOR_SPEC = BeamExecutorSpec(Executor)
    DRIVER_CLASS = Driver

    def __init__(
        self,
        settings: ExamplesSettings,
        label_changes: LabelChanges | None = None,
        project: str = "",
        registry: str | None = None,
    ) -> None:
        super().__init__(
            spec=TextExampleGenSpec(
                settings=settings.model_dump_json(),
                label_changes=(label_changes or LabelChanges()).model_dump_json(),
                project=project,
                registry=registry if settings.split_by == STRATIFIED else None,
                examples=Channel(type=standard_artifacts.Examples),
                quarantine=Channel(type=Quarantine),
            )
        )
