"""Hugging Face folders: config.json, model.safetensors (or its shards), and vocab.txt or tokenizer.json."""

import re
from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from components.checkpoints import spelling
from components.checkpoints.checkpoint import (
    Checkpoint,
    Shape,
    bert_architecture,
    bert_shapes,
    cannot_be_read,
    read_json,
    refuse_differences,
    weight_files,
)
from components.common.progress import PROGRESS
from schema.errors import Refused

TITLE = "a Hugging Face folder (config.json, model.safetensors, vocab.txt or tokenizer.json)"

CONFIG, VOCABULARY = "config.json", "vocab.txt"
WEIGHTS, SHARDS = "model.safetensors", "model.safetensors.index.json"
# What tells how texts become tokens.
SPELLING = (spelling.TOKENIZER_CONFIG, spelling.TOKENIZER, spelling.SPECIAL_TOKENS, VOCABULARY)
_OTHER_WEIGHTS = ("pytorch_model.bin", "pytorch_model.bin.index.json", "tf_model.h5", "flax_model.msgpack")
# Heads that were trained on the encoder, and a constant that old files hold.
_LEFT_OUT = re.compile(r"(cls|classifier|qa_outputs)\..*|embeddings\.position_ids")


def signs(folder: Path) -> list[str]:
    """What in the folder speaks for this kind and no other."""
    own = (WEIGHTS, SHARDS, *_OTHER_WEIGHTS, spelling.TOKENIZER_CONFIG)
    config = [CONFIG] if _has_config(folder) else []
    return config + [name for name in own if (folder / name).is_file()]


def missing(folder: Path) -> list[str]:
    config = [] if _has_config(folder) else [CONFIG]
    weights = [] if any((folder / name).is_file() for name in (WEIGHTS, SHARDS)) else [WEIGHTS]
    vocabulary = [] if any((folder / name).is_file() for name in (VOCABULARY, spelling.TOKENIZER)) else [VOCABULARY]
    return config + weights + vocabulary


def remedy(folder: Path) -> str | None:
    """What to do about weights in a format that is not read."""
    other = [name for name in _OTHER_WEIGHTS if (folder / name).is_file()]
    if WEIGHTS not in missing(folder) or not other:
        return None
    return (
        f'convert {other[0]} where Transformers is installed: python -c "from transformers import AutoModel; '
        f"AutoModel.from_pretrained('{folder}').save_pretrained('{folder}')\""
    )


def find(folder: Path, source: str) -> Checkpoint:
    """Reads what the configurations of model and tokenizer say.

    Args:
        folder: None of whose files is `missing`.
        source: As the user named it.

    Raises:
        Refused: It is not a BERT, or one that computes or tokenizes otherwise.
    """
    config = read_json(folder / CONFIG)
    if config.get("model_type") != "bert":
        raise Refused(f"checkpoint {source}: config.json says model_type {config.get('model_type')!r}, not 'bert'")
    if config.get("position_embedding_type", "absolute") != "absolute" or config.get("is_decoder"):
        raise Refused(f"checkpoint {source}: config.json: only encoders with absolute positions can be used")
    vocabulary = folder / VOCABULARY if (folder / VOCABULARY).is_file() else folder / spelling.TOKENIZER
    return Checkpoint(
        source=source,
        kind="hugging_face",
        folder=folder,
        weights=weight_files(folder, source, WEIGHTS, SHARDS),
        settings=(folder / CONFIG, *spelling.settings_files(folder)),
        vocabulary=vocabulary,
        architecture=bert_architecture(folder / CONFIG),
        spelling=spelling.read_spelling(folder, vocabulary),
    )


def load(checkpoint: Checkpoint) -> Any:
    """Reads the tensors into a `keras_hub.models.BertBackbone`.

    A checkpoint for masked words has no pooler: then it begins as BERT's did, and a progress line says so.

    Raises:
        Refused: They are not those of the configured BERT.
    """
    import numpy as np
    from safetensors import SafetensorError, safe_open

    from components.checkpoints.backbone import build_backbone, fill

    try:
        with ExitStack() as stack:
            # NumPy reads bfloat16 once ml_dtypes, which TensorFlow brings, has registered it.
            files = [stack.enter_context(safe_open(str(path), framework="numpy")) for path in checkpoint.weights]
            tensors = {key: file for file in files for key in file.keys()}  # noqa: SIM118 - not a mapping
            prefix = "bert." if any(key.startswith("bert.") for key in tensors) else ""
            found = {
                key.removeprefix(prefix): tuple(file.get_slice(key).get_shape())
                for key, file in sorted(tensors.items())
                if not _LEFT_OUT.fullmatch(key.removeprefix(prefix))
            }
            names = dict(_names(bert_shapes(checkpoint.architecture), found))
            refuse_differences(checkpoint, dict(names.values()), found)

            def read(name: str) -> Any:
                own, _ = names[name]
                key = prefix + own if prefix + own in tensors else own
                value = np.asarray(tensors[key].get_tensor(key), np.float32)
                return value.T if name.endswith("/kernel") else value

            backbone = build_backbone(checkpoint.architecture)
            fill(backbone, read, names)
    except (SafetensorError, OSError) as error:
        raise cannot_be_read(checkpoint, error) from error
    if "pooler/dense/kernel" not in names:
        PROGRESS.warning("checkpoint %s has no pooler: it begins at random, as BERT's did", checkpoint.source)
    return backbone


def _names(shapes: Mapping[str, Shape], found: Mapping[str, Shape]) -> Iterator[tuple[str, tuple[str, Shape]]]:
    """Google's name of each variable, with the name and the shape that it has here."""
    no_pooler = not any(name.startswith("pooler.") for name in found)
    # Files converted from Google's in 2019 kept its names here.
    gamma, beta = ("gamma", "beta") if "embeddings.LayerNorm.gamma" in found else ("weight", "bias")
    endings = (
        ("_embeddings", "_embeddings.weight"),
        (".kernel", ".weight"),
        (".gamma", f".{gamma}"),
        (".beta", f".{beta}"),
    )
    for name, shape in shapes.items():
        if no_pooler and name.startswith("pooler/"):
            continue
        own = re.sub(r"layer_(\d+)", r"layer.\1", name).replace("/", ".")
        for google, here in endings:
            if own.endswith(google):
                own = own.removesuffix(google) + here
        yield name, (own, shape[::-1] if name.endswith("/kernel") else shape)


def _has_config(folder: Path) -> bool:
    """Whether config.json is there, and not a Keras preset's."""
    path = folder / CONFIG
    return path.is_file() and "class_name" not in read_json(path)
