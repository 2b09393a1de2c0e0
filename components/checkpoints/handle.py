"""Checkpoints that are fetched: `hf://org/name`, `kaggle://org/model/keras/variant`, and KerasHub's built-in names."""

import importlib.util
import runpy
import textwrap
from functools import cache
from pathlib import Path

from components.checkpoints import hugging_face, preset
from components.checkpoints.checkpoint import shard_names
from schema.errors import Refused

_SCHEMES = ("hf://", "kaggle://")


def is_handle(source: str) -> bool:
    return source.startswith(_SCHEMES) or source in built_in()


@cache
def built_in() -> frozenset[str]:
    """The names that KerasHub has for BERTs on Kaggle. Its list is data: read so, it does not import Keras."""
    spec = importlib.util.find_spec("keras_hub")
    if spec is None or spec.origin is None:
        return frozenset()
    path = Path(spec.origin).parent / "src" / "models" / "bert" / "bert_presets.py"
    return frozenset(runpy.run_path(str(path))["backbone_presets"])


def fetch(source: str) -> Path:
    """Fetches the files into the cache of KerasHub's own download, those that are not there yet.

    Returns:
        The folder that they are in, which is then as any other.

    Raises:
        Refused: It cannot be reached, or is no checkpoint.
    """
    config = _fetch(source, hugging_face.CONFIG)
    if config is None:
        raise Refused(f"checkpoint {source}: no {hugging_face.CONFIG} there; give a BERT of Hugging Face or KerasHub")
    kind = preset if preset.is_config(config) else hugging_face
    for name in kind.SPELLING:
        _fetch(source, name)
    if _fetch(source, kind.WEIGHTS) is None and (shards := _fetch(source, kind.SHARDS)) is not None:
        for name in shard_names(shards):
            _fetch(source, name)
    return config.parent


def _fetch(source: str, name: str) -> Path | None:
    """The file's place in the cache, or None where the hub has no such file."""
    # What `from_preset` fetches each of its files with; KerasHub has no public name for it.
    from keras_hub.src.utils.preset_utils import get_file

    try:
        return Path(get_file(source, name))
    except FileNotFoundError as error:
        if not _is_unreachable(error):
            return None
        reason: Exception = error
    # Whatever Kaggle's, Hugging Face's and the HTTP libraries have: no two share a base class.
    except Exception as error:
        reason = error
    message = str(reason.__cause__ or reason).strip() or type(reason).__name__
    raise Refused(
        f"checkpoint {source}: {name} cannot be fetched: {textwrap.shorten(message, 160, placeholder=' ...')}; "
        "without a network, give the path of a folder"
    ) from reason


def _is_unreachable(error: FileNotFoundError) -> bool:
    """Whether it was Hugging Face that could not be asked: KerasHub reports that as a missing file."""
    from huggingface_hub.errors import LocalEntryNotFoundError

    return isinstance(error.__cause__, LocalEntryNotFoundError)
