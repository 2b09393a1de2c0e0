"""Checkpoints that are fetched: `hf://org/name`, `kaggle://org/model/keras/variant`, and KerasHub's built-in names."""

import importlib.util
import runpy
import textwrap
from functools import cache
from pathlib import Path

from components.checkpoints import hugging_face, preset
from components.checkpoints.weights import shard_names
from schema.errors import Refused

_SCHEMES = ("hf://", "kaggle://")


def is_handle(source: str) -> bool:
    """Return whether a source is a handle or a built-in name, and so is fetched."""
    return source.startswith(_SCHEMES) or source in built_in_names()


@cache
def built_in_names() -> frozenset[str]:
    """Return KerasHub's names of the BERTs, DistilBERTs and ELECTRAs on Kaggle.

    Its lists are files of data. They are run by themselves, because importing KerasHub imports Keras.
    """
    spec = importlib.util.find_spec("keras_hub")
    if spec is None or spec.origin is None:
        return frozenset()
    models = Path(spec.origin).parent / "src" / "models"
    paths = (models / family / f"{family}_presets.py" for family in ("bert", "distil_bert", "electra"))
    return frozenset(name for path in paths for name in runpy.run_path(str(path))["backbone_presets"])


def fetch(source: str) -> Path:
    """Fetch the files that are not yet in KerasHub's download cache.

    Returns:
        The folder of the files, which is in one of the formats.

    Raises:
        Refused: The source cannot be reached, or is not a checkpoint; its weights are then not fetched.
    """
    config = _fetch_file(source, hugging_face.CONFIG)
    if config is None:
        raise Refused(f"checkpoint {source}: no {hugging_face.CONFIG} there; give a BERT of Hugging Face or KerasHub")
    module = preset if preset.is_preset_config(config) else hugging_face
    module.check_supported(config.parent, source)
    for name in module.OTHER_FILES:
        _fetch_file(source, name)
    if _fetch_file(source, module.WEIGHTS) is None and (shards := _fetch_file(source, module.SHARDS)) is not None:
        for name in shard_names(shards):
            _fetch_file(source, name)
    return config.parent


def _fetch_file(source: str, name: str) -> Path | None:
    """Return the path of a file in the cache, or None if the hub has no such file."""
    # The function with which `from_preset` fetches each of its files; KerasHub has no public name for it.
    from keras_hub.src.utils.preset_utils import get_file

    try:
        return Path(get_file(source, name))
    except FileNotFoundError as error:
        if not _is_unreachable(error):
            return None
        reason: Exception = error
    # Errors of Kaggle's, Hugging Face's and the HTTP libraries, which share no base class.
    except Exception as error:
        reason = error
    message = str(reason.__cause__ or reason).strip() or type(reason).__name__
    raise Refused(
        f"checkpoint {source}: {name} cannot be fetched: {textwrap.shorten(message, 160, placeholder=' ...')}; "
        "without a network, give the path of a folder"
    ) from reason


def _is_unreachable(error: FileNotFoundError) -> bool:
    """Return whether Hugging Face could not be reached, which KerasHub reports as a missing file."""
    from huggingface_hub.errors import LocalEntryNotFoundError

    return isinstance(error.__cause__, LocalEntryNotFoundError)
