"""What every source of checkpoints says of itself, in one form. Needs no TensorFlow."""

import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from components.checkpoints.vocabulary import BERT_TOKENS, SpecialTokens
from schema.errors import Refused

Activation = Literal["gelu", "gelu_tanh", "relu"]
Shape = tuple[int, ...]

# "gelu" is the exact one, x * Phi(x): so Transformers reads it, and so was Google's code when BERT was published. Later
# Google put the tanh approximation there, and KerasHub has it too: that moves MiniLM's pooled outputs by 2e-4.
_ACTIVATIONS: dict[str, Activation] = {
    **dict.fromkeys(("gelu", "gelu_python"), "gelu"),
    **dict.fromkeys(("gelu_new", "gelu_fast", "gelu_pytorch_tanh", "gelu_python_tanh", "gelu_accurate"), "gelu_tanh"),
    "relu": "relu",
}
_MOST_NAMED = 3
_LARGEST_PADDING = 1024


@dataclass(frozen=True)
class Architecture:
    """The size of a BERT, and what its variables do not tell."""

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


@dataclass(frozen=True)
class Spelling:
    """How texts become tokens.

    Attributes:
        lower_case: Whether text is lower-cased, as it was for pretraining.
        strip_accents: Whether accents are removed; None means as `lower_case` says, which is BERT's own rule.
        special_tokens: Their names in the vocabulary.
    """

    lower_case: bool
    strip_accents: bool | None
    special_tokens: SpecialTokens = BERT_TOKENS


@dataclass(frozen=True)
class Checkpoint:
    """A pretrained BERT on disk.

    Attributes:
        source: As the configuration names it.
        kind: Of its format.
        folder: Its files are in there.
        weights: The files that hold the variables; of Google's, the .index is the first.
        settings: The files that say how big it is and how it spells.
        vocabulary: A vocab.txt, or a tokenizer.json that has the vocabulary in it.
        architecture: Its size.
        spelling: How texts become its tokens.
        sha256: What the (one) file of weights must hash to, or None where nothing is known of it.
    """

    source: str
    kind: Literal["google", "hugging_face", "preset"]
    folder: Path
    weights: tuple[Path, ...]
    settings: tuple[Path, ...]
    vocabulary: Path
    architecture: Architecture
    spelling: Spelling
    sha256: str | None = None

    @property
    def lower_case(self) -> bool:
        return self.spelling.lower_case

    @property
    def strip_accents(self) -> bool | None:
        return self.spelling.strip_accents

    @property
    def max_positions(self) -> int:
        """The longest input in word pieces, [CLS] and [SEP] included."""
        return self.architecture.positions

    @property
    def segments(self) -> int:
        """How many segment ids it has an embedding for; pairs need two."""
        return self.architecture.segments

    def fingerprint(self) -> str:
        """SHA-256 over everything that a run depends on: weights, configuration and vocabulary."""
        digest = hashlib.sha256()
        for path in (*self.settings, *self.weights, self.vocabulary):
            digest.update(sha256_of(path).encode())
        return digest.hexdigest()


def check_rows(checkpoint: Checkpoint, tokens: int) -> None:
    """A vocabulary and an embedding table that belong together have one size, or the table is padded to a round one.

    Raises:
        Refused: They have not.
    """
    rows = checkpoint.architecture.vocabulary_size
    paddings = (2**power for power in range(3, _LARGEST_PADDING.bit_length()))
    if rows != tokens and all(-(-tokens // padding) * padding != rows for padding in paddings):
        raise Refused(
            f"checkpoint {checkpoint.source}: {checkpoint.vocabulary.name} has {tokens} tokens, the embedding table "
            f"{rows} rows; they belong to different models (tokens that were added go to the end of the vocabulary)"
        )


def bert_architecture(path: Path) -> Architecture:
    """What bert_config.json (Google) and config.json (Hugging Face) say in the same words."""
    config = read_json(path)
    name = str(config.get("hidden_act", "gelu"))
    if name not in _ACTIVATIONS:
        raise Refused(f"{path}: hidden_act {name!r} is not supported; known: {', '.join(_ACTIVATIONS)}")
    return checked(
        path,
        Architecture(
            vocabulary_size=size(path, config, "vocab_size"),
            layers=size(path, config, "num_hidden_layers"),
            heads=size(path, config, "num_attention_heads"),
            hidden=size(path, config, "hidden_size"),
            intermediate=size(path, config, "intermediate_size"),
            positions=size(path, config, "max_position_embeddings", 512),
            segments=size(path, config, "type_vocab_size", 2),
            activation=_ACTIVATIONS[name],
            epsilon=float(config.get("layer_norm_eps", 1e-12)),
            dropout=float(config.get("hidden_dropout_prob", 0.1)),
        ),
    )


def checked(path: Path, architecture: Architecture) -> Architecture:
    if architecture.hidden % architecture.heads:
        raise Refused(f"{path}: a width of {architecture.hidden} cannot be shared by {architecture.heads} heads")
    return architecture


def size(path: Path, config: Mapping[str, Any], key: str, default: int | None = None) -> int:
    value = config.get(key, default)
    if value is None:
        raise Refused(f"{path}: no {key} in it; is it the checkpoint's own?")
    if not isinstance(value, int) or isinstance(value, bool) or value < 1:
        raise Refused(f"{path}: {key} is {value!r}, not a number above 0")
    return value


def bert_shapes(architecture: Architecture) -> dict[str, Shape]:
    """The variables that a BERT of this size has, under Google's names without the leading bert/."""
    width, wide = architecture.hidden, architecture.intermediate
    shapes: dict[str, Shape] = {
        "embeddings/word_embeddings": (architecture.vocabulary_size, width),
        "embeddings/position_embeddings": (architecture.positions, width),
        "embeddings/token_type_embeddings": (architecture.segments, width),
        **_layer_norm("embeddings/LayerNorm", width),
        **_dense("pooler/dense", width, width),
    }
    for number in range(architecture.layers):
        layer = f"encoder/layer_{number}"
        for name in ("attention/self/query", "attention/self/key", "attention/self/value", "attention/output/dense"):
            shapes |= _dense(f"{layer}/{name}", width, width)
        shapes |= _layer_norm(f"{layer}/attention/output/LayerNorm", width)
        shapes |= _dense(f"{layer}/intermediate/dense", width, wide)
        shapes |= _dense(f"{layer}/output/dense", wide, width)
        shapes |= _layer_norm(f"{layer}/output/LayerNorm", width)
    return shapes


def _dense(name: str, inputs: int, outputs: int) -> dict[str, Shape]:
    return {f"{name}/kernel": (inputs, outputs), f"{name}/bias": (outputs,)}


def _layer_norm(name: str, width: int) -> dict[str, Shape]:
    return {f"{name}/gamma": (width,), f"{name}/beta": (width,)}


def refuse_differences(checkpoint: Checkpoint, expected: Mapping[str, Shape], found: Mapping[str, Shape]) -> None:
    """Names the variables that are missing, not of a BERT of this size, or of another shape.

    Raises:
        Refused: There are any.
    """
    wrong = [
        (name, f"{name} is {list(found[name])} instead of {list(shape)}")
        for name, shape in expected.items()
        if name in found and tuple(found[name]) != shape
    ]
    complaints = [
        _named("no", [name for name in expected if name not in found]),
        _named("surplus", [name for name in found if name not in expected]),
        _named("", [text for _, text in wrong]),
    ]
    if any(complaints):
        weights, settings = checkpoint.weights[0].name, checkpoint.settings[0].name
        raise Refused(
            f"checkpoint {checkpoint.source}: {weights} does not hold the model of {settings}: "
            f"{'; '.join(filter(None, complaints))}"
        )


def _named(what: str, names: Iterable[str]) -> str:
    first, *others = [*names] or [""]
    if not first:
        return ""
    shown = ", ".join([first, *others[: _MOST_NAMED - 1]])
    left = len(others) - (_MOST_NAMED - 1)
    return f"{what} {shown}".strip() + (f" and {left} more" if left > 0 else "")


def cannot_be_read(checkpoint: Checkpoint, error: Exception) -> Refused:
    (message, *_) = str(error).strip().splitlines() or [type(error).__name__]
    return Refused(
        f"checkpoint {checkpoint.source}: {checkpoint.weights[0].name} cannot be read: {message}; fetch it again"
    )


def weight_files(folder: Path, source: str, whole: str, index: str) -> tuple[Path, ...]:
    """The one file of that name, or the shards that the index names.

    Raises:
        Refused: A shard is missing.
    """
    if (folder / whole).is_file():
        return (folder / whole,)
    shards = [folder / name for name in shard_names(folder / index)]
    lost = [path.name for path in shards if not path.is_file()]
    if lost:
        raise Refused(f"checkpoint {source}: no {', '.join(lost)} in it, which {index} names; fetch it again")
    return tuple(shards)


def shard_names(index: Path) -> list[str]:
    """The files that an index of shards names, of Hugging Face's or Keras's."""
    weight_map = read_json(index).get("weight_map")
    if not isinstance(weight_map, dict) or not weight_map:
        raise Refused(f"{index}: no weight_map in it; fetch it again")
    names: set[str] = set()
    for files in weight_map.values():
        names.update(files if isinstance(files, list) else [files])  # Keras splits a layer over several
    return sorted(names)


def read_json(path: Path) -> dict[str, Any]:
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise Refused(f"{path}: cannot be read: {error.strerror}") from None
    except ValueError as error:
        raise Refused(f"{path}: not JSON: {error}") from None
    if not isinstance(content, dict):
        raise Refused(f"{path}: not a JSON object")
    return content


def sha256_of(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
