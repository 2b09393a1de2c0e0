"""What a person can choose about training."""

from typing import Any, Literal, Self

from pydantic import Field, PositiveFloat, PositiveInt, field_validator, model_validator

from components.common.settings import Settings
from components.trainer.choices import BestF1, LossSettings, PlainLoss, ThresholdSettings

Trainable = Literal["all", "head"] | PositiveInt


class TrainingSettings(Settings):
    """How the model is fitted. The defaults are BERT's own recipe at a learning rate that suits a small encoder."""

    epochs: PositiveInt = Field(3, description="Passes over the train split.")
    max_steps: PositiveInt | None = Field(None, description="Stop after so many batches, whatever epochs says.")
    batch_size: PositiveInt = Field(32, description="Examples per step.")
    learning_rate: PositiveFloat | None = Field(
        None,
        description="At the end of the warmup; BERT-Base wants 2e-5 to 5e-5. null: 1e-4, or 1e-2 where only the head is"
        " trained.",
    )
    warmup: float = Field(0.1, ge=0, lt=1, description="Share of the steps over which the learning rate rises.")
    weight_decay: float = Field(0.01, ge=0, description="AdamW's, for all but biases and LayerNorm.")
    dropout: float = Field(0.1, ge=0, lt=1, description="Between the pooled output and the head.")
    head_bias: Literal["prior", "zeros"] = Field(
        "prior",
        description="prior: the head begins at each label's log odds in train, so that no step is spent on learning "
        "how rare labels are; zeros: as BERT's run_classifier.py.",
    )
    clip_norm: PositiveFloat = Field(1.0, description="Gradients are scaled down to this global norm.")
    patience: PositiveInt = Field(2, description="Epochs without a better eval loss before training stops.")
    seed: int = Field(0, ge=0, description="Of the initial head, the dropout and the order of examples.")

    trainable: Trainable = Field(
        "all",
        description="all; head: only the new layer, over pooled outputs that are computed once; a number N: the head,"
        " the pooler and the top N encoder layers.",
    )
    layer_decay: float = Field(
        1.0,
        gt=0,
        le=1,
        description="The l-th encoder layer from the top learns at the rate times this to the power of l, the"
        " embeddings lowest; head and pooler at the rate itself.",
    )
    loss: LossSettings = Field(PlainLoss(), description="plain, weighted, focal or asymmetric.")
    label_smoothing: float = Field(
        0.0, ge=0, lt=1, description="Targets are so much of the way from 0 and 1 to one half."
    )
    thresholds: ThresholdSettings = Field(
        BestF1(), description="What a label's threshold is the best for: f1, f_beta or min_precision."
    )
    calibration: Literal["none", "platt"] = Field(
        "none", description="platt: each label's logits are scaled and shifted so that probabilities are frequencies."
    )

    # How the machine does it.
    precision: Literal["auto", "float32", "bfloat16"] = Field(
        "auto",
        description="Of the encoder's arithmetic; weights, loss and optimizer stay float32, and so does what is "
        "exported. auto: bfloat16 on GPUs and processors that compute in it, else float32.",
    )
    accumulate: PositiveInt = Field(
        1, description="Batches per update: as a batch so many times larger, in the memory of one."
    )
    xla: bool = Field(False, description="Compile the step; lengths are padded to multiples of 32, each compiled once.")
    strategy: Literal["auto", "none", "mirrored", "multi_worker"] = Field(
        "auto",
        description="Who shares each batch. mirrored: the local GPUs; multi_worker: the workers that TF_CONFIG names; "
        "auto: the latter if it names several, else the former if there are several.",
    )
    deterministic: bool = Field(
        False,
        description="Two runs give the same weights, to the bit, on whatever Beam's work was done; slower on GPUs, and"
        " holds the examples in memory.",
    )
    checkpoint_every: PositiveInt | None = Field(
        None, description="Batches after which a killed training can be resumed; null: it begins anew."
    )
    warm_start: bool = Field(
        False, description="Start from the last blessed model, its head by label name, instead of the checkpoint."
    )

    @field_validator("trainable", mode="before")
    @classmethod
    def _known(cls, value: Any) -> Any:
        # By hand: a union answers a mistake with one complaint for each of its members.
        if value in ("all", "head") or (type(value) is int and value >= 1):
            return value
        raise ValueError(f"write all, head, or a number of encoder layers from 1, not {value!r}")

    @model_validator(mode="after")
    def _decay_has_layers(self) -> Self:
        if self.trainable == "head" and self.layer_decay != 1.0:
            raise ValueError(
                "layer_decay is for encoder layers, and trainable: head trains none; leave one of them out"
            )
        return self

    @property
    def peak_learning_rate(self) -> float:
        """The learning rate, or the default for what is trained: a lone dense layer needs bigger steps than a BERT.

        On GoEmotions, 6 epochs of the head alone came to an eval loss of 0.1373 at 1e-3, 0.1307 at 3e-3 and 0.1261 at
        1e-2 (pooled outputs of minilm-l6, batch 32).
        """
        if self.learning_rate is not None:
            return self.learning_rate
        return 1e-2 if self.trainable == "head" else 1e-4


class WarmStart(Settings):
    """A version of the registry.

    Attributes:
        path: Its directory.
        model_id: Its model's, in here so that a number given twice is never a cache hit.
    """

    path: str
    model_id: str


class TrainerConfig(Settings):
    """Everything that `run_fn` needs, as it travels in the Trainer's custom_config.

    Attributes:
        checkpoint: As `components.checkpoints.find.find_checkpoint` takes it.
        checkpoint_fingerprint: In here so that changed weights are never a cache hit.
        resume_dir: Where interrupted trainings are kept, see `components.trainer.loop.resume`; None keeps none.
        start: The registry's version to start from, if one was found when the pipeline was built.
        registry: Where `run_fn` looks for one itself, of a pipeline that is compiled first and run later; else None.
    """

    training: TrainingSettings
    checkpoint: str
    checkpoint_fingerprint: str
    resume_dir: str | None = None
    start: WarmStart | None = None
    registry: str | None = None
