"""Construction of a KerasHub encoder, and assignment of its weights."""

from collections.abc import Callable, Collection
from typing import Any

import keras
import keras_hub
import numpy as np

from components.checkpoints.architecture import Activation, Architecture


def _gelu_tanh(inputs: Any) -> Any:
    return keras.activations.gelu(inputs, approximate=True)


_ACTIVATIONS: dict[Activation, Callable[[Any], Any]] = {
    "gelu": keras.activations.gelu,
    "gelu_tanh": _gelu_tanh,
    "relu": keras.activations.relu,
    "tanh": keras.activations.tanh,
}


def build_backbone(architecture: Architecture) -> Any:
    """Build a `keras_hub.models.BertBackbone`, or an `ElectraBackbone` for narrower embeddings, with initial weights.

    KerasHub fixes the approximate GELU, an epsilon of 1e-12 and the pooler's activation. Here they follow the
    architecture. An encoder without token types gets two that are zero and are not trained.
    """
    size = {
        "num_layers": architecture.layers,
        "num_heads": architecture.heads,
        "hidden_dim": architecture.hidden,
        "intermediate_dim": architecture.intermediate,
        "dropout": architecture.dropout,
        "max_sequence_length": architecture.positions,
        "num_segments": architecture.segments or 2,
    }
    if architecture.embedding_width == architecture.hidden:
        backbone = keras_hub.models.BertBackbone(vocabulary_size=architecture.vocabulary_size, **size)
    else:
        backbone = keras_hub.models.ElectraBackbone(
            vocab_size=architecture.vocabulary_size, embedding_dim=architecture.embedding_width, **size
        )
    if not architecture.segments:
        backbone.segment_embedding.embeddings.assign(keras.ops.zeros_like(backbone.segment_embedding.embeddings))
        backbone.segment_embedding.trainable = False
    backbone.pooled_dense.activation = _ACTIVATIONS[architecture.pooler_activation]
    for layer in backbone.transformer_layers:
        layer._feedforward_intermediate_dense.activation = _ACTIVATIONS[architecture.activation]
    for layer in backbone._flatten_layers():
        if isinstance(layer, keras.layers.LayerNormalization):
            layer.epsilon = architecture.epsilon
    return backbone


def assign_weights(backbone: Any, read: Callable[[str], Any], names: Collection[str]) -> None:
    """Assign the variables of a backbone.

    Args:
        backbone: Model of `build_backbone`.
        read: Function from a name of `bert_shapes` to the value, in the shape of `bert_shapes`.
        names: Names of the variables to assign.
    """
    for name, variable in variables_by_name(backbone).items():
        if name in names:
            # KerasHub has an axis for the attention heads, in the same order.
            variable.assign(np.reshape(read(name), variable.shape))


def variables_by_name(backbone: Any) -> dict[str, Any]:
    """Return the variables of a backbone by the names of `bert_shapes`."""
    variables = {
        "embeddings/word_embeddings": backbone.token_embedding.embeddings,
        "embeddings/position_embeddings": backbone.position_embedding.position_embeddings,
        "embeddings/token_type_embeddings": backbone.segment_embedding.embeddings,
        **_layer_variables(backbone.embeddings_layer_norm, "embeddings/LayerNorm"),
        **_layer_variables(backbone.pooled_dense, "pooler/dense"),
    }
    if hasattr(backbone, "embeddings_projection"):
        variables |= _layer_variables(backbone.embeddings_projection, "embeddings_project")
    for index, layer in enumerate(backbone.transformer_layers):
        name, attention = f"encoder/layer_{index}", layer._self_attention_layer
        variables |= _layer_variables(attention.query_dense, f"{name}/attention/self/query")
        variables |= _layer_variables(attention.key_dense, f"{name}/attention/self/key")
        variables |= _layer_variables(attention.value_dense, f"{name}/attention/self/value")
        variables |= _layer_variables(attention.output_dense, f"{name}/attention/output/dense")
        variables |= _layer_variables(layer._self_attention_layer_norm, f"{name}/attention/output/LayerNorm")
        variables |= _layer_variables(layer._feedforward_intermediate_dense, f"{name}/intermediate/dense")
        variables |= _layer_variables(layer._feedforward_output_dense, f"{name}/output/dense")
        variables |= _layer_variables(layer._feedforward_layer_norm, f"{name}/output/LayerNorm")
    return variables


def _layer_variables(layer: Any, name: str) -> dict[str, Any]:
    if isinstance(layer, keras.layers.LayerNormalization):
        return {f"{name}/gamma": layer.gamma, f"{name}/beta": layer.beta}
    return {f"{name}/kernel": layer.kernel, f"{name}/bias": layer.bias}
