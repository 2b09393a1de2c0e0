"""BERT small enough for tests, in the real format with random weights."""

import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from safetensors.numpy import save_file

VOCABULARY = tuple(
    "[PAD] [UNK] [CLS] [SEP] [MASK] the a is my i to and refund money back broken login password slow thanks "  # noqa: SIM905
    "love it not ##s ##ed ##ing . , ! ? ' 你 好".split()
)

_HIDDEN, _LAYERS, _HEADS, _INTERMEDIATE, _POSITIONS = 16, 2, 2, 32, 64


def write_tiny_bert(
    folder: Path, *, seed: int = 0, lower_case: bool = True, vocabulary: Sequence[str] = VOCABULARY
) -> Path:
    """Write a Hugging Face BERT folder with 2 layers of width 16 and random weights; return the folder."""
    folder.mkdir(parents=True, exist_ok=True)
    config = {
        "model_type": "bert",
        "vocab_size": len(vocabulary),
        "hidden_size": _HIDDEN,
        "num_hidden_layers": _LAYERS,
        "num_attention_heads": _HEADS,
        "intermediate_size": _INTERMEDIATE,
        "max_position_embeddings": _POSITIONS,
        "type_vocab_size": 2,
        "hidden_act": "gelu",
        "hidden_dropout_prob": 0.1,
        "attention_probs_dropout_prob": 0.1,
        "layer_norm_eps": 1e-12,
        "pad_token_id": 0,
    }
    (folder / "config.json").write_text(json.dumps(config))
    (folder / "tokenizer_config.json").write_text(json.dumps({"do_lower_case": lower_case}))
    (folder / "vocab.txt").write_text("\n".join(vocabulary) + "\n", encoding="utf-8")
    save_file(
        _random_weights(np.random.default_rng(seed), len(vocabulary)),
        folder / "model.safetensors",
        metadata={"format": "pt"},
    )
    return folder


def _random_weights(rng: np.random.Generator, n_tokens: int) -> dict[str, np.ndarray]:
    shapes = {
        "embeddings.word_embeddings.weight": (n_tokens, _HIDDEN),
        "embeddings.position_embeddings.weight": (_POSITIONS, _HIDDEN),
        "embeddings.token_type_embeddings.weight": (2, _HIDDEN),
        "pooler.dense.weight": (_HIDDEN, _HIDDEN),
        "pooler.dense.bias": (_HIDDEN,),
    }
    layer_norms = ["embeddings.LayerNorm"]
    for layer in range(_LAYERS):
        prefix = f"encoder.layer.{layer}"
        for name in ("attention.self.query", "attention.self.key", "attention.self.value", "attention.output.dense"):
            shapes |= {f"{prefix}.{name}.weight": (_HIDDEN, _HIDDEN), f"{prefix}.{name}.bias": (_HIDDEN,)}
        shapes |= {f"{prefix}.intermediate.dense.weight": (_INTERMEDIATE, _HIDDEN)}
        shapes |= {f"{prefix}.intermediate.dense.bias": (_INTERMEDIATE,)}
        shapes |= {f"{prefix}.output.dense.weight": (_HIDDEN, _INTERMEDIATE), f"{prefix}.output.dense.bias": (_HIDDEN,)}
        layer_norms += [f"{prefix}.attention.output.LayerNorm", f"{prefix}.output.LayerNorm"]
    weights = {name: rng.normal(0, 0.3, shape).astype(np.float32) for name, shape in shapes.items()}
    for name in layer_norms:
        weights[f"{name}.weight"] = np.ones(_HIDDEN, np.float32)
        weights[f"{name}.bias"] = np.zeros(_HIDDEN, np.float32)
    return weights
