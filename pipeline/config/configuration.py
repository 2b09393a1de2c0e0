"""The configuration: one YAML file, composed of each component's own settings."""

from typing import Literal

from pydantic import Field, field_validator

from components.canary.settings import CanarySettings, InfraValidatorSettings
from components.common.settings import Settings
from components.data_gate.settings import DataGateSettings
from components.evaluation.settings import EvaluationSettings
from components.example_gen.settings import ExamplesSettings
from components.preprocessing.settings import Truncation
from components.report.settings import ReportSettings
from components.trainer.settings import TrainingSettings
from pipeline.config.beam import BeamSettings
from pipeline.config.concurrency import ConcurrencySettings
from pipeline.config.kubeflow import KubeflowSettings
from pipeline.config.notify import NotifySettings
from pipeline.config.vertex import VertexSettings

_NAME_PATTERN = r"^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$"


class RunnerSettings(Settings):
    """A part for each runner that is used."""

    orchestrator: Literal["local", "beam"] = Field(
        "local",
        description="What `run` starts the steps with on this machine: one after the other, or TFX's BeamDagRunner.",
    )
    kubeflow: KubeflowSettings | None = None
    vertex: VertexSettings | None = None


class Configuration(Settings):
    """Everything a person decides. Paths are relative to the configuration's own file."""

    name: str = Field(
        pattern=_NAME_PATTERN,
        description="Of the pipeline: lower-case letters, digits and dashes; Kubeflow and Vertex ask for that.",
    )
    work_dir: str = Field(description="Artifacts, metadata and runs/ go there; one pipeline each.")
    schema_file: str = Field(description="TF-Metadata schema in text format; its labels domain is the label list.")
    registry: str = Field(description="Push destination: version directories as TensorFlow Serving watches them.")
    examples: ExamplesSettings
    data_gate: DataGateSettings = DataGateSettings()
    checkpoint: str = Field(
        "minilm-l6",
        description="minilm-l6; the folder of a BERT: Google's, Hugging Face's or a KerasHub preset; or a handle: hf://,"
        " kaggle://, or the name of a preset that KerasHub knows.",
    )
    max_tokens: int = Field(
        128, ge=3, description="Longer texts are cut to so many word pieces, [CLS] and [SEP] in it."
    )
    truncation: Truncation = Field(
        "head",
        description="What stays of a text that is cut. head: its first pieces; head_tail: a quarter from its start, the"
        " rest from its end.",
    )
    training: TrainingSettings = TrainingSettings()
    evaluation: EvaluationSettings
    behaviour: str | None = Field(
        None, description="YAML file of behavioural tests, each group of which is a gate besides evaluation.gates."
    )
    canary: CanarySettings = CanarySettings()
    infra_validator: InfraValidatorSettings | None = Field(
        None, description="TFX's InfraValidator with TensorFlow Serving, besides the canary; null: not asked."
    )
    report: ReportSettings = ReportSettings()
    beam: BeamSettings = BeamSettings()
    runner: RunnerSettings = Field(RunnerSettings(), description="What is different where it runs elsewhere than here.")
    concurrency: ConcurrencySettings = ConcurrencySettings()
    notify: NotifySettings | None = Field(None, description="A webhook that is told how a run has ended.")

    @field_validator("checkpoint")
    @classmethod
    def _not_blank(cls, value: str) -> str:
        if not value.strip():
            raise ValueError("name a checkpoint, or leave the key out for minilm-l6")
        return value
