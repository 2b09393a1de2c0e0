"""KerasHub's format: config.json, model.weights.h5, tokenizer.json and assets/."""

from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any

from components.checkpoints.architecture import Architecture, Family, Shape, bert_shapes, checked_architecture
from components.checkpoints.checkpoint import Checkpoint, Tokenization
from components.checkpoints.config_files import positive_int, read_json
from components.checkpoints.format import CheckpointFormat
from components.checkpoints.unsupported import unsupported
from components.checkpoints.vocabulary import SpecialTokens
from components.checkpoints.weights import check_shapes, unreadable_weights, weight_files
from components.common.progress import PROGRESS
from schema.errors import Refused

CONFIG, TOKENIZER, VOCABULARY = "config.json", "tokenizer.json", "assets/tokenizer/vocabulary.txt"
WEIGHTS, SHARDS = "model.weights.h5", "model.weights.json"
OTHER_FILES = (TOKENIZER, VOCABULARY)
_FAMILIES: dict[str, Family] = {
    "BertBackbone": "bert", "DistilBertBackbone": "distilbert", "ElectraBackbone": "electra"
}  # fmt: skip
_TOKENIZERS = ("BertTokenizer", "DistilBertTokenizer", "ElectraTokenizer")
# Groups of a backbone's variables in Keras's file. A kernel or gamma is variable 0, a bias or beta variable 1.
_GROUPS = {
    "embeddings/word_embeddings": "layers/reversible_embedding",
    "embeddings/position_embeddings": "layers/position_embedding",
    "embeddings/token_type_embeddings": "layers/embedding",
    "embeddings/LayerNorm": "layers/layer_normalization",
    "pooler/dense": "layers/dense",
}
_DISTILBERT_GROUPS = _GROUPS | {
    "embeddings/word_embeddings": "layers/token_and_position_embedding/token_embedding",
    "embeddings/position_embeddings": "layers/token_and_position_embedding/position_embedding",
}
# Keras numbers the layers of a class: with a projection, it comes before the pooler.
_PROJECTION_GROUPS = _GROUPS | {"embeddings_project": "layers/dense", "pooler/dense": "layers/dense_1"}
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
        return config + weights + [name for name in OTHER_FILES if not (folder / name).is_file()]

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
        """Read the variables into a backbone of KerasHub, see `build_backbone`.

        A DistilBERT has no pooler, which is then initialised at random, and a progress line reports it.

        Raises:
            Refused: The weights cannot be read, or are not those of the described model.
        """
        import h5py

        from components.checkpoints.backbone import assign_weights, build_backbone

        found: dict[str, Shape] = {}
        files: dict[str, Path] = {}

        def visit(path: Path, name: str, entry: Any) -> None:
            if isinstance(entry, h5py.Dataset):
                found[name], files[name] = tuple(entry.shape), path

        names = _names_in_file(checkpoint.architecture)

        def read(name: str) -> Any:
            with h5py.File(files[names[name]]) as file:
                return file[names[name]][()]

        try:
            for path in checkpoint.weights:
                with h5py.File(path) as file:
                    file.visititems(partial(visit, path))
            check_shapes(checkpoint, _expected_shapes(checkpoint.architecture, names), found)
            backbone = build_backbone(checkpoint.architecture)
            assign_weights(backbone, read, names)
        except (OSError, ValueError, KeyError) as error:
            raise unreadable_weights(checkpoint, error) from error
        if "pooler/dense/kernel" not in names:
            PROGRESS.warning("checkpoint %s has no pooler: it is initialised at random", checkpoint.source)
        return backbone


def is_preset_config(path: Path) -> bool:
    """Return whether a file exists and is a Keras preset's config.json."""
    return path.is_file() and "class_name" in read_json(path)


def check_supported(folder: Path, source: str) -> Family:
    """Return the model that a preset's config.json is of.

    Raises:
        Refused: It is not supported; the message says why.
    """
    name = str(read_json(folder / CONFIG)["class_name"])
    if name not in _FAMILIES:
        raise unsupported(source, f"{CONFIG} is of a {name}", name)
    return _FAMILIES[name]


def _read_architecture(path: Path, source: str) -> Architecture:
    family = check_supported(path.parent, source)
    config: Mapping[str, Any] = read_json(path).get("config") or {}
    return checked_architecture(
        path,
        Architecture(
            vocabulary_size=positive_int(path, config, "vocab_size" if family == "electra" else "vocabulary_size"),
            layers=positive_int(path, config, "num_layers"),
            heads=positive_int(path, config, "num_heads"),
            hidden=positive_int(path, config, "hidden_dim"),
            intermediate=positive_int(path, config, "intermediate_dim"),
            positions=positive_int(path, config, "max_sequence_length", 512),
            segments=0 if family == "distilbert" else positive_int(path, config, "num_segments", 2),
            dropout=float(config.get("dropout", 0.1)),
            family=family,
            embedding=positive_int(path, config, "embedding_dim") if family == "electra" else None,
        ),
    )


def _read_tokenization(path: Path, source: str) -> Tokenization:
    content = read_json(path)
    if content.get("class_name") not in _TOKENIZERS:
        raise Refused(
            f"checkpoint {source}: {TOKENIZER} is of a {content.get('class_name')}, not one of {', '.join(_TOKENIZERS)}"
        )
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


def _expected_shapes(architecture: Architecture, names: Mapping[str, str]) -> dict[str, Shape]:
    """Return the shapes of the variables by their names in the file. Keras has an axis for the attention heads."""
    heads, hidden = architecture.heads, architecture.hidden
    split = {
        "kernel": (hidden, heads, hidden // heads),
        "bias": (heads, hidden // heads),
    }
    expected: dict[str, Shape] = {}
    shapes = bert_shapes(architecture)
    for name, name_in_file in names.items():
        shape = shapes[name]
        *_, ending = name.split("/")
        if "attention/self" in name:
            shape = split[ending]
        elif name.endswith("attention/output/dense/kernel"):
            shape = (heads, hidden // heads, hidden)
        expected[name_in_file] = shape
    return expected


def _names_in_file(architecture: Architecture) -> dict[str, str]:
    """Return the names in Keras's file of the variables that it has, by Google's."""
    has_projection = architecture.embedding_width != architecture.hidden
    is_distilbert = architecture.family == "distilbert"
    groups = _DISTILBERT_GROUPS if is_distilbert else _PROJECTION_GROUPS if has_projection else _GROUPS
    return {
        name: _name_in_file(name, groups)
        for name in bert_shapes(architecture)
        if not (is_distilbert and name.startswith("pooler/"))
    }


def _name_in_file(name: str, groups: Mapping[str, str]) -> str:
    variable = 1 if name.endswith(("/bias", "/beta")) else 0
    if name in groups:
        return f"{groups[name]}/vars/{variable}"
    owner, _ = name.rsplit("/", 1)
    if owner in groups:
        return f"{groups[owner]}/vars/{variable}"
    _, layer, part = owner.split("/", 2)
    index = layer.removeprefix("layer_")
    return f"layers/transformer_encoder{'' if index == '0' else f'_{index}'}/{_LAYER_GROUPS[part]}/vars/{variable}"
