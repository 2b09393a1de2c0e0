"""Load the same weights from every format, and compare with Hugging Face's PyTorch BERT."""

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

# Written by benchmarks/checkpoint_reference.py.
_REFERENCE = np.load(Path(__file__).parent / "reference" / "minilm.npz")
_TOLERANCE = 1e-4


def pooled(checkpoint: Checkpoint, texts: Sequence[str], max_tokens: int) -> np.ndarray:
    """Return the pooled outputs of texts, tokenized for the checkpoint, in one padded batch: float32 [n, hidden]."""
    tokenization = checkpoint.tokenization
    tokenizer = BertTokenizer(
        read_vocabulary(str(checkpoint.vocabulary), tokenization.special_tokens),
        lower_case=tokenization.lower_case,
        strip_accents=tokenization.strip_accents,
        max_tokens=max_tokens,
        special_tokens=tokenization.special_tokens,
    )
    ids = tokenizer(tf.constant(texts))
    outputs = load_backbone(checkpoint)({
        "token_ids": ids.to_tensor(),
        "padding_mask": tf.ones_like(ids).to_tensor(),
        "segment_ids": tf.zeros_like(ids).to_tensor(),
    })  # fmt: skip
    return np.array(outputs["pooled_output"])


def difference(checkpoint: Checkpoint, reference: str = "pooled") -> float:
    outputs = pooled(checkpoint, [str(text) for text in _REFERENCE["texts"]], int(_REFERENCE["max_tokens"]))
    return float(np.abs(outputs - _REFERENCE[reference]).max())


@pytest.fixture(scope="module")
def minilm() -> Path:
    return find_checkpoint(BUNDLED).folder


def test_loads_the_bundled_checkpoint() -> None:
    assert difference(find_checkpoint(BUNDLED)) < _TOLERANCE


def test_loads_googles_format(tmp_path: Path, minilm: Path) -> None:
    checkpoint = find_checkpoint(str(write_google(tmp_path, minilm)))
    assert checkpoint.format == "google"
    assert checkpoint.tokenization.lower_case, "its vocabulary has no capitals"
    assert checkpoint.tokenization.strip_accents is None
    assert difference(checkpoint) < _TOLERANCE


def test_loads_hugging_face_shards_with_a_prefix_and_the_vocabulary_in_tokenizer_json(
    tmp_path: Path, minilm: Path
) -> None:
    head = {"cls.predictions.bias": np.zeros(7, np.float32)}
    folder = write_hugging_face(tmp_path, minilm, prefix="bert.", shards=3, changed=head)
    (folder / "vocab.txt").unlink()
    (folder / "tokenizer_config.json").unlink()
    checkpoint = find_checkpoint(str(folder))
    assert checkpoint.format == "hugging_face"
    assert checkpoint.vocabulary.name == "tokenizer.json"
    assert len(checkpoint.weights) == 3
    assert difference(checkpoint) < _TOLERANCE


def test_loads_a_keras_preset(tmp_path: Path, minilm: Path) -> None:
    checkpoint = find_checkpoint(str(write_preset(tmp_path, minilm, lowercase=True, strip_accents=True)))
    assert checkpoint.format == "preset"
    assert difference(checkpoint) < _TOLERANCE


def test_gelu_is_approximate_only_if_the_configuration_says_so(tmp_path: Path, minilm: Path) -> None:
    folder = write_google(tmp_path, minilm, config={"hidden_act": "gelu_pytorch_tanh"})
    checkpoint = find_checkpoint(str(folder))
    assert difference(checkpoint, "pooled_tanh") < _TOLERANCE
    assert difference(checkpoint) > _TOLERANCE, "the two references differ"


def _assert_same_outputs(first: Path, second: Path) -> None:
    texts = ["the refund is slow", "login broken!"]
    outputs, other_outputs = (pooled(find_checkpoint(str(folder)), texts, 16) for folder in (first, second))
    np.testing.assert_allclose(outputs, other_outputs, atol=1e-6)


@pytest.mark.parametrize("name", ["model.ckpt-343", "model.ckpt-12345", "bert_model.ckpt"])
def test_loads_a_google_checkpoint_of_any_name(tmp_path: Path, name: str) -> None:
    tiny = write_tiny_bert(tmp_path / "tiny")
    _assert_same_outputs(tiny, write_google(tmp_path / "google", tiny, prefix=name))


def test_loads_the_last_checkpoint_of_a_training(tmp_path: Path) -> None:
    first, last = write_tiny_bert(tmp_path / "a", seed=1), write_tiny_bert(tmp_path / "b", seed=2)
    google = tmp_path / "google"
    write_google(google, last, prefix="model.ckpt-1000")
    write_google(google, first, prefix="model.ckpt-900")
    _assert_same_outputs(last, google)
    _assert_same_outputs(first, google / "model.ckpt-900")


@pytest.mark.parametrize("dtype", [np.float16, "bfloat16"])
def test_loads_half_precision_weights(tmp_path: Path, dtype: Any) -> None:
    tiny = write_tiny_bert(tmp_path / "tiny")
    numpy_dtype = tf.bfloat16.as_numpy_dtype if dtype == "bfloat16" else dtype
    halved = {name: value.astype(numpy_dtype) for name, value in tensors_of(tiny).items()}
    folder = write_hugging_face(tmp_path / "half", tiny, changed=halved)
    backbone = load_backbone(find_checkpoint(str(folder)))
    embeddings = tensors_of(tiny)["embeddings.word_embeddings.weight"]
    np.testing.assert_allclose(backbone.token_embedding.embeddings, embeddings, rtol=1e-2)


def test_loads_a_preset_in_shards(tmp_path: Path) -> None:
    tiny = write_tiny_bert(tmp_path / "tiny")
    preset = write_preset(tmp_path / "preset", tiny, max_shard_size=1e-5, lowercase=True, strip_accents=True)
    assert len(list(preset.glob("*.h5"))) > 1
    _assert_same_outputs(tiny, preset)


def test_loads_tensors_under_their_names_of_2019(tmp_path: Path) -> None:
    tiny = write_tiny_bert(tmp_path / "tiny")
    renamed: dict[str, np.ndarray | None] = {}
    for name, value in tensors_of(tiny).items():
        if "LayerNorm" in name:
            renamed[name] = None
            renamed[name.replace("weight", "gamma").replace("bias", "beta")] = value
    _assert_same_outputs(tiny, write_hugging_face(tmp_path / "old", tiny, changed=renamed))


def test_initialises_a_missing_pooler_at_random_and_reports_it(
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


def test_dropout_and_epsilon_follow_the_checkpoint(tmp_path: Path) -> None:
    tiny = write_tiny_bert(tmp_path)
    config = tiny / "config.json"
    config.write_text(json.dumps(json.loads(config.read_text()) | {"hidden_dropout_prob": 0.3, "layer_norm_eps": 1e-5}))
    backbone = load_backbone(find_checkpoint(str(tiny)))
    assert backbone.embeddings_dropout.rate == 0.3
    assert backbone.embeddings_layer_norm.epsilon == 1e-5
    assert backbone.transformer_layers[1]._feedforward_layer_norm.epsilon == 1e-5


@pytest.mark.parametrize("write", [write_google, write_preset])
def test_the_fingerprint_changes_with_the_weights(tmp_path: Path, write: Callable[[Path, Path], Path]) -> None:
    first = write(tmp_path / "a", write_tiny_bert(tmp_path / "tiny", seed=0))
    fingerprint = find_checkpoint(str(first)).fingerprint()
    assert find_checkpoint(str(shutil.copytree(first, tmp_path / "copy"))).fingerprint() == fingerprint
    other = write(tmp_path / "b", write_tiny_bert(tmp_path / "tiny", seed=1))
    assert find_checkpoint(str(other)).fingerprint() != fingerprint
