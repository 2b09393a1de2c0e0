"""The ExampleGen as a TFX component."""

from typing import Any

from tfx.components.example_gen.component import FileBasedExampleGen
from tfx.components.example_gen.driver import FileBasedDriver
from tfx.dsl.components.base.base_beam_component import BaseBeamComponent
from tfx.dsl.components.base.executor_spec import BeamExecutorSpec
from tfx.proto import example_gen_pb2
from tfx.types import standard_artifacts
from tfx.types.channel import Channel
from tfx.types.component_spec import ChannelParameter, ComponentSpec, ExecutionParameter
from tfx.types.standard_component_specs import EXAMPLES_KEY, INPUT_BASE_KEY, INPUT_CONFIG_KEY

from components.example_gen.executor import QUARANTINE_KEY, SETTINGS_KEY, Executor
from components.example_gen.quarantine import Quarantine
from components.example_gen.settings import ExamplesSettings, IndexedLabels
from components.files import literal


class TextExampleGenSpec(ComponentSpec):  # type: ignore[misc]
    """The settings as JSON, and beside them what TFX's file-based driver reads."""

    PARAMETERS = {  # noqa: RUF012 - TFX's way to declare
        SETTINGS_KEY: ExecutionParameter(type=str),
        INPUT_BASE_KEY: ExecutionParameter(type=str),
        INPUT_CONFIG_KEY: ExecutionParameter(type=example_gen_pb2.Input),
    }
    INPUTS: dict[str, Any] = {}  # noqa: RUF012
    OUTPUTS = {  # noqa: RUF012
        EXAMPLES_KEY: ChannelParameter(type=standard_artifacts.Examples),
        QUARANTINE_KEY: ChannelParameter(type=Quarantine),
    }


class TextExampleGen(FileBasedExampleGen):  # type: ignore[misc]
    """Reads CSV and TSV files of labelled texts into tf.Examples {id, text, labels, slices}, split and shuffled.

    It is a `FileBasedExampleGen` so that every orchestrator treats it as one: its driver fingerprints the input files,
    an unchanged input is not read again, a changed one is.

    Outputs:
        examples: `Examples` with the splits train, eval and test.
        quarantine: `Quarantine`, the rows that could not be examples, and the count of all.

    Example:
        ```python
        example_gen = TextExampleGen(ExamplesSettings.model_validate({
            "input_base": "/data/comments",
            "labels": {"kind": "delimited", "column": "labels"},
            "inputs": [{"pattern": "*.csv", "split": {"train": 8, "eval": 1, "test": 1}}],
        }))
        ```
    """

    SPEC_CLASS = TextExampleGenSpec
    EXECUTOR_SPEC = BeamExecutorSpec(Executor)
    DRIVER_CLASS = FileBasedDriver

    def __init__(self, settings: ExamplesSettings) -> None:
        spec = TextExampleGenSpec(
            settings=settings.model_dump_json(),
            input_base=literal(settings.input_base),  # the driver joins it with the patterns
            input_config=example_gen_pb2.Input(splits=_fingerprinted(settings)),
            examples=Channel(type=standard_artifacts.Examples),
            quarantine=Channel(type=Quarantine),
        )
        # Past FileBasedExampleGen's own constructor, which knows only its own spec.
        BaseBeamComponent.__init__(self, spec=spec)


def _fingerprinted(settings: ExamplesSettings) -> list[example_gen_pb2.Input.Split]:
    """Everything that is read, under unique names: what the driver looks at to tell whether the input has changed."""
    splits = [
        example_gen_pb2.Input.Split(name=f"input_{index}", pattern=entry.pattern)
        for index, entry in enumerate(settings.inputs)
    ]
    if isinstance(settings.labels, IndexedLabels):
        splits.append(example_gen_pb2.Input.Split(name="label_names", pattern=literal(settings.labels.names)))
    return splits
