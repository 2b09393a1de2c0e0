"""Settings of the training loop. Free of TensorFlow: the configuration is checked without it."""

from typing import Annotated, Any, Literal, Self

from pydantic import Field, PositiveFloat, PositiveInt, field_validator, model_validator

from components.common.settings import Settings

Trainable = Literal["all", "head"] | PositiveInt
Monitor = Literal["loss", "macro_f1"]


class PlainLoss(Settings):
    """Mean sigmoid cross entropy, in which every label and every example has the same weight."""

    kind: Literal["plain"] = "plain"


class WeightedLoss(Settings):
    """Cross entropy that balances the positives and negatives of each label.

    PyTorch's `BCEWithLogitsLoss` with a `pos_weight` of negatives / positives in the train split.
    """

    kind: Literal["weighted"]
    cap: float = Field(
        10.0, ge=1, description="Upper bound of the weight of a label's positives; the lower bound is 1 / cap."
    )


class FocalLoss(Settings):
    """Focal loss, which down-weights examples that the model classifies well (Lin et al., 2017, arXiv:1708.02002)."""

    kind: Literal["focal"]
    gamma: float = Field(
        2.0, ge=0, description="Focusing parameter: the larger, the less well-classified examples count; 0 disables it."
    )
    alpha: float | None = Field(
        0.25, gt=0, lt=1, description="Weight of the positives, negatives having 1 - alpha; null weights neither."
    )


class AsymmetricLoss(Settings):
    """Asymmetric loss, which down-weights or drops easy negatives (Ridnik et al., 2021, arXiv:2009.14119)."""

    kind: Literal["asymmetric"]
    gamma_neg: float = Field(4.0, ge=0, description="Focusing parameter of the negatives, see focal's gamma.")
    gamma_pos: float = Field(0.0, ge=0, description="Focusing parameter of the positives, see focal's gamma.")
    clip: float = Field(
        0.05, ge=0, le=0.5, description="Probability margin: negatives with a probability below it are ignored."
    )


LossSettings = Annotated[PlainLoss | WeightedLoss | FocalLoss | AsymmetricLoss, Field(discriminator="kind")]


class LoopSettings(Settings):
    """Recipe of the optimization and how the machine runs it."""

    epochs: PositiveInt = Field(3, description="Maximum number of passes over the train split.")
    max_steps: PositiveInt | None = Field(None, description="Stop after this many batches, for a trial run.")
    batch_size: PositiveInt = Field(32, description="Examples per batch.")
    learning_rate: PositiveFloat | None = Field(
        None,
        description="Peak learning rate, reached at the end of the warmup; BERT-Base wants 2e-5 to 5e-5. "
        "null: 1e-4, or 1e-2 if only the head is trained.",
    )
    warmup: float = Field(0.1, ge=0, lt=1, description="Share of the steps over which the learning rate rises.")
    weight_decay: float = Field(
        0.01, ge=0, description="AdamW's weight decay, of all weights except biases and LayerNorm."
    )
    clip_norm: PositiveFloat = Field(1.0, description="Global norm that gradients are clipped to.")
    average_epochs: float = Field(
        0.0,
        ge=0,
        description="Span, in epochs, of an exponential moving average of the weights, which is what is evaluated and "
        "exported in place of the last weights; 0: the last weights.",
    )
    monitor: Monitor = Field(
        "loss",
        description="What on the eval split decides which epoch is kept and when training stops: loss, the lowest; "
        "macro_f1, the highest macro F1 at the thresholds chosen after the epoch.",
    )
    patience: PositiveInt = Field(
        2, description="Epochs without a better value of what is monitored after which training stops."
    )
    seed: int = Field(
        0, ge=0, description="Seed of the head's initial weights, of dropout and of the order of examples."
    )

    trainable: Trainable = Field(
        "all",
        description="What is trained. all: everything; head: only the new layer, on pooled outputs that are computed "
        "once; a number N: the head, the pooler and the top N encoder layers.",
    )
    layer_decay: float = Field(
        1.0,
        gt=0,
        le=1,
        description="Layer-wise learning rate decay: the l-th encoder layer from the top learns at the learning rate "
        "times layer_decay to the power of l, the embeddings one power lower. Head and pooler are exempt.",
    )
    loss: LossSettings = Field(PlainLoss(), description="Loss function: plain, weighted, focal or asymmetric.")
    label_smoothing: float = Field(
        0.0, ge=0, lt=1, description="Share by which targets are moved from 0 and 1 towards 0.5."
    )

    accumulate: PositiveInt = Field(
        1, description="Batches per weight update: gradients of a batch this many times larger in the memory of one."
    )
    xla: bool = Field(
        False, description="Compile the training step with XLA; lengths are padded to multiples of 32 to compile less."
    )
    strategy: Literal["auto", "none", "mirrored", "multi_worker"] = Field(
        "auto",
        description="Devices that share each batch. mirrored: the local GPUs; multi_worker: the workers in TF_CONFIG; "
        "auto: multi_worker if TF_CONFIG has several workers, else mirrored if there are several GPUs.",
    )
    checkpoint_every: PositiveInt | None = Field(
        None, description="Batches between two saved states that an interrupted training resumes from; null saves none."
    )

    @field_validator("trainable", mode="before")
    @classmethod
    def _check_trainable(cls, value: Any) -> Any:
        # Pydantic would report one error for each member of the union.
        if value in ("all", "head") or (type(value) is int and value >= 1):
            return value
        raise ValueError(f"write all, head, or a number of encoder layers from 1, not {value!r}")

    @model_validator(mode="after")
    def _check_layer_decay(self) -> Self:
        if self.trainable == "head" and self.layer_decay != 1.0:
            raise ValueError(
                "layer_decay is for encoder layers, and trainable: head trains none; leave one of them out"
            )
        return self

    @property
    def peak_learning_rate(self) -> float:
        """Learning rate at the end of the warmup.

        The default depends on what is trained: a dense layer alone needs larger steps than a BERT. On GoEmotions,
        6 epochs of the head alone (pooled outputs of minilm-l6, batches of 32) reached an eval loss of 0.1373 at 1e-3,
        0.1307 at 3e-3 and 0.1261 at 1e-2.
        """
        if self.learning_rate is not None:
            return self.learning_rate
        return 1e-2 if self.trainable == "head" else 1e-4
