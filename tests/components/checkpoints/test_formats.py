"""Add a checkpoint format: a module with a subclass of CheckpointFormat, and an entry in FORMATS."""

import dataclasses
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from components.checkpoints.architecture import Architecture, bert_shapes
from components.checkpoints.checkpoint import Checkpoint, Tokenization
from components.checkpoints.find import FORMATS, find_checkpoint, load_backbone
from components.checkpoints.format import CheckpointFormat
from schema.errors import Refused
from tests.support.tiny_bert import VOCABULARY


class ToyFormat(CheckpointFormat):
    """Format that keeps the size in toy.json and the variables in toy.npz."""

    TITLE = "a toy folder (toy.json, toy.npz, vocab.txt)"
    _FILES = ("toy.json", "toy.npz", "vocab.txt")

    def signs(self, folder: Path) -> list[str]:
        return [name for name in self._FILES[:2] if (folder / name).is_file()]

    def missing(self, folder: Path) -> list[str]:
        return [name for name in self._FILES if not (folder / name).is_file()]

    def find(self, folder: Path, source: str) -> Checkpoint:
        return Checkpoint(
            source=source,
            format="toy",
            folder=folder,
            weights=(folder / "toy.npz",),
            settings=(folder / "toy.json",),
            vocabulary=folder / "vocab.txt",
            architecture=Architecture(**json.loads((folder / "toy.json").read_text())),
            tokenization=Tokenization(lower_case=True, strip_accents=None),
        )

    def load(self, checkpoint: Checkpoint) -> Any:
        from components.checkpoints.backbone import assign_weights, build_backbone

        backbone = build_backbone(checkpoint.architecture)
        with np.load(checkpoint.weights[0]) as variables:
            assign_weights(backbone, lambda name: variables[name], variables.files)
        return backbone


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return a checkpoint in the toy format, which is added to the table."""
    monkeypatch.setitem(FORMATS, "toy", ToyFormat())
    architecture = Architecture(len(VOCABULARY), layers=1, heads=2, hidden=8, intermediate=16, positions=16, segments=2)
    (tmp_path / "toy.json").write_text(json.dumps(dataclasses.asdict(architecture)))
    (tmp_path / "vocab.txt").write_text("\n".join(VOCABULARY) + "\n", encoding="utf-8")
    rng = np.random.default_rng(0)
    variables: Any = {name: rng.normal(size=shape) for name, shape in bert_shapes(architecture).items()}
    np.savez(tmp_path / "toy.npz", **variables)
    return tmp_path


def test_finds_and_loads_a_checkpoint_of_an_added_format(folder: Path) -> None:
    checkpoint = find_checkpoint(str(folder))
    assert (checkpoint.format, checkpoint.architecture.hidden) == ("toy", 8)
    assert len(checkpoint.fingerprint()) == 64
    with np.load(folder / "toy.npz") as variables:
        expected = variables["embeddings/word_embeddings"]
    np.testing.assert_allclose(load_backbone(checkpoint).token_embedding.embeddings, expected, rtol=1e-6)


def test_names_what_a_folder_of_an_added_format_lacks(folder: Path) -> None:
    (folder / "vocab.txt").unlink()
    with pytest.raises(Refused, match=r"no vocab\.txt in it; make it a toy folder"):
        find_checkpoint(str(folder))
