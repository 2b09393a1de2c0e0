"""Write tests/components/checkpoints/reference/: outputs of Hugging Face's PyTorch models for a few texts.

    minilm.npz               pooled outputs of the bundled BERT
    distilbert/, electra/    tiny models with random weights, as `save_pretrained` writes them, and their outputs


Run it from the repository's root: `.venv/bin/python -m benchmarks.checkpoint_reference [--venv FOLDER]`. Tests compare
every way of loading a checkpoint with these files and need no PyTorch. If FOLDER has no environment, one with PyTorch
and Transformers (5.5 GB) is installed there; the script runs itself again in it.
"""

import argparse
import importlib.metadata
import json
import subprocess
from pathlib import Path
from typing import Any

import numpy as np

_PACKAGES = ("torch", "transformers", "numpy", "safetensors")
_FOLDER = Path(__file__).parents[1] / "tests" / "components" / "checkpoints" / "reference"
_REFERENCE = _FOLDER / "minilm.npz"
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

TINY_VOCABULARY = (
    *("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "the", "a", "is", "my", "i", "refund", "money", "back", "broken"),
    *(
        "slow",
        "thanks",
        "##s",
        "##ed",
        "##ing",
        ".",
        ",",
        "!",
        "?",
        "creme",
        "brulee",
        "你",
        "好",
        "退",
        "款",
        "我",
        "想",
    ),
    *("мир", "##а"),
)
TINY_TEXTS = ("the refund is slow!", "Crème brûlée", "你好，我想退款", "", "broken " * 40)


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
        for family in ("distilbert", "electra"):
            _write_tiny(family)


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


def _write_tiny(family: str) -> None:
    """Write a tiny sequence classifier of a family and its outputs, float32: of all tokens, and after the head's layer.

    All parameters are drawn anew, biases and those of LayerNorm too, which the library initialises with zeros and ones.
    """
    import torch
    import transformers

    folder = _FOLDER / family
    folder.mkdir(exist_ok=True)
    (folder / "vocab.txt").write_text("\n".join(TINY_VOCABULARY) + "\n", encoding="utf-8")
    if family == "distilbert":
        config = transformers.DistilBertConfig(
            vocab_size=len(TINY_VOCABULARY), dim=16, n_layers=2, n_heads=4, hidden_dim=32, max_position_embeddings=48
        )
        model = transformers.DistilBertForSequenceClassification(config).eval()
    else:
        config = transformers.ElectraConfig(
            vocab_size=len(TINY_VOCABULARY), embedding_size=8, hidden_size=16, num_hidden_layers=2,
            num_attention_heads=4, intermediate_size=32, max_position_embeddings=48,
        )  # fmt: skip
        model = transformers.ElectraForSequenceClassification(config).eval()
    torch.manual_seed(0)
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            is_scale = "layer_norm.weight" in name.lower().replace("layernorm", "layer_norm")
            parameter.normal_(1.0 if is_scale else 0.0, 0.3)
    model.save_pretrained(folder)
    tokenizer = transformers.BertTokenizerFast(str(folder / "vocab.txt"), do_lower_case=True)
    arrays: dict[str, Any] = {}
    with torch.no_grad():
        for number, text in enumerate(TINY_TEXTS):
            encoded = tokenizer(text, return_tensors="pt", return_token_type_ids=family == "electra")
            tokens = model.base_model(**encoded).last_hidden_state
            if family == "distilbert":
                pooled = torch.relu(model.pre_classifier(tokens[:, 0]))
            else:
                pooled = torch.nn.functional.gelu(model.classifier.dense(tokens[:, 0]))
            # The layer that the head's last one reads, as the library's own forward pass computes it.
            head = model.classifier if family == "distilbert" else model.classifier.out_proj
            assert torch.allclose(head(pooled), model(**encoded).logits, atol=1e-6)
            arrays |= {f"ids_{number}": encoded["input_ids"][0].numpy(), f"tokens_{number}": tokens[0].numpy()}
            arrays[f"pooled_{number}"] = pooled[0].numpy()
    versions = {name: importlib.metadata.version(name) for name in _PACKAGES}
    np.savez_compressed(folder / "outputs.npz", texts=np.array(TINY_TEXTS), made_with=json.dumps(versions), **arrays)
    print(f"{folder}: {sorted(path.name for path in folder.iterdir())}")


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
