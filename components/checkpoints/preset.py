"""Folders as KerasHub's `save_to_preset` writes them: config.json, model.weights.h5, tokenizer.json, assets/."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from components.checkpoints.checkpoint import (
    Architecture,
    Checkpoint,
    Shape,
    Spelling,
    bert_shapes,
    cannot_be_read,
    checked,
    read_json,
    refuse_differences,
    size,
    weight_files,
)
from components.checkpoints.vocabulary import SpecialTokens
from schema.errors import Refused

TITLE = "a KerasHub preset (config.json, model.weights.h5, tokenizer.json, assets/tokenizer/vocabulary.txt)"

CONFIG, TOKENIZER, VOCABULARY = "config.json", "tokenizer.json", "assets/tokenizer/vocabulary.txt"
WEIGHTS, SHARDS = "model.weights.h5", "model.weights.json"
SPELLING = (TOKENIZER, VOCABULARY)  # what tells how texts become tokens
# Where Keras files the variables of a BertBackbone; a kernel or gamma is 0 there, a bias or beta 1.
_LAYERS = {
    "embeddings/word_embeddings": "layers/reversible_embedding",
    "embeddings/position_embeddings": "layers/position_embedding",
    "embeddings/token_type_embeddings": "layers/embedding",
    "embeddings/LayerNorm": "layers/layer_normalization",
    "pooler/dense": "layers/dense",
}
_PARTS = {
    "attention/self/query": "_self_attention_layer/query_dense",
    "attention/self/key": "_self_attention_layer/key_dense",
    "attention/self/value": "_self_attention_layer/value_dense",
    "attention/output/dense": "_self_attention_layer/output_dense",
    "attention/output/LayerNorm": "_self_attention_layer_norm",
    "intermediate/dense": "_feedforward_intermediate_dense",
    "output/dense": "_feedforward_output_dense",
    "output/LayerNorm": "_feedforward_layer_norm",
}


def signs(folder: Path) -> list[str]:
    """What in the folder speaks for this kind and no other."""
    config = [CONFIG] if is_config(folder / CONFIG) else []
    return config + [name for name in (WEIGHTS, SHARDS, VOCABULARY) if (folder / name).is_file()]


def missing(folder: Path) -> list[str]:
    config = [] if is_config(folder / CONFIG) else [CONFIG]
    weights = [] if any((folder / name).is_file() for name in (WEIGHTS, SHARDS)) else [WEIGHTS]
    return config + weights + [name for name in (TOKENIZER, VOCABULARY) if not (folder / name).is_file()]


def is_config(path: Path) -> bool:
    """Whether it is there, and a Keras preset's."""
    return path.is_file() and "class_name" in read_json(path)


def find(folder: Path, source: str) -> Checkpoint:
    """Reads what the configurations of model and tokenizer say.

    Args:
        folder: None of whose files is `missing`.
        source: As the user named it.

    Raises:
        Refused: It is not a BERT, or one that tokenizes otherwise.
    """
    return Checkpoint(
        source=source,
        kind="preset",
        folder=folder,
        weights=weight_files(folder, source, WEIGHTS, SHARDS),
        settings=(folder / CONFIG, folder / TOKENIZER),
        vocabulary=folder / VOCABULARY,
        architecture=_architecture(folder / CONFIG, source),
        spelling=_spelling(folder / TOKENIZER, source),
    )


def load(checkpoint: Checkpoint) -> Any:
    """Reads the variables into a `keras_hub.models.BertBackbone`.

    Raises:
        Refused: They are not those of the configured BERT.
    """
    import h5py

    from components.checkpoints.backbone import build_backbone

    found: dict[str, Shape] = {}

    def see(name: str, entry: Any) -> None:
        if isinstance(entry, h5py.Dataset):
            found[name] = tuple(entry.shape)

    try:
        for path in checkpoint.weights:
            with h5py.File(path) as file:
                file.visititems(see)
        refuse_differences(checkpoint, _expected(checkpoint.architecture), found)
        backbone = build_backbone(checkpoint.architecture)
        whole = checkpoint.folder / WEIGHTS
        backbone.load_weights(str(whole if whole.is_file() else checkpoint.folder / SHARDS))
    except (OSError, ValueError, KeyError) as error:
        raise cannot_be_read(checkpoint, error) from error
    return backbone


def _architecture(path: Path, source: str) -> Architecture:
    content = read_json(path)
    if content["class_name"] != "BertBackbone":
        raise Refused(f"checkpoint {source}: config.json is of a {content['class_name']}, not a BertBackbone")
    config: Mapping[str, Any] = content.get("config") or {}
    return checked(
        path,
        Architecture(
            vocabulary_size=size(path, config, "vocabulary_size"),
            layers=size(path, config, "num_layers"),
            heads=size(path, config, "num_heads"),
            hidden=size(path, config, "hidden_dim"),
            intermediate=size(path, config, "intermediate_dim"),
            positions=size(path, config, "max_sequence_length", 512),
            segments=size(path, config, "num_segments", 2),
            dropout=float(config.get("dropout", 0.1)),
        ),
    )


def _spelling(path: Path, source: str) -> Spelling:
    content = read_json(path)
    if content.get("class_name") != "BertTokenizer":
        raise Refused(f"checkpoint {source}: {TOKENIZER} is of a {content.get('class_name')}, not a BertTokenizer")
    config: Mapping[str, Any] = content.get("config") or {}
    for key, needed in (("split", True), ("split_on_cjk", True), ("suffix_indicator", "##")):
        if config.get(key, needed) != needed:
            raise Refused(f"{path}: {key} is {config[key]!r}; only presets that tokenize as BERT does can be used")
    return Spelling(
        lower_case=bool(config.get("lowercase", False)),
        # KerasHub's own default, which is not BERT's: a preset that was trained so must be served so.
        strip_accents=bool(config.get("strip_accents", False)),
        special_tokens=SpecialTokens(unknown=str(config.get("oov_token", "[UNK]"))),
    )


def _expected(architecture: Architecture) -> dict[str, Shape]:
    """The places in the file and their shapes; Keras keeps the heads of attention apart."""
    heads, hidden = architecture.heads, architecture.hidden
    split = {
        "kernel": (hidden, heads, hidden // heads),
        "bias": (heads, hidden // heads),
    }
    expected: dict[str, Shape] = {}
    for name, shape in bert_shapes(architecture).items():
        *_, ending = name.split("/")
        if "attention/self" in name:
            shape = split[ending]
        elif name.endswith("attention/output/dense/kernel"):
            shape = (heads, hidden // heads, hidden)
        expected[_place(name)] = shape
    return expected


def _place(name: str) -> str:
    variable = 1 if name.endswith(("/bias", "/beta")) else 0
    if name in _LAYERS:
        return f"{_LAYERS[name]}/vars/{variable}"
    owner, _ = name.rsplit("/", 1)
    if owner in _LAYERS:
        return f"{_LAYERS[owner]}/vars/{variable}"
    _, layer, part = owner.split("/", 2)
    number = layer.removeprefix("layer_")
    return f"layers/transformer_encoder{'' if number == '0' else f'_{number}'}/{_PARTS[part]}/vars/{variable}"
