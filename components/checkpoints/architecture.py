"""Size of a BERT, and the shapes of its variables. Needs no TensorFlow."""

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from components.checkpoints.config_files import positive_int, read_json
from schema.errors import Refused

Activation = Literal["gelu", "gelu_tanh", "relu"]
Shape = tuple[int, ...]

# "gelu" is the exact one, x * Phi(x), as in Transformers and in Google's code when BERT was published. Google replaced
# it later by the tanh approximation, which KerasHub has too. It moves MiniLM's pooled outputs by 2e-4.
_ACTIVATIONS: dict[str, Activation] = {
    **dict.fromkeys(("gelu", "gelu_python"), "gelu"),
    **dict.fromkeys(("gelu_new", "gelu_fast", "gelu_pytorch_tanh", "gelu_python_tanh", "gelu_accurate"), "gelu_tanh"),
    "relu": "relu",
}


@dataclass(frozen=True)
class Architecture:
    """Size of a BERT, and the constants that its variables do not show.

    Attributes:
        vocabulary_size: Number of rows of the token embedding.
        layers: Number of encoder layers.
        heads: Number of attention heads of a layer.
        hidden: Width of the encoder.
        intermediate: Width of the feed-forward layers.
        positions: Longest input in word pieces, [CLS] and [SEP] included.
        segments: Number of segment ids with an embedding; pairs of texts need two.
        activation: Activation of the feed-forward layers.
        epsilon: Epsilon of layer normalization.
        dropout: Dropout rate of the hidden layers.
    """

    vocabulary_size: int
    layers: int
    heads: int
    hidden: int
    intermediate: int
    positions: int
    segments: int
    activation: Activation = "gelu"
    epsilon: float = 1e-12
    dropout: float = 0.1


def read_bert_config(path: Path) -> Architecture:
    """Read the size in the keys that bert_config.json (Google) and config.json (Hugging Face) share.

    Raises:
        Refused: A key is missing, or its value is not supported.
    """
    config = read_json(path)
    activation = str(config.get("hidden_act", "gelu"))
    if activation not in _ACTIVATIONS:
        raise Refused(f"{path}: hidden_act {activation!r} is not supported; known: {', '.join(_ACTIVATIONS)}")
    return checked_architecture(
        path,
        Architecture(
            vocabulary_size=positive_int(path, config, "vocab_size"),
            layers=positive_int(path, config, "num_hidden_layers"),
            heads=positive_int(path, config, "num_attention_heads"),
            hidden=positive_int(path, config, "hidden_size"),
            intermediate=positive_int(path, config, "intermediate_size"),
            positions=positive_int(path, config, "max_position_embeddings", 512),
            segments=positive_int(path, config, "type_vocab_size", 2),
            activation=_ACTIVATIONS[activation],
            epsilon=float(config.get("layer_norm_eps", 1e-12)),
            dropout=float(config.get("hidden_dropout_prob", 0.1)),
        ),
    )


def checked_architecture(path: Path, architecture: Architecture) -> Architecture:
    """Return the architecture.

    Raises:
        Refused: The heads cannot divide the width.
    """
    if architecture.hidden % architecture.heads:
        raise Refused(f"{path}: a width of {architecture.hidden} cannot be divided among {architecture.heads} heads")
    return architecture


def bert_shapes(architecture: Architecture) -> dict[str, Shape]:
    """Return the shapes of a BERT's variables, by Google's names without the leading bert/.

    Example:
        >>> tiny = Architecture(99, layers=2, heads=2, hidden=16, intermediate=32, positions=64, segments=2)
        >>> bert_shapes(tiny)["encoder/layer_1/intermediate/dense/kernel"]
        (16, 32)
    """
    hidden, intermediate = architecture.hidden, architecture.intermediate
    shapes: dict[str, Shape] = {
        "embeddings/word_embeddings": (architecture.vocabulary_size, hidden),
        "embeddings/position_embeddings": (architecture.positions, hidden),
        "embeddings/token_type_embeddings": (architecture.segments, hidden),
        **_layer_norm("embeddings/LayerNorm", hidden),
        **_dense("pooler/dense", hidden, hidden),
    }
    for index in range(architecture.layers):
        layer = f"encoder/layer_{index}"
        for name in ("attention/self/query", "attention/self/key", "attention/self/value", "attention/output/dense"):
            shapes |= _dense(f"{layer}/{name}", hidden, hidden)
        shapes |= _layer_norm(f"{layer}/attention/output/LayerNorm", hidden)
        shapes |= _dense(f"{layer}/intermediate/dense", hidden, intermediate)
        shapes |= _dense(f"{layer}/output/dense", intermediate, hidden)
        shapes |= _layer_norm(f"{layer}/output/LayerNorm", hidden)
    return shapes


def _dense(name: str, inputs: int, outputs: int) -> dict[str, Shape]:
    return {f"{name}/kernel": (inputs, outputs), f"{name}/bias": (outputs,)}


def _layer_norm(name: str, width: int) -> dict[str, Shape]:
    return {f"{name}/gamma": (width,), f"{name}/beta": (width,)}
