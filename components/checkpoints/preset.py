"""KerasHub's format: config.json, model.weights.h5, tokenizer.json and assets/."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from components.checkpoints.architecture import Architecture, Shape, bert_shapes, checked_architecture
from components.checkpoints.checkpoint import Checkpoint, Tokenization
from components.checkpoints.config_files import positive_int, read_json
from components.checkpoints.format import CheckpointFormat
from components.checkpoints.vocabulary import SpecialTokens
from components.checkpoints.weights import check_shapes, unreadable_weights, weight_files
from schema.errors import Refused

CONFIG, TOKENIZER, VOCABULARY = "config.json", "tokenizer.json", "assets/tokenizer/vocabulary.txt"
WEIGHTS, SHARDS = "model.weights.h5", "model.weights.json"
TOKENIZER_FILES = (TOKENIZER, VOCABULARY)
# Groups of a BertBackbone's variables in Keras's file. A kernel or gamma is variable 0, a bias or beta variable 1.
_GROUPS = {
    "embeddings/word_embeddings": "layers/reversible_embedding",
    "embeddings/position_embeddings": "layers/position_embedding",
    "embeddings/token_type_embeddings": "layers/embedding",
    "embeddings/LayerNorm": "layers/layer_normalization",
    "pooler/dense": "layers/dense",
}
_LAYER_GROUPS = {
    "attention/self/query": "_self_attention_layer/query_dense",
    "attention/self/key": "_self_attention_layer/key_dense",
    "attention/self/value": "_self_attention_layer/value_dense",
    "attention/output/dense": "_self_attention_layer/output_dense",
    "attention/output/LayerNorm": "_self_attention_layer_norm",
    "intermediate/dense": "_feedforward_intermediate_dense",
    "output/dense": "_feedforward_output_dense",
    "output/LayerNorm": "_feedforward_layer_norm",
}


class PresetFormat(CheckpointFormat):
    """Folder as KerasHub's `save_to_preset` writes it."""

    TITLE = "a KerasHub preset (config.json, model.weights.h5, tokenizer.json, assets/tokenizer/vocabulary.txt)"

    def signs(self, folder: Path) -> list[str]:
        config = [CONFIG] if is_preset_config(folder / CONFIG) else []
        return config + [name for name in (WEIGHTS, SHARDS, VOCABULARY) if (folder / name).is_file()]

    def missing(self, folder: Path) -> list[str]:
        config = [] if is_preset_config(folder / CONFIG) else [CONFIG]
        weights = [] if any((folder / name).is_file() for name in (WEIGHTS, SHARDS)) else [WEIGHTS]
        return config + weights + [name for name in TOKENIZER_FILES if not (folder / name).is_file()]

    def find(self, folder: Path, source: str) -> Checkpoint:
        return Checkpoint(
            source=source,
            format="preset",
            folder=folder,
            weights=weight_files(folder, source, WEIGHTS, SHARDS),
            settings=(folder / CONFIG, folder / TOKENIZER),
            vocabulary=folder / VOCABULARY,
            architecture=_read_architecture(folder / CONFIG, source),
            tokenization=_read_tokenization(folder / TOKENIZER, source),
        )

    def load(self, checkpoint: Checkpoint) -> Any:
        import h5py

        from components.checkpoints.backbone import build_backbone

        found: dict[str, Shape] = {}

        def visit(name: str, entry: Any) -> None:
            if isinstance(entry, h5py.Dataset):
                found[name] = tuple(entry.shape)

        try:
            for path in checkpoint.weights:
                with h5py.File(path) as file:
                    file.visititems(visit)
            check_shapes(checkpoint, _expected_shapes(checkpoint.architecture), found)
            backbone = build_backbone(checkpoint.architecture)
            whole = checkpoint.folder / WEIGHTS
            backbone.load_weights(str(whole if whole.is_file() else checkpoint.folder / SHARDS))
        except (OSError, ValueError, KeyError) as error:
            raise unreadable_weights(checkpoint, error) from error
        return backbone


def is_preset_config(path: Path) -> bool:
    """Return whether a file exists and is a Keras preset's config.json."""
    return path.is_file() and "class_name" in read_json(path)


def _read_architecture(path: Path, source: str) -> Architecture:
    content = read_json(path)
    if content["class_name"] != "BertBackbone":
        raise Refused(f"checkpoint {source}: config.json is of a {content['class_name']}, not a BertBackbone")
    config: Mapping[str, Any] = content.get("config") or {}
    return checked_architecture(
        path,
        Architecture(
            vocabulary_size=positive_int(path, config, "vocabulary_size"),
            layers=positive_int(path, config, "num_layers"),
            heads=positive_int(path, config, "num_heads"),
            hidden=positive_int(path, config, "hidden_dim"),
            intermediate=positive_int(path, config, "intermediate_dim"),
            positions=positive_int(path, config, "max_sequence_length", 512),
            segments=positive_int(path, config, "num_segments", 2),
            dropout=float(config.get("dropout", 0.1)),
        ),
    )


def _read_tokenization(path: Path, source: str) -> Tokenization:
    content = read_json(path)
    if content.get("class_name") != "BertTokenizer":
        raise Refused(f"checkpoint {source}: {TOKENIZER} is of a {content.get('class_name')}, not a BertTokenizer")
    config: Mapping[str, Any] = content.get("config") or {}
    for key, required in (("split", True), ("split_on_cjk", True), ("suffix_indicator", "##")):
        if config.get(key, required) != required:
            raise Refused(f"{path}: {key} is {config[key]!r}; only presets that tokenize as BERT does can be used")
    return Tokenization(
        lower_case=bool(config.get("lowercase", False)),
        # KerasHub's default differs from BERT's. A preset that was trained with it must be served with it.
        strip_accents=bool(config.get("strip_accents", False)),
        special_tokens=SpecialTokens(unknown=str(config.get("oov_token", "[UNK]"))),
    )


def _expected_shapes(architecture: Architecture) -> dict[str, Shape]:
    """Return the shapes of the variables by their names in the file. Keras has an axis for the attention heads."""
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
        expected[_name_in_file(name)] = shape
    return expected


def _name_in_file(name: str) -> str:
    """Return the name in Keras's file of a variable, given Google's."""
    variable = 1 if name.endswith(("/bias", "/beta")) else 0
    if name in _GROUPS:
        return f"{_GROUPS[name]}/vars/{variable}"
    owner, _ = name.rsplit("/", 1)
    if owner in _GROUPS:
        return f"{_GROUPS[owner]}/vars/{variable}"
    _, layer, part = owner.split("/", 2)
    index = layer.removeprefix("layer_")
    return f"layers/transformer_encoder{'' if index == '0' else f'_{index}'}/{_LAYER_GROUPS[part]}/vars/{variable}"
