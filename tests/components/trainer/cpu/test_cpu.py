"""The two public functions of `components.trainer.cpu`, besides which nothing else of it is imported."""

import ast
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from components.checkpoints.find import find_checkpoint, load_backbone
from components.trainer import cpu
from components.trainer.cpu.encoder_layer import TrainingEncoderLayer
from components.trainer.cpu.occurring_embedding import OccurringEmbedding
from components.trainer.model import build_classifier
from tests.support.tiny_bert import VOCABULARY, write_tiny_bert

_ROOT = Path(__file__).parents[4]
_PACKAGE = "components.trainer.cpu"
_FOLDERS = ("cli", "runners", "pipeline", "components", "schema", "serving", "tests", "benchmarks")


def _imported_names(path: Path) -> set[str]:
    """Return the full names that a module imports."""
    names = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            names |= {f"{node.module}.{alias.name}" for alias in node.names}
    return names


def test_other_folders_import_the_public_functions_only() -> None:
    public = {_PACKAGE, *(f"{_PACKAGE}.{name}" for name in cpu.__all__)}
    for path in (path for folder in _FOLDERS for path in (_ROOT / folder).rglob("*.py")):
        relative = path.relative_to(_ROOT).as_posix()
        if relative.startswith(("components/trainer/cpu/", "tests/components/trainer/cpu/")):
            continue
        inside = {name for name in _imported_names(path) if f"{name}.".startswith(f"{_PACKAGE}.")}
        assert inside <= public, relative


@pytest.mark.parametrize("xla", [False, True])
def test_a_training_is_optimized_and_the_model_restored(tmp_path: Path, xla: bool) -> None:
    model = build_classifier(load_backbone(find_checkpoint(str(write_tiny_bert(tmp_path)))), 2, 0.1)

    def layers() -> list[Any]:
        return [model.backbone.token_embedding, *model.backbone.transformer_layers]

    before = [type(layer) for layer in layers()]
    with cpu.optimize_training_for_cpu(model, lambda: np.arange(len(VOCABULARY)) < 9, xla=xla):
        embedding, *encoder = layers()
        assert type(embedding) is OccurringEmbedding
        assert all((type(layer) is TrainingEncoderLayer) != xla for layer in encoder)
    assert [type(layer) for layer in layers()] == before
