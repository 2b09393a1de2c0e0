"""Google's original folders: bert_config.json, vocab.txt and a TensorFlow 1 checkpoint."""

import re
from pathlib import Path
from typing import Any

from components.checkpoints import spelling
from components.checkpoints.checkpoint import (
    Checkpoint,
    bert_architecture,
    bert_shapes,
    cannot_be_read,
    refuse_differences,
)
from schema.errors import Refused

TITLE = "Google's BERT folder (bert_config.json, vocab.txt, bert_model.ckpt.*)"

_CONFIG, _VOCABULARY = "bert_config.json", "vocab.txt"
# Of pretraining and run_classifier.py: the optimizer's slots, the heads, and nothing of the encoder.
_LEFT_OUT = re.compile(r"global_step|cls/.*|output_weights(/.*)?|output_bias(/.*)?|.*/adam_[mv]")
_OBJECT_GRAPH = "_CHECKPOINTABLE_OBJECT_GRAPH"  # in every TensorFlow 2 checkpoint


def signs(folder: Path) -> list[str]:
    """What in the folder speaks for this kind and no other."""
    return [name for name in (_CONFIG,) if (folder / name).is_file()] + [f"{name}.index" for name in _prefixes(folder)]


def missing(folder: Path) -> list[str]:
    lacks = [name for name in (_CONFIG, _VOCABULARY) if not (folder / name).is_file()]
    prefixes = _prefixes(folder)
    if not prefixes:
        lacks.append("bert_model.ckpt.index")
    lacks += [f"{name}.data-00000-of-00001" for name in prefixes if not _data(folder, name)]
    return lacks


def find(folder: Path, source: str, prefix: str | None = None) -> Checkpoint:
    """Reads what the configuration and the vocabulary say.

    Args:
        folder: None of whose files is `missing`.
        source: As the user named it.
        prefix: The name of the checkpoint in the folder; None where it is the only one.

    Raises:
        Refused: It is not a BERT, or there are several checkpoints.
    """
    name = prefix or _newest(folder, source)
    vocabulary = folder / _VOCABULARY
    return Checkpoint(
        source=source,
        kind="google",
        folder=folder,
        weights=(folder / f"{name}.index", *_data(folder, name)),
        settings=(folder / _CONFIG, *spelling.settings_files(folder)),
        vocabulary=vocabulary,
        architecture=bert_architecture(folder / _CONFIG),
        spelling=spelling.read_spelling(folder, vocabulary),
    )


def load(checkpoint: Checkpoint) -> Any:
    """Reads the variables into a `keras_hub.models.BertBackbone`.

    Raises:
        Refused: They are not those of the configured BERT.
    """
    import tensorflow as tf

    from components.checkpoints.backbone import build_backbone, fill

    try:
        reader = tf.train.load_checkpoint(str(checkpoint.weights[0]).removesuffix(".index"))
        found = {name: tuple(shape) for name, shape in reader.get_variable_to_shape_map().items()}
        if _OBJECT_GRAPH in found:
            raise Refused(
                f"checkpoint {checkpoint.source}: {checkpoint.weights[0].name} is TensorFlow 2's format; give Google's "
                "original, or save the model as a Keras preset or Hugging Face folder"
            )
        expected = {f"bert/{name}": shape for name, shape in bert_shapes(checkpoint.architecture).items()}
        used = {name: shape for name, shape in sorted(found.items()) if not _LEFT_OUT.fullmatch(name)}
        refuse_differences(checkpoint, expected, used)
        backbone = build_backbone(checkpoint.architecture)
        fill(backbone, lambda name: reader.get_tensor(f"bert/{name}"))
    # The reader's own errors are RuntimeErrors in some releases and OpErrors in others.
    except (tf.errors.OpError, RuntimeError, ValueError, OSError) as error:
        raise cannot_be_read(checkpoint, error) from error
    return backbone


def _prefixes(folder: Path) -> list[str]:
    return sorted(path.name.removesuffix(".index") for path in folder.glob("*.index"))


def _data(folder: Path, prefix: str) -> list[Path]:
    return sorted(path for path in folder.iterdir() if path.name.startswith(f"{prefix}.data-"))


def _newest(folder: Path, source: str) -> str:
    """The only checkpoint, or of those that one training wrote (model.ckpt-1000, model.ckpt-2000) the last."""
    prefixes = _prefixes(folder)
    steps = {name: re.fullmatch(r"(.*)-(\d+)", name) for name in prefixes}
    stems = {match[1] if match else name for name, match in steps.items()}
    if len(prefixes) > 1 and (len(stems) > 1 or not all(steps.values())):
        raise Refused(
            f"checkpoint {source}: has {' and '.join(prefixes)}; name one, as {Path(source) / prefixes[0]}, "
            "or leave only one in the folder"
        )
    return max(prefixes, key=lambda name: int(match[2]) if (match := steps[name]) else 0)
