"""Find and load checkpoints."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest

from components.checkpoints import find as module
from components.checkpoints.find import BUNDLED, find_checkpoint, load_backbone
from schema.errors import Refused
from tests.support.tiny_bert import write_tiny_bert


def test_the_bundled_checkpoint_is_the_pinned_one() -> None:
    bundled = find_checkpoint(BUNDLED)
    assert bundled.tokenization.lower_case
    assert bundled.architecture.positions == 512
    assert bundled.architecture.segments == 2
    backbone = load_backbone(bundled)
    assert backbone.count_params() == 22_713_216
    ids = np.array([[101, 7592, 102]])
    outputs = backbone({"token_ids": ids, "padding_mask": np.ones_like(ids), "segment_ids": np.zeros_like(ids)})
    assert outputs["pooled_output"].shape == (1, 384)


def test_refuses_bundled_weights_that_are_not_the_pinned_ones(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_bundled_folder", lambda: write_tiny_bert(tmp_path))
    with pytest.raises(Refused, match=r"SHA-256 is .*, not 53aa51172d"):
        load_backbone(find_checkpoint(BUNDLED))


def test_lower_casing_follows_the_checkpoint(tmp_path: Path) -> None:
    assert not find_checkpoint(str(write_tiny_bert(tmp_path, lower_case=False))).tokenization.lower_case


def test_the_fingerprint_changes_with_weights_and_vocabulary(tmp_path: Path) -> None:
    first = find_checkpoint(str(write_tiny_bert(tmp_path / "a", seed=0))).fingerprint()
    assert find_checkpoint(str(write_tiny_bert(tmp_path / "b", seed=0))).fingerprint() == first
    assert find_checkpoint(str(write_tiny_bert(tmp_path / "c", seed=1))).fingerprint() != first
    changed = write_tiny_bert(tmp_path / "d", seed=0)
    with (changed / "vocab.txt").open("a") as vocabulary:
        vocabulary.write("word\n")
    assert find_checkpoint(str(changed)).fingerprint() != first


@pytest.mark.parametrize("missing", ["config.json", "model.safetensors", "vocab.txt"])
def test_names_a_file_that_a_folder_lacks(tmp_path: Path, missing: str) -> None:
    (write_tiny_bert(tmp_path) / missing).unlink()
    with pytest.raises(Refused, match=f"no {missing} in it"):
        find_checkpoint(str(tmp_path))


def test_refuses_a_missing_folder_and_another_architecture(tmp_path: Path) -> None:
    with pytest.raises(Refused, match="no such folder"):
        find_checkpoint(str(tmp_path / "none"))
    folder = write_tiny_bert(tmp_path / "gpt")
    (folder / "config.json").write_text(json.dumps({"model_type": "gpt2"}))
    with pytest.raises(Refused, match="model_type 'gpt2'"):
        find_checkpoint(str(folder))
    (folder / "config.json").write_text("{")
    with pytest.raises(Refused, match="not JSON"):
        find_checkpoint(str(folder))


def test_refuses_weights_and_vocabulary_of_different_models(tmp_path: Path) -> None:
    folder = write_tiny_bert(tmp_path)
    with (folder / "vocab.txt").open("a") as vocabulary:
        vocabulary.write("one\ntoo many\n")
    with pytest.raises(Refused, match="belong to different models"):
        load_backbone(find_checkpoint(str(folder)))


def test_refuses_damaged_weights(tmp_path: Path) -> None:
    folder = write_tiny_bert(tmp_path / "damaged")
    (folder / "model.safetensors").write_bytes(b"not weights")
    with pytest.raises(Refused, match="cannot be read"):
        load_backbone(find_checkpoint(str(folder)))
    shutil.rmtree(folder)
