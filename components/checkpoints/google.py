"""Google's original format: bert_config.json, vocab.txt and a TensorFlow 1 checkpoint."""

import re
from pathlib import Path
from typing import Any

from components.checkpoints.architecture import bert_shapes, read_bert_config
from components.checkpoints.checkpoint import Checkpoint
from components.checkpoints.format import CheckpointFormat
from components.checkpoints.tokenization import read_tokenization, tokenizer_files
from components.checkpoints.weights import check_shapes, unreadable_weights
from schema.errors import Refused

_CONFIG, _VOCABULARY = "bert_config.json", "vocab.txt"
# Variables of pretraining and of run_classifier.py, none of them the encoder's: optimizer slots and heads.
_IGNORED = re.compile(r"global_step|cls/.*|output_weights(/.*)?|output_bias(/.*)?|.*/adam_[mv]")
_OBJECT_GRAPH = "_CHECKPOINTABLE_OBJECT_GRAPH"  # in every TensorFlow 2 checkpoint


class GoogleFormat(CheckpointFormat):
    """Google's BERT folder."""

    TITLE = "Google's BERT folder (bert_config.json, vocab.txt, bert_model.ckpt.*)"

    def signs(self, folder: Path) -> list[str]:
        config = [_CONFIG] if (folder / _CONFIG).is_file() else []
        return config + [f"{prefix}.index" for prefix in _prefixes(folder)]

    def missing(self, folder: Path) -> list[str]:
        missing = [name for name in (_CONFIG, _VOCABULARY) if not (folder / name).is_file()]
        prefixes = _prefixes(folder)
        if not prefixes:
            missing.append("bert_model.ckpt.index")
        return missing + [f"{prefix}.data-00000-of-00001" for prefix in prefixes if not _data_files(folder, prefix)]

    def find(self, folder: Path, source: str) -> Checkpoint:
        return _find(folder, source, _newest_prefix(folder, source))

    def find_by_prefix(self, path: Path) -> Checkpoint:
        """Describe one of several checkpoints in a folder, by the path of its files without their suffixes.

        Raises:
            Refused: The checkpoint is not a BERT, or a file beside it is missing.
        """
        if missing := self.missing(path.parent):
            raise Refused(f"checkpoint {path}: no {', '.join(missing)} beside it; make its folder {self.TITLE}")
        return _find(path.parent, str(path), path.name)

    def load(self, checkpoint: Checkpoint) -> Any:
        import tensorflow as tf

        from components.checkpoints.backbone import assign_weights, build_backbone

        try:
            reader = tf.train.load_checkpoint(str(checkpoint.weights[0]).removesuffix(".index"))
            found = {name: tuple(shape) for name, shape in reader.get_variable_to_shape_map().items()}
            if _OBJECT_GRAPH in found:
                raise Refused(
                    f"checkpoint {checkpoint.source}: {checkpoint.weights[0].name} is TensorFlow 2's format; give "
                    "Google's original, or save the model as a Keras preset or Hugging Face folder"
                )
            shapes = bert_shapes(checkpoint.architecture)
            expected = {f"bert/{name}": shape for name, shape in shapes.items()}
            used = {name: shape for name, shape in sorted(found.items()) if not _IGNORED.fullmatch(name)}
            check_shapes(checkpoint, expected, used)
            backbone = build_backbone(checkpoint.architecture)
            assign_weights(backbone, lambda name: reader.get_tensor(f"bert/{name}"), shapes)
        # The reader raises RuntimeErrors in some releases and OpErrors in others.
        except (tf.errors.OpError, RuntimeError, ValueError, OSError) as error:
            raise unreadable_weights(checkpoint, error) from error
        return backbone


def _find(folder: Path, source: str, prefix: str) -> Checkpoint:
    vocabulary = folder / _VOCABULARY
    return Checkpoint(
        source=source,
        format="google",
        folder=folder,
        weights=(folder / f"{prefix}.index", *_data_files(folder, prefix)),
        settings=(folder / _CONFIG, *tokenizer_files(folder)),
        vocabulary=vocabulary,
        architecture=read_bert_config(folder / _CONFIG),
        tokenization=read_tokenization(folder, vocabulary),
    )


def _prefixes(folder: Path) -> list[str]:
    """Return the names of the checkpoints in a folder, without suffixes."""
    return sorted(path.name.removesuffix(".index") for path in folder.glob("*.index"))


def _data_files(folder: Path, prefix: str) -> list[Path]:
    return sorted(path for path in folder.iterdir() if path.name.startswith(f"{prefix}.data-"))


def _newest_prefix(folder: Path, source: str) -> str:
    """Return the only checkpoint, or the last of one training (model.ckpt-2000 after model.ckpt-1000).

    Raises:
        Refused: The folder has checkpoints of different names.
    """
    prefixes = _prefixes(folder)
    steps = {prefix: re.fullmatch(r"(.*)-(\d+)", prefix) for prefix in prefixes}
    stems = {match[1] if match else prefix for prefix, match in steps.items()}
    if len(prefixes) > 1 and (len(stems) > 1 or not all(steps.values())):
        raise Refused(
            f"checkpoint {source}: has {' and '.join(prefixes)}; name one, as {Path(source) / prefixes[0]}, "
            "or leave only one in the folder"
        )
    return max(prefixes, key=lambda prefix: int(match[2]) if (match := steps[prefix]) else 0)
