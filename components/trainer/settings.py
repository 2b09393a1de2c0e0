"""Settings of the Trainer, composed of those of its parts. Free of TensorFlow."""

from collections.abc import Iterator, Mapping
from typing import Any, Literal, Self

from pydantic import Field, ValidationError, field_validator, model_validator

from components.checkpoints.checkpoint import Checkpoint
from components.checkpoints.pooling import Pooling
from components.common.record import Value
from components.common.settings import Settings
from components.evaluation.gates.gate import VariantGate, parse_gate
from components.preprocessing.settings import WindowSettings
from components.trainer.decisions.settings import DecisionSettings
from components.trainer.loop.settings import LoopSettings
from components.trainer.tuning.settings import TuneSettings

Variant = Literal["bfloat16", "onnx", "int8"]
_VARIANT_GATES = ("macro_f1 >= full - 0.005", "f1[*] >= full - 0.05 where support >= 50")


class ExportSettings(Settings):
    """Contents of the exported model besides what every server needs, and variants of it."""

    explain: bool = Field(
        False,
        description="Export the signature explain too, by which `bert-multilabel explain` and a server tell how much"
        " each word adds to a label (docs/training.md has its costs).",
    )
    variants: list[Variant] = Field(
        default=[],
        description="Other forms of a blessed model, pushed beside it if they pass gates of their own."
        " bfloat16: a SavedModel with matrices in bfloat16; onnx, int8: ONNX files with tokenizer and client (they need"
        " the extra `onnx`).",
    )
    variant_gates: list[VariantGate] = Field(
        default=[parse_gate(gate, VariantGate) for gate in _VARIANT_GATES],
        description="Gates of each variant, on the test split; `full` is the model itself. Those of evaluation.gates"
        " that compare with no other model and are on all examples apply too.",
    )

    @field_validator("variants")
    @classmethod
    def _distinct(cls, value: list[Variant]) -> list[Variant]:
        if len(set(value)) < len(value):
            raise ValueError("name each variant once")
        return value


class TrainingSettings(DecisionSettings, LoopSettings):
    """Section `training` of the configuration.

    The defaults are BERT's own recipe at a learning rate that suits a small encoder.
    """

    pooling: Literal["auto"] | Pooling = Field(
        "auto",
        description="How one vector is made of the outputs of a text's tokens. cls: the pooler on [CLS], as BERT was "
        "pretrained; mean, max; attention: their mean, weighted by a trained query. auto: what the checkpoint was "
        "trained with, which is mean for most sentence-transformers and cls for others.",
    )
    dropout: float = Field(0.1, ge=0, lt=1, description="Dropout rate between the pooled output and the head.")
    head_bias: Literal["prior", "zeros"] = Field(
        "prior",
        description="Initial bias of the head. prior: each label's log odds in the train split, so that no step is "
        "spent on learning how rare labels are; zeros: as in BERT's run_classifier.py.",
    )
    precision: Literal["auto", "float32", "bfloat16"] = Field(
        "auto",
        description="Precision of the encoder's arithmetic; weights, loss, optimizer and exported model are always "
        "float32. auto: bfloat16 on GPUs and processors that compute in it, else float32.",
    )
    deterministic: bool = Field(
        False,
        description="Make two runs yield bitwise equal weights, however Beam divides the work; slower on GPUs, and "
        "holds the examples in memory.",
    )
    export: ExportSettings = Field(ExportSettings(), description="Contents of the exported model.")
    warm_start: bool = Field(
        False,
        description="Start from the last blessed model, its head matched by label name, instead of the checkpoint.",
    )
    tune: TuneSettings | None = Field(
        None,
        description="Search for better values of other settings of this section before the training, by TFX's Tuner"
        " (docs/training.md); null: train with the values as they are.",
    )

    @model_validator(mode="after")
    def _check_tune(self) -> Self:
        for values in self.tune.extremes() if self.tune else ():
            try:
                with_values(self, values)
            except ValidationError as error:
                (name, value), first = next(iter(values.items())), error.errors()[0]
                raise ValueError(f"tune.over.{name}: {value:g} is not allowed ({first['msg']})") from None
        return self

    @model_validator(mode="after")
    def _check_pooling(self) -> Self:
        if self.trainable == "head" and self.pooling == "attention":
            raise ValueError(
                "pooling: attention has a query to train, and trainable: head trains the last layer alone; choose mean"
            )
        return self

    def pooling_of(self, checkpoint: Checkpoint) -> Pooling:
        """Return the pooling of a classifier that is trained from a checkpoint."""
        return checkpoint.pooling if self.pooling == "auto" else self.pooling


class WarmStart(Value):
    """Version of the registry that a training starts from.

    Attributes:
        path: Directory of the version.
        model_id: Id of its model, which makes a reused version number a cache miss.
    """

    path: str
    model_id: str


class TrainerConfig(Settings):
    """Everything `run_fn` needs, as it travels in the Trainer's custom_config.

    Attributes:
        training: Section `training` of the configuration.
        checkpoint: Name or path for `components.checkpoints.find.find_checkpoint`.
        checkpoint_fingerprint: Fingerprint of the checkpoint's files, which makes changed weights a cache miss.
        resume_dir: Folder of interrupted trainings, see `components.trainer.loop.resume`; None saves none.
        start: Version to start from, if one was found when the pipeline was built.
        registry: Registry in which `run_fn` looks for that version itself, for a pipeline that is compiled first and
            run later; None otherwise.
        soft_cut: Share of annotators from which on a label counts as given when thresholds are chosen; None if labels
            are yes or no.
        windows: Windows that long texts are read in; None if they are truncated.
    """

    training: TrainingSettings
    checkpoint: str
    checkpoint_fingerprint: str
    resume_dir: str | None = None
    start: WarmStart | None = None
    registry: str | None = None
    soft_cut: float | None = None
    windows: WindowSettings | None = None


def with_values(settings: TrainingSettings, values: Mapping[str, Any]) -> TrainingSettings:
    """Return the settings of a training with other values of some, and without a search for better ones.

    Raises:
        ValidationError: A value is not allowed.

    Example:
        >>> with_values(TrainingSettings(), {"batch_size": 16}).batch_size
        16
    """
    return TrainingSettings.model_validate(settings.model_dump() | dict(values) | {"tune": None})


def hyper_parameters(settings: TrainingSettings) -> dict[str, str | int | float | bool]:
    """Return the settings of a training by dotted key, without those that are not set.

    Example:
        >>> values = hyper_parameters(TrainingSettings(epochs=2))
        >>> values["epochs"], values["learning_rate"], values["loss.kind"]
        (2, 0.0001, 'plain')
    """
    values = settings.model_dump(mode="json") | {"learning_rate": settings.peak_learning_rate}
    return dict(_flatten(values))


def _flatten(values: dict[str, Any], prefix: str = "") -> Iterator[tuple[str, str | int | float | bool]]:
    for key, value in values.items():
        if isinstance(value, dict):
            yield from _flatten(value, f"{prefix}{key}.")
        elif value is not None:
            yield f"{prefix}{key}", value if isinstance(value, str | int | float) else str(value)
