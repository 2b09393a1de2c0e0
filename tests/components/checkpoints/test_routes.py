"""The same weights through every route answer as Hugging Face's PyTorch BERT does."""

import json
import shutil
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tensorflow as tf

from components.checkpoints.find import BUNDLED, Checkpoint, find_checkpoint, load_backbone
from components.checkpoints.vocabulary import read_vocabulary
from components.preprocessing.tokenizer import BertTokenizer
from tests.support.checkpoint_formats import tensors_of, write_google, write_hugging_face, write_preset
from tests.support.tiny_bert import write_tiny_bert

# Made by benchmarks/checkpoint_reference.py.
_REFERENCE = np.load(Path(__file__).parent / "reference" / "minilm.npz")
_TOLERANCE = 1e-4


def pooled(checkpoint: Checkpoint, texts: Sequence[str], max_tokens: int) -> np.ndarray:
    """What training and serving compute: the texts tokenized as the checkpoint says, in one padded batch."""
    spelling = checkpoint.spelling
    tokenizer = BertTokenizer(
        read_vocabulary(str(checkpoint.vocabulary), spelling.special_tokens),
        lower_case=spelling.lower_case,
        strip_accents=spelling.strip_accents,
        max_tokens=max_tokens,
        special_tokens=spelling.special_tokens,
    )
    ids = tokenizer(tf.constant(texts))
    outputs = load_backbone(checkpoint)({
        "token_ids": ids.to_tensor(),
        "padding_mask": tf.ones_like(ids).to_tensor(),
        "segment_ids": tf.zeros_like(ids).to_tensor(),
    })  # fmt: skip
    return np.array(outputs["pooled_output"])


def difference(checkpoint: Checkpoint, reference: str = "pooled") -> float:
    answers = pooled(checkpoint, [str(text) for text in _REFERENCE["texts"]], int(_REFERENCE["max_tokens"]))
    return float(np.abs(answers - _REFERENCE[reference]).max())


@pytest.fixture(scope="module")
def minilm() -> Path:
    return find_checkpoint(BUNDLED).folder


def test_bundled() -> None:
    assert difference(find_checkpoint(BUNDLED)) < _TOLERANCE


def test_google(tmp_path: Path, minilm: Path) -> None:
    checkpoint = find_checkpoint(str(write_google(tmp_path, minilm)))
    assert checkpoint.kind == "google"
    assert checkpoint.lower_case, "there is no capital in its vocabulary"
    assert checkpoint.strip_accents is None
    assert difference(checkpoint) < _TOLERANCE


def test_hugging_face_with_a_prefix_in_shards_and_the_vocabulary_in_tokenizer_json(
    tmp_path: Path, minilm: Path
) -> None:
    head = {"cls.predictions.bias": np.zeros(7, np.float32)}
    folder = write_hugging_face(tmp_path, minilm, prefix="bert.", shards=3, changed=head)
    (folder / "vocab.txt").unlink()
    (folder / "tokenizer_config.json").unlink()
    checkpoint = find_checkpoint(str(folder))
    assert checkpoint.kind == "hugging_face"
    assert checkpoint.vocabulary.name == "tokenizer.json"
    assert len(checkpoint.weights) == 3
    assert difference(checkpoint) < _TOLERANCE


def test_keras_preset(tmp_path: Path, minilm: Path) -> None:
    checkpoint = find_checkpoint(str(write_preset(tmp_path, minilm, lowercase=True, strip_accents=True)))
    assert checkpoint.kind == "preset"
    assert difference(checkpoint) < _TOLERANCE


def test_an_approximate_gelu_is_one_only_where_the_configuration_says_so(tmp_path: Path, minilm: Path) -> None:
    folder = write_google(tmp_path, minilm, config={"hidden_act": "gelu_pytorch_tanh"})
    checkpoint = find_checkpoint(str(folder))
    assert difference(checkpoint, "pooled_tanh") < _TOLERANCE
    assert difference(checkpoint) > _TOLERANCE, "the two references are told apart"


def _same(first: Path, second: Path) -> None:
    texts = ["the refund is slow", "login broken!"]
    one, other = (pooled(find_checkpoint(str(folder)), texts, 16) for folder in (first, second))
    np.testing.assert_allclose(one, other, atol=1e-6)


@pytest.mark.parametrize("name", ["model.ckpt-343", "model.ckpt-12345", "bert_model.ckpt"])
def test_a_google_checkpoint_of_any_name(tmp_path: Path, name: str) -> None:
    tiny = write_tiny_bert(tmp_path / "tiny")
    _same(tiny, write_google(tmp_path / "google", tiny, prefix=name))


def test_of_the_checkpoints_of_one_training_the_last_counts(tmp_path: Path) -> None:
    first, last = write_tiny_bert(tmp_path / "a", seed=1), write_tiny_bert(tmp_path / "b", seed=2)
    google = tmp_path / "google"
    write_google(google, last, prefix="model.ckpt-1000")
    write_google(google, first, prefix="model.ckpt-900")
    _same(last, google)
    _same(first, google / "model.ckpt-900")


@pytest.mark.parametrize("written", [np.float16, "bfloat16"])
def test_halved_weights_are_read(tmp_path: Path, written: Any) -> None:
    tiny = write_tiny_bert(tmp_path / "tiny")
    dtype = tf.bfloat16.as_numpy_dtype if written == "bfloat16" else written
    halved = {name: value.astype(dtype) for name, value in tensors_of(tiny).items()}
    folder = write_hugging_face(tmp_path / "half", tiny, changed=halved)
    backbone = load_backbone(find_checkpoint(str(folder)))
    embeddings = tensors_of(tiny)["embeddings.word_embeddings.weight"]
    np.testing.assert_allclose(backbone.token_embedding.embeddings, embeddings, rtol=1e-2)


def test_a_preset_in_shards(tmp_path: Path) -> None:
    tiny = write_tiny_bert(tmp_path / "tiny")
    preset = write_preset(tmp_path / "preset", tiny, max_shard_size=1e-5, lowercase=True, strip_accents=True)
    assert len(list(preset.glob("*.h5"))) > 1
    _same(tiny, preset)


def test_names_of_2019_are_read(tmp_path: Path) -> None:
    tiny = write_tiny_bert(tmp_path / "tiny")
    renamed: dict[str, np.ndarray | None] = {}
    for name, value in tensors_of(tiny).items():
        if "LayerNorm" in name:
            renamed[name] = None
            renamed[name.replace("weight", "gamma").replace("bias", "beta")] = value
    _same(tiny, write_hugging_face(tmp_path / "old", tiny, changed=renamed))


def test_without_a_pooler_it_begins_at_random_and_that_is_said(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    tiny = write_tiny_bert(tmp_path / "tiny")
    masked = write_hugging_face(
        tmp_path / "masked", tiny, changed={"pooler.dense.weight": None, "pooler.dense.bias": None}
    )
    backbone = load_backbone(find_checkpoint(str(masked)))
    assert "has no pooler" in caplog.text
    kernel = np.array(backbone.pooled_dense.kernel)
    assert 0 < np.abs(kernel).max() <= 0.05, "a truncated normal of 0.02"
    whole = load_backbone(find_checkpoint(str(tiny)))
    np.testing.assert_array_equal(backbone.token_embedding.embeddings, whole.token_embedding.embeddings)


def test_dropout_and_epsilon_are_the_checkpoints(tmp_path: Path) -> None:
    tiny = write_tiny_bert(tmp_path)
    config = tiny / "config.json"
    config.write_text(json.dumps(json.loads(config.read_text()) | {"hidden_dropout_prob": 0.3, "layer_norm_eps": 1e-5}))
    backbone = load_backbone(find_checkpoint(str(tiny)))
    assert backbone.embeddings_dropout.rate == 0.3
    assert backbone.embeddings_layer_norm.epsilon == 1e-5
    assert backbone.transformer_layers[1]._feedforward_layer_norm.epsilon == 1e-5


@pytest.mark.parametrize("write", [write_google, write_preset])
def test_the_fingerprint_notices_weights(tmp_path: Path, write: Callable[[Path, Path], Path]) -> None:
    first = write(tmp_path / "a", write_tiny_bert(tmp_path / "tiny", seed=0))
    fingerprint = find_checkpoint(str(first)).fingerprint()
    assert find_checkpoint(str(shutil.copytree(first, tmp_path / "copy"))).fingerprint() == fingerprint
    other = write(tmp_path / "b", write_tiny_bert(tmp_path / "tiny", seed=1))
    assert find_checkpoint(str(other)).fingerprint() != fingerprint
