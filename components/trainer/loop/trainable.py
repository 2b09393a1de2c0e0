"""Which part of the encoder is trained, and at which learning rate.

The pooler is trained with the head: it is above every layer of the encoder, and what it was pretrained for, if
anything, is not the task (sentence encoders such as all-MiniLM-L6-v2 do not use it). `trainable: head` leaves it as it
is, so that pooled outputs never change and are computed once (see `pooled`).
"""

from collections.abc import Iterator
from typing import Any

import keras

from components.trainer.loop.settings import Trainable
from schema.errors import Refused


def freeze(model: Any, trainable: Trainable) -> None:
    """Freeze the layers that are not trained, in place: they have neither gradients nor dropout, as in inference.

    Dropout in a frozen layer would only add noise to the inputs of those that learn. Nothing below the lowest trained
    layer needs a gradient, and TensorFlow prunes it from the training step.

    Args:
        model: Classifier from `build_classifier`, not compiled yet.
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
    """Compute the factor by which the learning rate of each variable of the encoder is multiplied.

    The l-th encoder layer from the top (l = 1 for the top one) has decay**l, the embeddings decay**(layers + 1).
    Sources: ULMFiT (Howard and Ruder, 2018, section 3.1: the layer below learns at the rate divided by 2.6) and ELECTRA
    (Clark et al., 2020, `_get_layer_lrs` in its optimization.py), which has one more level between head and top layer.

    Args:
        model: Classifier from `build_classifier`.
        decay: Factor between a layer and the one below; 1 gives no factors.

    Returns:
        Factor by variable path. Variables of head and pooler are missing: their factor is 1.
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
    """Return the dropout layers in a layer, at any depth."""
    return (each for each in layer._flatten_layers() if isinstance(each, keras.layers.Dropout))
