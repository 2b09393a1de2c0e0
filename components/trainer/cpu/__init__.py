"""Everything that makes a classifier faster on a CPU without changing what it computes.

Import from here, not from the modules below: the rest of the Trainer does not know how it is done.

- `optimize_for_cpu` is permanent. On a CPU, a training step spends more time in LayerNorm, GELU and dropout than in
  matrix products; they are replaced by forms that pass over memory less often (`lean_layers`, `gelu`). What is exported
  is another graph, of the same weights: `components.trainer.serving_classifier`.
- `optimize_training_for_cpu` is for the duration of a training. Encoder layers run as fewer, larger matrix products
  (`encoder_layer`), and the word embedding table has only rows of tokens that occur in the data
  (`occurring_embedding`).
- `exact_gelu` is the activation that the two share with the exported graph.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from typing import Any

import numpy as np
from numpy.typing import NDArray

from components.trainer.cpu.encoder_layer import quick_encoder_layers
from components.trainer.cpu.gelu import exact_gelu
from components.trainer.cpu.lean_layers import make_lean
from components.trainer.cpu.occurring_embedding import occurring_embedding

__all__ = ["exact_gelu", "optimize_for_cpu", "optimize_training_for_cpu"]


def optimize_for_cpu(model: Any) -> None:
    """Replace layers of a Keras model by equivalents with fewer passes over memory, in place, on the same variables.

    Args:
        model: Any `keras.Model`.
    """
    make_lean(model)


@contextmanager
def optimize_training_for_cpu(
    model: Any, find_token_ids: Callable[[], NDArray[np.bool_]], *, xla: bool = False
) -> Iterator[None]:
    """Make training a classifier faster within this context, which restores the model on exit, trained.

    Args:
        model: Classifier from `build_classifier`, after `freeze` and before it is compiled.
        find_token_ids: Function that returns which token ids occur in the data, bool [vocabulary_size], the same in
            every worker. The model must not see other ids within the context. Not called if word embeddings are frozen.
        xla: Whether XLA compiles the training step; encoder layers are then left to it.
    """
    with occurring_embedding(model, find_token_ids), nullcontext() if xla else quick_encoder_layers(model):
        yield
