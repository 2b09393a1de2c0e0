"""Hugging Face's format: config.json, model.safetensors (or its shards), and vocab.txt or tokenizer.json."""

import re
from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from components.checkpoints.architecture import (
    Architecture,
    Family,
    Shape,
    bert_shapes,
    read_bert_config,
    read_distilbert_config,
)
from components.checkpoints.checkpoint import Checkpoint
from components.checkpoints.config_files import read_json
from components.checkpoints.format import CheckpointFormat
from components.checkpoints.pooling import POOLING_FILE, read_pooling
from components.checkpoints.tokenization import (
    SPECIAL_TOKENS_FILE,
    TOKENIZER_CONFIG_FILE,
    TOKENIZER_FILE,
    read_tokenization,
    tokenizer_files,
)
from components.checkpoints.unsupported import unsupported
from components.checkpoints.weights import check_shapes, unreadable_weights, weight_files
from components.common.progress import PROGRESS
from schema.errors import Refused

CONFIG, VOCABULARY = "config.json", "vocab.txt"
WEIGHTS, SHARDS = "model.safetensors", "model.safetensors.index.json"
OTHER_FILES = (TOKENIZER_CONFIG_FILE, TOKENIZER_FILE, SPECIAL_TOKENS_FILE, VOCABULARY, POOLING_FILE)
_OTHER_WEIGHTS = ("pytorch_model.bin", "pytorch_model.bin.index.json", "tf_model.h5", "flax_model.msgpack")
# Heads that were trained on the encoder, and a constant in old files.
_IGNORED = re.compile(
    r"(cls|classifier|pre_classifier|qa_outputs|vocab_(transform|layer_norm|projector)|(discriminator|generator)_\w+)\..*"
    r"|embeddings\.position_ids"
)
# Names of the dense layer that is used as the pooler. DistilBERT's and ELECTRA's are of their heads for classification.
_POOLERS: dict[Family, str] = {"bert": "pooler.dense", "distilbert": "pre_classifier", "electra": "classifier.dense"}
# Parts of DistilBERT's names, by Google's.
_DISTILBERT_NAMES = {
    "encoder.layer.": "transformer.layer.",
    "attention.self.query": "attention.q_lin",
    "attention.self.key": "attention.k_lin",
    "attention.self.value": "attention.v_lin",
    "attention.output.dense": "attention.out_lin",
    "attention.output.LayerNorm": "sa_layer_norm",
    "intermediate.dense": "ffn.lin1",
    "output.dense": "ffn.lin2",
    "output.LayerNorm": "output_layer_norm",
}


class HuggingFaceFormat(CheckpointFormat):
    """Folder as Transformers' `save_pretrained` writes it."""

    TITLE = "a Hugging Face folder (config.json, model.safetensors, vocab.txt or tokenizer.json)"

    def signs(self, folder: Path) -> list[str]:
        own = (WEIGHTS, SHARDS, *_OTHER_WEIGHTS, TOKENIZER_CONFIG_FILE)
        config = [CONFIG] if _has_config(folder) else []
        return config + [name for name in own if (folder / name).is_file()]

    def missing(self, folder: Path) -> list[str]:
        config = [] if _has_config(folder) else [CONFIG]
        weights = [] if any((folder / name).is_file() for name in (WEIGHTS, SHARDS)) else [WEIGHTS]
        vocabulary = [] if any((folder / name).is_file() for name in (VOCABULARY, TOKENIZER_FILE)) else [VOCABULARY]
        return config + weights + vocabulary

    def remedy(self, folder: Path) -> str | None:
        """Return the command that converts weights of another library."""
        other = [name for name in _OTHER_WEIGHTS if (folder / name).is_file()]
        if WEIGHTS not in self.missing(folder) or not other:
            return None
        return (
            f'convert {other[0]} where Transformers is installed: python -c "from transformers import AutoModel; '
            f"AutoModel.from_pretrained('{folder}').save_pretrained('{folder}')\""
        )

    def find(self, folder: Path, source: str) -> Checkpoint:
        family = check_supported(folder, source)
        config = read_json(folder / CONFIG)
        if config.get("position_embedding_type", "absolute") != "absolute" or config.get("is_decoder"):
            raise Refused(f"checkpoint {source}: config.json: only encoders with absolute positions can be used")
        vocabulary = folder / VOCABULARY if (folder / VOCABULARY).is_file() else folder / TOKENIZER_FILE
        return Checkpoint(
            source=source,
            format="hugging_face",
            folder=folder,
            weights=weight_files(folder, source, WEIGHTS, SHARDS),
            settings=(folder / CONFIG, *tokenizer_files(folder), *_pooling_files(folder)),
            vocabulary=vocabulary,
            architecture=_read_architecture(folder / CONFIG, family),
            tokenization=read_tokenization(folder, vocabulary),
            pooling=read_pooling(folder),
        )

    def load(self, checkpoint: Checkpoint) -> Any:
        """Read the tensors into a backbone of KerasHub, see `build_backbone`.

        A checkpoint for masked language modelling has no pooler, nor has any DistilBERT or ELECTRA that was not
        fine-tuned. The pooler is then initialised at random, as BERT's was before pretraining, and a progress line
        reports it.

        Raises:
            Refused: The weights cannot be read, or are not those of the described BERT.
        """
        import numpy as np
        from safetensors import SafetensorError, safe_open

        from components.checkpoints.backbone import assign_weights, build_backbone

        try:
            with ExitStack() as stack:
                # NumPy can read bfloat16 because ml_dtypes, which TensorFlow imports, registers it.
                files = [stack.enter_context(safe_open(str(path), framework="numpy")) for path in checkpoint.weights]
                tensors = {key: file for file in files for key in file.keys()}  # noqa: SIM118 - not a mapping
                family = checkpoint.architecture.family
                prefix = f"{family}." if any(key.startswith(f"{family}.") for key in tensors) else ""
                found = {
                    key.removeprefix(prefix): tuple(file.get_slice(key).get_shape())
                    for key, file in sorted(tensors.items())
                    if key.startswith(f"{_POOLERS[family]}.") or not _IGNORED.fullmatch(key.removeprefix(prefix))
                }
                names = dict(_tensor_names(checkpoint.architecture, found))
                check_shapes(checkpoint, dict(names.values()), found)

                def read(name: str) -> Any:
                    tensor_name, _ = names[name]
                    key = prefix + tensor_name if prefix + tensor_name in tensors else tensor_name
                    value = np.asarray(tensors[key].get_tensor(key), np.float32)
                    return value.T if name.endswith("/kernel") else value

                backbone = build_backbone(checkpoint.architecture)
                assign_weights(backbone, read, names)
        except (SafetensorError, OSError) as error:
            raise unreadable_weights(checkpoint, error) from error
        if "pooler/dense/kernel" not in names:
            PROGRESS.warning("checkpoint %s has no pooler: it is initialised at random", checkpoint.source)
        return backbone


def _pooling_files(folder: Path) -> tuple[Path, ...]:
    path = folder / POOLING_FILE
    return (path,) if path.is_file() else ()


def check_supported(folder: Path, source: str) -> Family:
    """Return the model that a folder's config.json is of.

    Raises:
        Refused: It is not supported; the message says why.
    """
    name = str(read_json(folder / CONFIG).get("model_type", ""))
    for family in _POOLERS:
        if name == family:
            return family
    raise unsupported(source, f"{CONFIG} has model_type {name!r}", name)


def _read_architecture(path: Path, family: Family) -> Architecture:
    return read_distilbert_config(path) if family == "distilbert" else read_bert_config(path, family)


def _tensor_names(architecture: Architecture, found: Mapping[str, Shape]) -> Iterator[tuple[str, tuple[str, Shape]]]:
    """Yield Google's name of each variable, with the name and the shape of its tensor."""
    pooler = _POOLERS[architecture.family]
    no_pooler = not any(name.startswith(f"{pooler}.") for name in found)
    # Files that were converted from Google's in 2019 kept Google's names of these two.
    gamma, beta = ("gamma", "beta") if "embeddings.LayerNorm.gamma" in found else ("weight", "bias")
    endings = (
        ("_embeddings", "_embeddings.weight"),
        (".kernel", ".weight"),
        (".gamma", f".{gamma}"),
        (".beta", f".{beta}"),
    )
    for name, shape in bert_shapes(architecture).items():
        if no_pooler and name.startswith("pooler/"):
            continue
        tensor_name = re.sub(r"layer_(\d+)", r"layer.\1", name).replace("/", ".").replace("pooler.dense", pooler)
        if architecture.family == "distilbert":
            for google, own in _DISTILBERT_NAMES.items():
                tensor_name = tensor_name.replace(google, own)
        for google, ending in endings:
            if tensor_name.endswith(google):
                tensor_name = tensor_name.removesuffix(google) + ending
        yield name, (tensor_name, shape[::-1] if name.endswith("/kernel") else shape)


def _has_config(folder: Path) -> bool:
    """Return whether the folder has a config.json that is not a Keras preset's."""
    path = folder / CONFIG
    return path.is_file() and "class_name" not in read_json(path)
