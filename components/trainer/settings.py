"""What a person can choose about training."""

from typing import Literal

from pydantic import Field, PositiveFloat, PositiveInt

from components.settings import Settings


class TrainingSettings(Settings):
    """How the model is fitted. The defaults are BERT's own recipe at a learning rate that suits a small encoder."""

    epochs: PositiveInt = Field(3, description="Passes over the train split.")
    max_steps: PositiveInt | None = Field(None, description="Stop after so many batches, whatever epochs says.")
    batch_size: PositiveInt = Field(32, description="Examples per step.")
    learning_rate: PositiveFloat = Field(1e-4, description="At the end of the warmup; BERT-Base wants 2e-5 to 5e-5.")
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


class TrainerConfig(Settings):
    """Everything that `run_fn` needs, as it travels in the Trainer's custom_config.

    Attributes:
        checkpoint: As `components.trainer.checkpoint.find_checkpoint` takes it.
        checkpoint_fingerprint: In here so that changed weights are never a cache hit.
    """

    training: TrainingSettings
    checkpoint: str
    checkpoint_fingerprint: str
