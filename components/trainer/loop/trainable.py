"""What of the encoder is trained, and at which rate.

The pooler counts with the head: it lies above every layer of the encoder, and what it was pretrained for, if anything,
is not the task (sentence encoders such as all-MiniLM-L6-v2 do without it). `head` alone leaves it as it is: then
nothing between a text and its pooled output changes, and that is computed once (see `pooled`).
"""

from collections.abc import Iterator
from typing import Any

import keras

from components.trainer.settings import Trainable
from schema.errors import Refused


def freeze(model: Any, trainable: Trainable) -> None:
    """Freezes what is not trained, in place: neither gradients nor dropout in it, as at inference.

    A frozen layer's dropout would only be noise on the inputs of those that learn. Below the lowest trained layer
    nothing needs a gradient: TensorFlow prunes what would compute one out of the training step.

    Args:
        model: From `build_classifier`, not compiled yet.
        trainable: `all`; `head`: the new layer alone; a number N: the head, the pooler and the top N encoder layers.

    Raises:
        Refused: The encoder has fewer than N layers.
    """
    if trainable == "all":
        return
    backbone = model.backbone
    n_layers = len(backbone.transformer_layers)
    if trainable != "head" and trainable > n_layers:
        raise Refused(
            f"key 'training.trainable': {trainable}, but the checkpoint has {n_layers} encoder layers; "
            f"at {n_layers} only its embeddings are frozen"
        )
    trained = (
        [] if trainable == "head" else [*backbone.transformer_layers[n_layers - trainable :], backbone.pooled_dense]
    )
    for layer in backbone.layers:
        if layer not in trained:
            layer.trainable = False
            for dropout in _dropouts(layer):
                dropout.rate = 0.0


def rate_factors(model: Any, decay: float) -> dict[str, float]:
    """By how much the learning rate of each variable of the encoder is multiplied: variable path -> factor.

    The l-th encoder layer from the top (l = 1 is the top one) has decay**l, the embeddings decay**(layers + 1); a
    variable that is not in here, of head or pooler, has 1. Sources: ULMFiT (Howard and Ruder, 2018, section 3.1: the
    layer below learns at the rate divided by 2.6) and ELECTRA (Clark et al., 2020, `_get_layer_lrs` of its
    optimization.py), which has one level more between head and top layer.

    Args:
        model: From `build_classifier`.
        decay: At 1 there are no factors.
    """
    if decay == 1.0:
        return {}
    backbone = model.backbone
    layers = list(reversed(backbone.transformer_layers))
    factors = {v.path: decay ** (len(layers) + 1) for v in backbone.trainable_variables}
    factors |= {v.path: decay**depth for depth, layer in enumerate(layers, start=1) for v in layer.trainable_variables}
    for variable in backbone.pooled_dense.trainable_variables:
        del factors[variable.path]
    return factors


def _dropouts(layer: Any) -> Iterator[Any]:
    """The dropouts of a layer, also of those within it."""
    return (each for each in layer._flatten_layers() if isinstance(each, keras.layers.Dropout))
