"""The pooling that a checkpoint was trained with."""

import json
from pathlib import Path
from typing import Any

import pytest

from components.checkpoints.find import BUNDLED, find_checkpoint
from components.checkpoints.pooling import POOLING_FILE, read_pooling
from tests.support.tiny_bert import write_tiny_bert


def _mode(*used: str) -> dict[str, Any]:
    """Return the keys of sentence-transformers 5 (models/Pooling.py, `config_keys`)."""
    keys = ("cls_token", "mean_tokens", "max_tokens", "mean_sqrt_len_tokens", "weightedmean_tokens", "lasttoken")
    return {"word_embedding_dimension": 16, "include_prompt": True} | {
        f"pooling_mode_{key}": key in used for key in keys
    }


@pytest.mark.parametrize(
    ("config", "expected"),
    [
        (_mode("cls_token"), "cls"),
        (_mode("mean_tokens"), "mean"),
        (_mode("max_tokens"), "max"),
        (_mode("mean_sqrt_len_tokens"), "mean"),
        (_mode("cls_token", "max_tokens"), "mean"),
        ({"pooling_mode": "cls"}, "cls"),
        ({"pooling_mode": "mean"}, "mean"),
        ({"word_embedding_dimension": 16}, "mean"),
    ],
)
def test_follows_sentence_transformers(tmp_path: Path, config: dict[str, Any], expected: str) -> None:
    (tmp_path / POOLING_FILE).parent.mkdir()
    (tmp_path / POOLING_FILE).write_text(json.dumps(config))
    assert read_pooling(tmp_path) == expected


def test_is_that_of_the_checkpoint_and_part_of_its_fingerprint(tmp_path: Path) -> None:
    assert find_checkpoint(BUNDLED).pooling == "mean"
    folder = write_tiny_bert(tmp_path)
    plain = find_checkpoint(str(folder))
    assert plain.pooling == "cls"
    (folder / POOLING_FILE).parent.mkdir()
    (folder / POOLING_FILE).write_text(json.dumps(_mode("max_tokens")))
    changed = find_checkpoint(str(folder))
    assert changed.pooling == "max"
    assert changed.fingerprint() != plain.fingerprint()
