"""Write the same BERT weights in every supported format, with names of variables that are independent of the code's."""

import json
import re
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from safetensors.numpy import load_file, save_file

Tensors = dict[str, np.ndarray]

_CONFIG = (
    "vocab_size", "num_hidden_layers", "num_attention_heads", "hidden_size", "intermediate_size", "hidden_act",
    "max_position_embeddings", "type_vocab_size", "hidden_dropout_prob", "attention_probs_dropout_prob",
)  # fmt: skip


def tensors_of(hugging_face: Path) -> Tensors:
    return dict(load_file(hugging_face / "model.safetensors"))


def google_name(name: str) -> str:
    """Return Google's name of a Hugging Face tensor, as in Transformers' converter from Google's format."""
    name = re.sub(r"layer\.(\d+)", r"layer_\1", name)
    for own, google in (("LayerNorm.weight", "LayerNorm.gamma"), ("LayerNorm.bias", "LayerNorm.beta")):
        name = name.replace(own, google)
    name = name.removesuffix(".weight") if "_embeddings" in name else re.sub(r"\.weight$", ".kernel", name)
    return "bert/" + name.replace(".", "/")


def write_google(
    folder: Path,
    hugging_face: Path,
    *,
    prefix: str = "bert_model.ckpt",
    changed: Mapping[str, np.ndarray | None] | None = None,
    config: Mapping[str, Any] | None = None,
) -> Path:
    """Write Google's format, with the variables that pretraining leaves beside the encoder's; return the folder.

    Args:
        folder: Folder to write; created if it does not exist.
        hugging_face: Folder with the weights.
        prefix: Name of the checkpoint's files, without suffixes.
        changed: Variables to replace, or to leave out if None.
        config: Keys of bert_config.json to replace.
    """
    import tensorflow as tf

    folder.mkdir(parents=True, exist_ok=True)
    bert_config = json.loads((hugging_face / "config.json").read_text())
    bert_config = {key: bert_config[key] for key in _CONFIG} | {"initializer_range": 0.02} | dict(config or {})
    (folder / "bert_config.json").write_text(json.dumps(bert_config))
    shutil.copy(hugging_face / "vocab.txt", folder)
    variables: dict[str, np.ndarray | None] = {}
    for name, value in tensors_of(hugging_face).items():
        if name != "embeddings.position_ids":
            google = google_name(name)
            variables[google] = value.T if google.endswith("/kernel") else value
    pooler = variables["bert/pooler/dense/bias"]
    assert pooler is not None
    variables |= {"global_step": np.array(7, np.int64), "cls/predictions/output_bias": pooler}
    variables |= {"bert/pooler/dense/bias/adam_m": pooler, "bert/pooler/dense/bias/adam_v": pooler}
    variables |= dict(changed or {})
    kept = {name: value for name, value in sorted(variables.items()) if value is not None}
    tf.raw_ops.SaveV2(
        prefix=str(folder / prefix),
        tensor_names=list(kept),
        shape_and_slices=[""] * len(kept),
        tensors=[tf.constant(np.ascontiguousarray(value)) for value in kept.values()],
    )
    return folder


def write_hugging_face(
    folder: Path,
    hugging_face: Path,
    *,
    prefix: str = "",
    shards: int = 1,
    changed: Mapping[str, np.ndarray | None] | None = None,
) -> Path:
    """Copy a Hugging Face folder with other names or values of its tensors; return the new folder.

    Args:
        folder: Folder to write; created if it does not exist.
        hugging_face: Folder to copy.
        prefix: Prefix of the tensors' names.
        shards: Number of files of weights.
        changed: Tensors to replace, or to leave out if None.
    """
    folder.mkdir(parents=True, exist_ok=True)
    for path in hugging_face.iterdir():
        if path.is_file() and path.suffix in (".json", ".txt"):
            shutil.copy(path, folder)
    named: dict[str, np.ndarray | None] = {prefix + name: value for name, value in tensors_of(hugging_face).items()}
    named |= dict(changed or {})
    tensors = {name: np.ascontiguousarray(value) for name, value in named.items() if value is not None}
    if shards == 1:
        save_file(tensors, folder / "model.safetensors")
        return folder
    names = [f"model-{number:05}-of-{shards:05}.safetensors" for number in range(1, shards + 1)]
    files = {key: names[index % shards] for index, key in enumerate(sorted(tensors))}
    for name in names:
        save_file({key: tensors[key] for key, file in files.items() if file == name}, folder / name)
    (folder / "model.safetensors.index.json").write_text(json.dumps({"metadata": {}, "weight_map": files}))
    return folder


def write_preset(folder: Path, hugging_face: Path, *, max_shard_size: float = 10, **tokenizer: bool) -> Path:
    """Let KerasHub read a Hugging Face folder and save it as a preset; return the preset's folder.

    Args:
        folder: Folder to write.
        hugging_face: Folder to read.
        max_shard_size: Size of a file of weights, in GB.
        **tokenizer: Settings of the BertTokenizer.
    """
    import keras_hub

    from components.checkpoints.vocabulary import read_vocabulary

    backbone = keras_hub.models.BertBackbone.from_preset(str(hugging_face))
    backbone.save_to_preset(str(folder), max_shard_size=max_shard_size)
    vocabulary = read_vocabulary(str(hugging_face / "vocab.txt"))
    keras_hub.models.BertTokenizer(vocabulary, **tokenizer).save_to_preset(str(folder))
    return folder
