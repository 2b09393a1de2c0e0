"""Making a KerasHub BERT and filling it."""

from collections.abc import Callable, Collection
from typing import Any

import keras
import keras_hub
import numpy as np

from components.checkpoints.checkpoint import Activation, Architecture


def _gelu_tanh(inputs: Any) -> Any:
    return keras.activations.gelu(inputs, approximate=True)


_ACTIVATIONS: dict[Activation, Callable[[Any], Any]] = {
    "gelu": keras.activations.gelu,
    "gelu_tanh": _gelu_tanh,
    "relu": keras.activations.relu,
}


def build_backbone(architecture: Architecture) -> Any:
    """Makes a `keras_hub.models.BertBackbone` of this size, initialised as for pretraining.

    KerasHub's has the approximate GELU and an epsilon of 1e-12 fixed; here they are the checkpoint's.
    """
    backbone = keras_hub.models.BertBackbone(
        vocabulary_size=architecture.vocabulary_size,
        num_layers=architecture.layers,
        num_heads=architecture.heads,
        hidden_dim=architecture.hidden,
        intermediate_dim=architecture.intermediate,
        dropout=architecture.dropout,
        max_sequence_length=architecture.positions,
        num_segments=architecture.segments,
    )
    for layer in backbone.transformer_layers:
        layer._feedforward_intermediate_dense.activation = _ACTIVATIONS[architecture.activation]
    for layer in backbone._flatten_layers():
        if isinstance(layer, keras.layers.LayerNormalization):
            layer.epsilon = architecture.epsilon
    return backbone


def fill(backbone: Any, read: Callable[[str], Any], names: Collection[str] | None = None) -> None:
    """Assigns the variables.

    Args:
        backbone: From `build_backbone`.
        read: From a name as `bert_shapes` has it to the value, of the shape there.
        names: Those that are assigned; None for all.
    """
    for name, variable in _variables(backbone).items():
        if names is None or name in names:
            # Attention's kernels and biases: KerasHub keeps the heads apart, in the same order.
            variable.assign(np.reshape(read(name), variable.shape))


def _variables(backbone: Any) -> dict[str, Any]:
    variables = {
        "embeddings/word_embeddings": backbone.token_embedding.embeddings,
        "embeddings/position_embeddings": backbone.position_embedding.position_embeddings,
        "embeddings/token_type_embeddings": backbone.segment_embedding.embeddings,
        **_of(backbone.embeddings_layer_norm, "embeddings/LayerNorm"),
        **_of(backbone.pooled_dense, "pooler/dense"),
    }
    for number, layer in enumerate(backbone.transformer_layers):
        name, attention = f"encoder/layer_{number}", layer._self_attention_layer
        variables |= _of(attention.query_dense, f"{name}/attention/self/query")
        variables |= _of(attention.key_dense, f"{name}/attention/self/key")
        variables |= _of(attention.value_dense, f"{name}/attention/self/value")
        variables |= _of(attention.output_dense, f"{name}/attention/output/dense")
        variables |= _of(layer._self_attention_layer_norm, f"{name}/attention/output/LayerNorm")
        variables |= _of(layer._feedforward_intermediate_dense, f"{name}/intermediate/dense")
        variables |= _of(layer._feedforward_output_dense, f"{name}/output/dense")
        variables |= _of(layer._feedforward_layer_norm, f"{name}/output/LayerNorm")
    return variables


def _of(layer: Any, name: str) -> dict[str, Any]:
    if isinstance(layer, keras.layers.LayerNormalization):
        return {f"{name}/gamma": layer.gamma, f"{name}/beta": layer.beta}
    return {f"{name}/kernel": layer.kernel, f"{name}/bias": layer.bias}
