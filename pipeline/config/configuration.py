"""The configuration, composed of the settings that each component declares beside its code."""

from typing import Any, Literal, Self

from pydantic import Field, field_validator, model_validator

from components.canary.settings import CanarySettings, InfraValidatorSettings
from components.common.settings import Settings
from components.data_gate.settings import DataGateSettings
from components.evaluation.settings import EvaluationSettings
from components.example_gen.settings import ExamplesSettings
from components.preprocessing.settings import LongTextSettings, Truncation
from components.report.settings import ReportSettings
from components.suspects.settings import SuspectsSettings
from components.tracking.settings import TrackingSettings
from components.trainer.settings import TrainingSettings
from pipeline.config.beam import BeamSettings
from pipeline.config.concurrency import ConcurrencySettings
from pipeline.config.kubeflow import KubeflowSettings
from pipeline.config.notify import NotifySettings
from pipeline.config.retention import RetentionSettings
from pipeline.config.vertex import VertexSettings
from serving.scoring.settings import ScoringSettings
from serving.watch.settings import WatchSettings

_NAME_PATTERN = r"^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$"


class RunnerSettings(Settings):
    """Runners of the pipeline, with the settings of each."""

    orchestrator: Literal["local", "beam"] = Field(
        "local",
        description="Runner of `run`. local: one step after the other; beam: TFX's BeamDagRunner.",
    )
    kubeflow: KubeflowSettings | None = Field(None, description="Kubeflow Pipelines v2; null: not used.")
    vertex: VertexSettings | None = Field(None, description="Vertex AI Pipelines; null: not used.")


class Configuration(Settings):
    """Configuration of a pipeline. Paths are relative to the folder of the YAML file."""

    name: str = Field(
        pattern=_NAME_PATTERN,
        description="Name of the pipeline: lower-case letters, digits and dashes, as Kubeflow and Vertex AI require.",
    )
    pipeline: Literal["train", "score"] = Field(
        "train",
        description="Pipeline that the commands run: train; or score, which has only the step that scores what"
        " `scoring` names, is called <name>-score and works in <work_dir>/score. `--pipeline score` sets it.",
    )
    work_dir: str = Field(
        description="Folder of this pipeline alone, for artifacts, metadata and the results of runs (runs/)."
    )
    schema_file: str = Field(
        description="TF-Metadata schema in text format. The string domain of its labels feature is the label list."
    )
    registry: str = Field(
        description="Folder or gs:// address that models are pushed to, as numbered versions that TensorFlow Serving"
        " watches."
    )
    examples: ExamplesSettings = Field(description="Input files, their columns, and the splits.")
    data_gate: DataGateSettings = Field(DataGateSettings(), description="What stops a run before training.")
    checkpoint: str = Field(
        "minilm-l6",
        description="Pretrained BERT, DistilBERT or ELECTRA. minilm-l6, which is installed with the project; a folder"
        " in the format of Google (TF1), Hugging Face (safetensors) or KerasHub (a preset); or a handle: hf://...,"
        " kaggle://..., or the name of one of KerasHub's presets.",
    )
    max_tokens: int = Field(
        128,
        ge=3,
        description="Longest text in tokens, with [CLS] and [SEP]; longer texts are truncated, or read in windows.",
    )
    truncation: Truncation = Field(
        "head",
        description="Which part of a truncated text is kept. head: its beginning; head_tail: a quarter of the tokens"
        " from its beginning, the others from its end.",
    )
    long_texts: LongTextSettings = Field(
        LongTextSettings(), description="What is done with longer texts, besides truncation."
    )
    training: TrainingSettings = Field(TrainingSettings(), description="How the model is trained.")
    evaluation: EvaluationSettings = Field(description="Slices, and the gates that a model must pass.")
    behaviour: str | None = Field(
        None,
        description="YAML file of behavioural tests, each group of which is another gate; null: none.",
    )
    canary: CanarySettings = Field(
        CanarySettings(), description="Trial of each model in a fresh process, before it may be pushed."
    )
    infra_validator: InfraValidatorSettings | None = Field(
        None, description="TFX's InfraValidator with TensorFlow Serving, in addition to the canary; null: not used."
    )
    report: ReportSettings = Field(ReportSettings(), description="Contents of report.html and model_card.md.")
    suspects: SuspectsSettings | None = Field(
        None, description="Search of each run for label errors in its train split; null: only `suspects` searches."
    )
    scoring: ScoringSettings | None = Field(
        None, description="Rows that the registry's live model scores, and where; null: nothing is scored."
    )
    watch: WatchSettings | None = Field(
        None, description="Answers that `watch` compares with the training data; null: nothing is watched."
    )
    tracking: TrackingSettings = Field(TrackingSettings(), description="Trackers of experiments; they decide nothing.")
    beam: BeamSettings = Field(BeamSettings(), description="Where Beam does the work of the components.")
    runner: RunnerSettings = Field(RunnerSettings(), description="Where the pipeline runs.")
    concurrency: ConcurrencySettings = Field(
        ConcurrencySettings(), description="What a run does if another run of the pipeline is in progress."
    )
    retention: RetentionSettings = Field(
        RetentionSettings(), description="What is kept of past runs and models; the rest is removed after each run."
    )
    notify: NotifySettings | None = Field(
        None, description="Webhook that is called when a run ends; null: nobody is notified."
    )

    @model_validator(mode="before")
    @classmethod
    def _set_max_tokens(cls, values: Any) -> Any:
        """Let `max_tokens` follow the size of windows, unless it is given itself."""
        try:
            size = values["long_texts"]["windows"]["size"]
        except (KeyError, TypeError):
            return values
        return {"max_tokens": size, **values} if isinstance(size, int) else values

    @model_validator(mode="after")
    def _check_windows(self) -> Self:
        windows = self.long_texts.windows
        if windows is None:
            return self
        key = "long_texts.windows"
        if windows.size != self.max_tokens:
            raise ValueError(
                f"{key}.size is {windows.size}, but max_tokens is {self.max_tokens}: a window is the longest sequence"
                f" that the model reads; write {key}.size: {self.max_tokens}, or leave max_tokens out"
            )
        if self.examples.text_pair is not None:
            raise ValueError(f"{key}: pairs of texts have no windows; leave examples.text_pair or {key} out")
        if self.training.export.variants:
            raise ValueError(f"{key}: variants of a model have no windows; leave training.export.variants or {key} out")
        if self.training.xla:
            raise ValueError(
                f"{key}: training.xla compiles fixed shapes, and texts differ in their windows; set it to false"
            )
        return self

    @property
    def max_text_tokens(self) -> int:
        """Tokens of a text that are read, [CLS] and [SEP] included."""
        windows = self.long_texts.windows
        return self.max_tokens if windows is None else windows.max_tokens

    @field_validator("checkpoint")
    @classmethod
    def _not_blank(cls, value: str) -> str:
        if not value.strip():
            raise ValueError("name a checkpoint, or leave the key out for minilm-l6")
        return value
