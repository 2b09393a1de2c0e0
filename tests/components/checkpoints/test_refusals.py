"""Refuse wrong checkpoints in one line that names them."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from components.checkpoints.find import check_vocabulary, find_checkpoint, load_backbone
from schema.errors import Refused
from tests.support.checkpoint_formats import write_google, write_hugging_face, write_preset
from tests.support.tiny_bert import VOCABULARY, write_tiny_bert

_SMALL = np.zeros((3, 5), np.float32)


@pytest.fixture(scope="module")
def formats(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with a tiny BERT in each format."""
    folder = tmp_path_factory.mktemp("formats")
    tiny = write_tiny_bert(folder / "hugging_face")
    write_google(folder / "google", tiny)
    write_preset(folder / "preset", tiny, lowercase=True)
    return folder


@pytest.fixture
def copy(formats: Path, tmp_path: Path) -> Callable[[str], Path]:
    return lambda name: Path(shutil.copytree(formats / name, tmp_path / name))


def refused(folder: Path) -> str:
    with pytest.raises(Refused) as refusal:
        load_backbone(find_checkpoint(str(folder)))
    assert "\n" not in str(refusal.value)
    return str(refusal.value)


def edit(path: Path, **changes: Any) -> None:
    """Change keys of a JSON file, or of the configuration of a Keras object."""
    content = json.loads(path.read_text())
    inner = content["config"] if "class_name" in content else content
    inner.update(changes)
    path.write_text(json.dumps(content))


_NO_BIAS = {"bert/pooler/dense/bias": None}
_SURPLUS = {"bert/encoder/layer_2/output/dense/bias": _SMALL}
_OTHER = {"bert/encoder/layer_1/attention/self/key/kernel": _SMALL}


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        (_NO_BIAS, "no bert/pooler/dense/bias"),
        (_SURPLUS, "surplus bert/encoder/layer_2/output/dense/bias"),
        (_OTHER, "bert/encoder/layer_1/attention/self/key/kernel is [3, 5] instead of [16, 16]"),
        (_NO_BIAS | _SURPLUS, "no bert/pooler/dense/bias; surplus bert/encoder/layer_2/output/dense/bias"),
        ({"discriminator/dense/kernel": _SMALL}, "surplus discriminator/dense/kernel"),
    ],
)
def test_names_wrong_variables_of_google(tmp_path: Path, formats: Path, changed: Any, message: str) -> None:
    folder = write_google(tmp_path, formats / "hugging_face", changed=changed)
    line = refused(folder)
    assert line.startswith(f"checkpoint {folder}: bert_model.ckpt.index does not hold the model of bert_config.json")
    assert line.endswith(message)


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"pooler.dense.bias": None}, "no pooler.dense.bias"),
        ({"encoder.layer.2.output.dense.bias": _SMALL}, "surplus encoder.layer.2.output.dense.bias"),
        (
            {"embeddings.word_embeddings.weight": _SMALL},
            "embeddings.word_embeddings.weight is [3, 5] instead of [33, 16]",
        ),
        ({"encoder.layer.0.intermediate.dense.weight": _SMALL}, "is [3, 5] instead of [32, 16]"),
    ],
)
def test_names_wrong_tensors_of_hugging_face(tmp_path: Path, formats: Path, changed: Any, message: str) -> None:
    line = refused(write_hugging_face(tmp_path, formats / "hugging_face", changed=changed))
    assert "model.safetensors does not hold the model of config.json" in line
    assert message in line


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"num_layers": 3}, "no layers/transformer_encoder_2/_self_attention_layer/query_dense/vars/0, "),
        ({"num_layers": 1}, "surplus layers/transformer_encoder_1/_feedforward_intermediate_dense/vars/0, "),
        ({"num_layers": 3}, "and 13 more"),
        ({"num_segments": 3}, "layers/embedding/vars/0 is [2, 16] instead of [3, 16]"),
        ({"max_sequence_length": 128}, "layers/position_embedding/vars/0 is [64, 16] instead of [128, 16]"),
    ],
)
def test_names_wrong_variables_of_a_preset(copy: Callable[[str], Path], changes: Any, message: str) -> None:
    folder = copy("preset")
    edit(folder / "config.json", **changes)
    assert message in refused(folder)


@pytest.mark.parametrize(("name", "file"), [("google", "bert_model.ckpt.index"), ("preset", "model.weights.h5")])
def test_refuses_damaged_files(copy: Callable[[str], Path], name: str, file: str) -> None:
    folder = copy(name)
    (folder / file).write_bytes(b"not weights")
    assert f"{file} cannot be read: " in refused(folder)


@pytest.mark.parametrize(
    ("name", "vocabulary", "config", "key"),
    [
        ("google", "vocab.txt", "bert_config.json", "vocab_size"),
        ("hugging_face", "vocab.txt", "config.json", "vocab_size"),
        ("preset", "assets/tokenizer/vocabulary.txt", "config.json", "vocabulary_size"),
    ],
)
@pytest.mark.parametrize("n_tokens", [len(VOCABULARY) - 1, len(VOCABULARY) + 1])
def test_refuses_the_vocabulary_of_another_model(
    copy: Callable[[str], Path], name: str, vocabulary: str, config: str, key: str, n_tokens: int
) -> None:
    folder = copy(name)
    (folder / vocabulary).write_text("\n".join([*VOCABULARY, "extra"][:n_tokens]) + "\n", encoding="utf-8")
    line = refused(folder)
    assert f"has {n_tokens} tokens, the embedding table {len(VOCABULARY)} rows; they belong to different models" in line
    # A table that is padded to a round size fits.
    edit(folder / config, **{key: 64})
    check_vocabulary(find_checkpoint(str(folder)))


@pytest.mark.parametrize(
    ("name", "file", "message"),
    [
        ("google", "bert_config.json", "no bert_config.json in it; make it Google's BERT folder"),
        ("google", "vocab.txt", "no vocab.txt in it; make it Google's BERT folder"),
        ("google", "bert_model.ckpt.index", "no bert_model.ckpt.index in it"),
        ("google", "bert_model.ckpt.data-00000-of-00001", "no bert_model.ckpt.data-00000-of-00001 in it"),
        ("hugging_face", "model.safetensors", "no model.safetensors in it; make it a Hugging Face folder"),
        ("preset", "model.weights.h5", "no model.weights.h5 in it; make it a KerasHub preset"),
        ("preset", "assets/tokenizer/vocabulary.txt", "no assets/tokenizer/vocabulary.txt in it"),
    ],
)
def test_names_what_the_nearest_format_lacks(copy: Callable[[str], Path], name: str, file: str, message: str) -> None:
    folder = copy(name)
    (folder / file).unlink()
    assert message in refused(folder)


def test_refuses_a_folder_in_two_formats_or_none(copy: Callable[[str], Path], tmp_path: Path) -> None:
    both = copy("google")
    shutil.copytree(copy("hugging_face"), both, dirs_exist_ok=True)
    assert "at once; keep each in a folder of its own" in refused(both)
    (tmp_path / "empty").mkdir()
    assert "no checkpoint in it; give Google's BERT folder" in refused(tmp_path / "empty")


def test_refuses_weights_of_pytorch_with_the_command_to_convert_them(copy: Callable[[str], Path]) -> None:
    folder = copy("hugging_face")
    (folder / "model.safetensors").rename(folder / "pytorch_model.bin")
    line = refused(folder)
    assert "no model.safetensors in it; convert pytorch_model.bin" in line
    assert f"save_pretrained('{folder}')" in line


def test_names_a_missing_shard(tmp_path: Path, formats: Path) -> None:
    folder = write_hugging_face(tmp_path, formats / "hugging_face", shards=2)
    (folder / "model-00002-of-00002.safetensors").unlink()
    assert "no model-00002-of-00002.safetensors in it, which model.safetensors.index.json names" in refused(folder)


def test_refuses_google_checkpoints_of_different_names(tmp_path: Path, formats: Path) -> None:
    folder = write_google(tmp_path, formats / "hugging_face")
    write_google(folder, formats / "hugging_face", prefix="model.ckpt-5")
    line = refused(folder)
    assert "has bert_model.ckpt and model.ckpt-5; name one" in line
    load_backbone(find_checkpoint(str(folder / "model.ckpt-5")))
    assert "model.ckpt-6: no such folder" in refused(folder / "model.ckpt-6")


def test_refuses_a_tensorflow_2_checkpoint(copy: Callable[[str], Path]) -> None:
    import tensorflow as tf

    folder = copy("google")
    for path in folder.glob("bert_model.*"):
        path.unlink()
    tf.train.Checkpoint(step=tf.Variable(1)).write(str(folder / "bert_model.ckpt"))
    assert "is TensorFlow 2's format" in refused(folder)


@pytest.mark.parametrize(
    ("name", "file", "changes", "message"),
    [
        ("google", "bert_config.json", {"hidden_size": None}, "no hidden_size in it"),
        ("google", "bert_config.json", {"num_hidden_layers": "two"}, "num_hidden_layers is 'two', not a number"),
        ("google", "bert_config.json", {"num_attention_heads": 3}, "a width of 16 cannot be divided among 3 heads"),
        ("google", "bert_config.json", {"hidden_act": "swish"}, "hidden_act 'swish' is not supported; known: gelu"),
        ("google", "bert_config.json", {"max_position_embeddings": 512}, "is [64, 16] instead of [512, 16]"),
        ("hugging_face", "config.json", {"position_embedding_type": "relative_key"}, "only encoders with absolute"),
        ("hugging_face", "config.json", {"is_decoder": True}, "only encoders"),
        ("hugging_face", "tokenizer_config.json", {"tokenizer_class": "BertJapaneseTokenizer"}, "Japanese"),
        ("hugging_face", "tokenizer_config.json", {"tokenize_chinese_chars": False}, "tokenize_chinese_chars is false"),
        ("hugging_face", "tokenizer_config.json", {"cls_token": "<s>"}, "has no <s>"),
        ("preset", "tokenizer.json", {"split": False}, "split is False"),
        ("preset", "tokenizer.json", {"suffix_indicator": "@@"}, "suffix_indicator is '@@'"),
    ],
)  # fmt: skip
def test_refuses_configurations_that_are_not_a_berts(
    copy: Callable[[str], Path], name: str, file: str, changes: Any, message: str
) -> None:
    folder = copy(name)
    edit(folder / file, **changes)
    assert message in refused(folder)


def test_refuses_presets_of_other_classes(copy: Callable[[str], Path]) -> None:
    folder = copy("preset")
    path = folder / "tokenizer.json"
    path.write_text(path.read_text().replace("BertTokenizer", "XLMRobertaTokenizer"))
    assert "is of a XLMRobertaTokenizer, not one of BertTokenizer, " in refused(folder)
    path = folder / "config.json"
    path.write_text(path.read_text().replace("BertBackbone", "GPT2Backbone"))
    assert "is of a GPT2Backbone: it generates text; only BERT, DistilBERT and ELECTRA are supported" in refused(folder)
