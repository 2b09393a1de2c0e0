"""Write tests/components/checkpoints/reference/minilm.npz, the pooled outputs of Hugging Face's BERT for a few texts.

Run it from the repository's root: `.venv/bin/python -m benchmarks.checkpoint_reference [--venv FOLDER]`. Tests compare
every way of loading a checkpoint with this file and need no PyTorch. If FOLDER has no environment, one with PyTorch and
Transformers (5.5 GB) is installed there; the script runs itself again in it.
"""

import argparse
import importlib.metadata
import json
import subprocess
from pathlib import Path
from typing import Any

import numpy as np

_PACKAGES = ("torch", "transformers", "numpy", "safetensors")
_REFERENCE = Path(__file__).parents[1] / "tests" / "components" / "checkpoints" / "reference" / "minilm.npz"
_MAX_TOKENS = 128
# BERT's own activation is the exact GELU; KerasHub's BERT has the other. A checkpoint's configuration says which.
_ACTIVATIONS = {"pooled": "gelu", "pooled_tanh": "gelu_pytorch_tanh"}

TEXTS = (
    "I was charged twice and want my money back.",
    "Thanks!",
    "",
    "   \t ",
    "Crème brûlée à la carte, s'il vous plaît: ÀÉÎÕÜ.",
    "e\u0301 is é, and İstanbul is not Istanbul",
    "你好，世界！我想退款。",
    "こんにちは мир γειά σου مرحبا",
    "UPPER lower MiXeD 3.14 $100 user@example.com #tag",
    "emoji 😀 and … ½ ﬁ Ⅷ",
    "supercalifragilisticexpialidocious unbelievably antidisestablishmentarianism",
    "The parcel arrived late, it was wet, and nobody answered the phone. " * 20,
)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "--venv",
        type=Path,
        default=Path("build/peer"),
        help="folder of the environment, installed if it does not exist",
    )
    parser.add_argument("--inside", type=Path, help=argparse.SUPPRESS)  # the checkpoint's folder, set by the outer run
    arguments = parser.parse_args()
    if arguments.inside is None:
        from benchmarks.peer import peer_python  # the inner run has no such package

        python = peer_python(arguments.venv.resolve())
        subprocess.run([python, __file__, "--inside", str(_bundled())], check=True)
    else:
        _write(arguments.inside)


def _bundled() -> Path:
    from components.checkpoints.find import BUNDLED, find_checkpoint

    return find_checkpoint(BUNDLED).folder


def _write(checkpoint: Path) -> None:
    pooled: dict[str, Any] = {name: _pooled(checkpoint, activation) for name, activation in _ACTIVATIONS.items()}
    versions = {name: importlib.metadata.version(name) for name in _PACKAGES}
    np.savez_compressed(
        _REFERENCE, texts=np.array(TEXTS), max_tokens=_MAX_TOKENS, made_with=json.dumps(versions), **pooled
    )
    print(f"{_REFERENCE}: {len(TEXTS)} texts, {_REFERENCE.stat().st_size} bytes, {versions}")


def _pooled(checkpoint: Path, activation: str) -> Any:
    """Compute pooled outputs float32 [n_texts, width], one text at a time, so that none is padded."""
    import torch
    from transformers import AutoTokenizer, BertModel

    tokenizer = AutoTokenizer.from_pretrained(checkpoint)
    model = BertModel.from_pretrained(checkpoint, hidden_act=activation, attn_implementation="eager").eval()
    outputs = []
    with torch.no_grad():
        for text in TEXTS:
            encoded = tokenizer(text, truncation=True, max_length=_MAX_TOKENS, return_tensors="pt")
            outputs.append(model(**encoded).pooler_output[0].numpy())
    return np.stack(outputs)


if __name__ == "__main__":
    main()
