"""Size of an encoder, and the shapes of its variables. Needs no TensorFlow.

DistilBERT and ELECTRA are described as the BERTs that they are. A DistilBERT has no token types; an ELECTRA may have
embeddings that are narrower than its layers, with a projection between them. Neither was pretrained with a pooler: in
its place is the first layer of the head that Transformers gives them for classification, with its activation.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from components.checkpoints.config_files import positive_int, read_json
from schema.errors import Refused

Activation = Literal["gelu", "gelu_tanh", "relu", "tanh"]
Family = Literal["bert", "distilbert", "electra"]
Shape = tuple[int, ...]

# "gelu" is the exact one, x * Phi(x), as in Transformers and in Google's code when BERT was published. Google replaced
# it later by the tanh approximation, which KerasHub has too. It moves MiniLM's pooled outputs by 2e-4.
_ACTIVATIONS: dict[str, Activation] = {
    **dict.fromkeys(("gelu", "gelu_python"), "gelu"),
    **dict.fromkeys(("gelu_new", "gelu_fast", "gelu_pytorch_tanh", "gelu_python_tanh", "gelu_accurate"), "gelu_tanh"),
    "relu": "relu",
}
# Source: DistilBertForSequenceClassification and ElectraClassificationHead of Transformers 5.23.
_POOLER_ACTIVATIONS: dict[Family, Activation] = {"bert": "tanh", "distilbert": "relu", "electra": "gelu"}


@dataclass(frozen=True)
class Architecture:
    """Size of an encoder, and the constants that its variables do not show.

    Attributes:
        vocabulary_size: Number of rows of the token embedding.
        layers: Number of encoder layers.
        heads: Number of attention heads of a layer.
        hidden: Width of the encoder.
        intermediate: Width of the feed-forward layers.
        positions: Longest input in word pieces, [CLS] and [SEP] included.
        segments: Number of segment ids with an embedding; pairs of texts need two, or none at all as in DistilBERT.
        activation: Activation of the feed-forward layers.
        epsilon: Epsilon of layer normalization.
        dropout: Dropout rate of the hidden layers.
        family: Model that the encoder is.
        embedding: Width of the embeddings; None: that of the encoder.
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
    family: Family = "bert"
    embedding: int | None = None

    @property
    def embedding_width(self) -> int:
        """Width of the embeddings."""
        return self.hidden if self.embedding is None else self.embedding

    @property
    def pooler_activation(self) -> Activation:
        """Activation of the pooler."""
        return _POOLER_ACTIVATIONS[self.family]


def read_bert_config(path: Path, family: Family = "bert") -> Architecture:
    """Read the size in the keys that bert_config.json (Google) and config.json (Hugging Face) share.

    Args:
        path: The file.
        family: `bert` or `electra`, which share the keys.

    Raises:
        Refused: A key is missing, or its value is not supported.
    """
    config = read_json(path)
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
            activation=_activation(path, config, "hidden_act"),
            epsilon=float(config.get("layer_norm_eps", 1e-12)),
            dropout=float(config.get("hidden_dropout_prob", 0.1)),
            family=family,
            embedding=positive_int(path, config, "embedding_size") if family == "electra" else None,
        ),
    )


def read_distilbert_config(path: Path) -> Architecture:
    """Read the size in the keys of DistilBERT's config.json.

    Raises:
        Refused: A key is missing, or its value is not supported.
    """
    config = read_json(path)
    return checked_architecture(
        path,
        Architecture(
            vocabulary_size=positive_int(path, config, "vocab_size"),
            layers=positive_int(path, config, "n_layers"),
            heads=positive_int(path, config, "n_heads"),
            hidden=positive_int(path, config, "dim"),
            intermediate=positive_int(path, config, "hidden_dim"),
            positions=positive_int(path, config, "max_position_embeddings", 512),
            segments=0,
            activation=_activation(path, config, "activation"),
            dropout=float(config.get("dropout", 0.1)),
            family="distilbert",
        ),
    )


def _activation(path: Path, config: Mapping[str, Any], key: str) -> Activation:
    name = str(config.get(key, "gelu"))
    if name not in _ACTIVATIONS:
        raise Refused(f"{path}: {key} {name!r} is not supported; known: {', '.join(_ACTIVATIONS)}")
    return _ACTIVATIONS[name]


def checked_architecture(path: Path, architecture: Architecture) -> Architecture:
    """Return the architecture.

    Raises:
        Refused: The heads cannot divide the width.
    """
    if architecture.hidden % architecture.heads:
        raise Refused(f"{path}: a width of {architecture.hidden} cannot be divided among {architecture.heads} heads")
    return architecture


def bert_shapes(architecture: Architecture) -> dict[str, Shape]:
    """Return the shapes of an encoder's variables, by Google's names without the leading bert/.

    Example:
        >>> tiny = Architecture(99, layers=2, heads=2, hidden=16, intermediate=32, positions=64, segments=2)
        >>> bert_shapes(tiny)["encoder/layer_1/intermediate/dense/kernel"]
        (16, 32)
    """
    hidden, intermediate, width = architecture.hidden, architecture.intermediate, architecture.embedding_width
    shapes: dict[str, Shape] = {
        "embeddings/word_embeddings": (architecture.vocabulary_size, width),
        "embeddings/position_embeddings": (architecture.positions, width),
        **({"embeddings/token_type_embeddings": (architecture.segments, width)} if architecture.segments else {}),
        **_layer_norm("embeddings/LayerNorm", width),
        **(_dense("embeddings_project", width, hidden) if width != hidden else {}),
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
