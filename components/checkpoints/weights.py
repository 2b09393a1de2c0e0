"""Files of weights: shards, and what is wrong with their variables. Needs no TensorFlow."""

from collections.abc import Iterable, Mapping
from pathlib import Path

from components.checkpoints.architecture import Shape
from components.checkpoints.checkpoint import Checkpoint
from components.checkpoints.config_files import read_json
from schema.errors import Refused

_MOST_NAMED = 3


def weight_files(folder: Path, source: str, whole: str, index: str) -> tuple[Path, ...]:
    """Return the files of weights: one file, or the shards that an index names.

    Args:
        folder: Folder of the files, which has one of the two below.
        source: Source as the user named it, for messages.
        whole: Name of the one file.
        index: Name of the index of shards.

    Raises:
        Refused: A shard is missing.
    """
    if (folder / whole).is_file():
        return (folder / whole,)
    shards = [folder / name for name in shard_names(folder / index)]
    missing = [path.name for path in shards if not path.is_file()]
    if missing:
        raise Refused(f"checkpoint {source}: no {', '.join(missing)} in it, which {index} names; fetch it again")
    return tuple(shards)


def shard_names(index: Path) -> list[str]:
    """Return the files that an index of shards names, in the format of Hugging Face or Keras.

    Raises:
        Refused: The file names none.
    """
    weight_map = read_json(index).get("weight_map")
    if not isinstance(weight_map, dict) or not weight_map:
        raise Refused(f"{index}: no weight_map in it; fetch it again")
    names: set[str] = set()
    for files in weight_map.values():
        names.update(files if isinstance(files, list) else [files])  # Keras may split a layer over several files
    return sorted(names)


def check_shapes(checkpoint: Checkpoint, expected: Mapping[str, Shape], found: Mapping[str, Shape]) -> None:
    """Check that weights have exactly the expected variables.

    Raises:
        Refused: Variables are missing, surplus or of another shape; the message names the first ones.
    """
    misshapen = [
        f"{name} is {list(found[name])} instead of {list(shape)}"
        for name, shape in expected.items()
        if name in found and tuple(found[name]) != shape
    ]
    complaints = [
        _list_first("no", [name for name in expected if name not in found]),
        _list_first("surplus", [name for name in found if name not in expected]),
        _list_first("", misshapen),
    ]
    if any(complaints):
        weights, settings = checkpoint.weights[0].name, checkpoint.settings[0].name
        raise Refused(
            f"checkpoint {checkpoint.source}: {weights} does not hold the model of {settings}: "
            f"{'; '.join(filter(None, complaints))}"
        )


def unreadable_weights(checkpoint: Checkpoint, error: Exception) -> Refused:
    """Return the refusal of weights that a library cannot read."""
    (message, *_) = str(error).strip().splitlines() or [type(error).__name__]
    return Refused(
        f"checkpoint {checkpoint.source}: {checkpoint.weights[0].name} cannot be read: {message}; fetch it again"
    )


def _list_first(what: str, names: Iterable[str]) -> str:
    """Return the first names of a complaint and the number of the others; empty if there are no names."""
    first, *others = [*names] or [""]
    if not first:
        return ""
    shown = ", ".join([first, *others[: _MOST_NAMED - 1]])
    n_more = len(others) - (_MOST_NAMED - 1)
    return f"{what} {shown}".strip() + (f" and {n_more} more" if n_more > 0 else "")
