"""How a checkpoint makes one vector of the vectors of its tokens. Needs no TensorFlow."""

from pathlib import Path
from typing import Literal

from components.checkpoints.config_files import read_json_if_exists

Pooling = Literal["cls", "mean", "max", "attention"]

# Where sentence-transformers keeps the configuration of the module after the encoder.
POOLING_FILE = "1_Pooling/config.json"


def read_pooling(folder: Path) -> Pooling:
    """Return the pooling that a Hugging Face folder was trained with.

    A folder that sentence-transformers wrote says so in `1_Pooling/config.json`, in one of two forms: `pooling_mode`,
    or a key for each mode (models/Pooling.py of sentence-transformers 5). Whatever is not cls or max alone averages
    tokens in some way, and mean is the nearest. A folder without the file is of a BERT that was pretrained with [CLS].

    Raises:
        Refused: The file is not a JSON object.
    """
    config = read_json_if_exists(folder / POOLING_FILE)
    if not config:
        return "cls"
    modes = {
        name.removeprefix("pooling_mode_").removesuffix("_token").removesuffix("_tokens")
        for name, is_used in config.items()
        if name.startswith("pooling_mode_") and is_used is True
    } or {str(config.get("pooling_mode", "mean")).lower()}
    for mode in ("cls", "max"):
        if modes == {mode}:
            return mode
    return "mean"
