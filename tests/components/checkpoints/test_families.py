"""DistilBERT and ELECTRA, compared with Hugging Face's PyTorch models, and refusals of what is neither nor a BERT.

`reference/distilbert` and `reference/electra` were written by Transformers' `save_pretrained`, see
benchmarks/checkpoint_reference.py.
"""

import json
import shutil
from pathlib import Path
from typing import Any

import keras
import keras_hub
import numpy as np
import pytest
import tensorflow as tf
from safetensors.numpy import load_file, save_file

from components.checkpoints.find import Checkpoint, check_vocabulary, find_checkpoint, load_backbone
from components.checkpoints.vocabulary import read_vocabulary
from components.preprocessing.tokenizer import BertTokenizer
from components.trainer.input_pipeline import encoder_inputs
from components.trainer.model import build_classifier, plain_copy
from components.trainer.serving_classifier import ServingClassifier, keras_weights
from schema.errors import Refused

_REFERENCE = Path(__file__).parent / "reference"
_FAMILIES = ("distilbert", "electra")
_TOLERANCE = 1e-4
_MAX_TOKENS = 48


@pytest.fixture(params=_FAMILIES)
def family(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def _tokenize(checkpoint: Checkpoint, texts: list[str]) -> tf.RaggedTensor:
    tokenization = checkpoint.tokenization
    tokenizer = BertTokenizer(
        read_vocabulary(str(checkpoint.vocabulary), tokenization.special_tokens),
        lower_case=tokenization.lower_case,
        strip_accents=tokenization.strip_accents,
        max_tokens=_MAX_TOKENS,
    )
    return tokenizer(tf.constant(texts))


def _check_outputs(checkpoint: Checkpoint, *, pooled: bool = True) -> Any:
    """Compare ids and outputs of all texts, in one padded batch, with the reference; return the backbone."""
    family = checkpoint.architecture.family
    with np.load(_REFERENCE / family / "outputs.npz") as reference:
        ids = _tokenize(checkpoint, [str(text) for text in reference["texts"]])
        backbone = load_backbone(checkpoint)
        outputs = backbone(encoder_inputs(ids))
        for number, own in enumerate(ids.to_list()):
            assert own == reference[f"ids_{number}"].tolist()
            tokens = outputs["sequence_output"][number, : len(own)]
            np.testing.assert_allclose(tokens, reference[f"tokens_{number}"], atol=_TOLERANCE)
            if pooled:
                expected = reference[f"pooled_{number}"]
                np.testing.assert_allclose(outputs["pooled_output"][number], expected, atol=_TOLERANCE)
    return backbone


def test_loads_a_hugging_face_folder(family: str) -> None:
    checkpoint = find_checkpoint(str(_REFERENCE / family))
    assert (checkpoint.format, checkpoint.architecture.family) == ("hugging_face", family)
    assert checkpoint.architecture.segments == (0 if family == "distilbert" else 2)
    assert checkpoint.architecture.embedding_width == (16 if family == "distilbert" else 8)
    check_vocabulary(checkpoint)
    _check_outputs(checkpoint)


def test_loads_an_encoder_without_a_prefix_or_a_head(
    family: str, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    folder = Path(shutil.copytree(_REFERENCE / family, tmp_path / "bare"))
    weights = load_file(folder / "model.safetensors")
    bare = {name.removeprefix(f"{family}."): value for name, value in weights.items() if name.startswith(f"{family}.")}
    save_file(bare, folder / "model.safetensors")
    _check_outputs(find_checkpoint(str(folder)), pooled=False)
    assert "has no pooler: it is initialised at random" in caplog.text


def test_loads_a_preset_of_kerashub(family: str, tmp_path: Path) -> None:
    source = load_backbone(find_checkpoint(str(_REFERENCE / family)))
    if family == "distilbert":
        # KerasHub's own reader of Hugging Face's folders (keras_hub 0.32, utils/transformers/convert_distilbert.py).
        hugging_face = Path(shutil.copytree(_REFERENCE / family, tmp_path / "hugging_face"))
        (hugging_face / "tokenizer_config.json").write_text('{"do_lower_case": true}')
        backbone = keras_hub.models.DistilBertBackbone.from_preset(str(hugging_face))
        tokenizer = keras_hub.models.DistilBertTokenizer
    else:
        # It has none for ELECTRA's, but a backbone of the same class as this project's.
        backbone = keras_hub.models.ElectraBackbone.from_config(source.get_config())
        backbone.set_weights(source.get_weights())
        tokenizer = keras_hub.models.ElectraTokenizer
    preset = tmp_path / "preset"
    backbone.save_to_preset(str(preset), max_shard_size=1e-5)
    vocabulary = read_vocabulary(str(_REFERENCE / family / "vocab.txt"))
    tokenizer(vocabulary, lowercase=True, strip_accents=True).save_to_preset(str(preset))
    assert len(list(preset.glob("*.h5"))) > 1, "shards"
    checkpoint = find_checkpoint(str(preset))
    assert (checkpoint.format, checkpoint.architecture.family) == ("preset", family)
    _check_outputs(checkpoint, pooled=family == "electra")


def test_the_served_classifier_computes_the_same_and_gives_its_weights_back(family: str) -> None:
    keras.utils.set_random_seed(0)
    checkpoint = find_checkpoint(str(_REFERENCE / family))
    model = plain_copy(build_classifier(load_backbone(checkpoint), 3, dropout=0.1))
    model.layers[-1].kernel.assign(np.random.default_rng(0).normal(0, 1, (16, 3)))
    ids = _tokenize(checkpoint, ["the refund is slow!", "", "broken " * 30])
    segments = tf.ones_like(ids)
    served = ServingClassifier(model)
    assert (served.segments is None) == (family == "distilbert"), "a DistilBERT has no token types"
    for arguments in ((ids,), (ids, segments)):
        expected = tf.sigmoid(model(encoder_inputs(*arguments), training=False))
        np.testing.assert_allclose(served(*arguments), expected, atol=1e-5)
    weights = keras_weights(served.variables, model.backbone.num_heads)
    assert weights is not None
    for own, restored in zip(model.get_weights(), weights, strict=True):
        np.testing.assert_array_equal(own, restored)


@pytest.mark.parametrize(
    ("model_type", "reason"),
    [
        ("roberta", "its tokenizer is byte-level BPE"),
        ("xlm-roberta", "its tokenizer is SentencePiece"),
        ("albert", "its layers share their weights"),
        ("deberta-v2", "its attention reads relative positions"),
        ("modernbert", "its positions are rotary"),
        ("brand_new", "model_type 'brand_new'; only"),
    ],
)
def test_refuses_other_models_with_the_reason_before_their_weights_are_read(
    tmp_path: Path, model_type: str, reason: str
) -> None:
    (tmp_path / "config.json").write_text(json.dumps({"model_type": model_type}))
    for name in ("model.safetensors", "vocab.txt"):
        (tmp_path / name).write_text("damaged")
    with pytest.raises(Refused, match="only BERT, DistilBERT and ELECTRA are supported") as refused:
        find_checkpoint(str(tmp_path))
    assert reason in str(refused.value)
    assert "\n" not in str(refused.value)


def test_refuses_a_size_that_is_not_the_weights(tmp_path: Path, family: str) -> None:
    folder = Path(shutil.copytree(_REFERENCE / family, tmp_path / "other"))
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps(config | {"intermediate_size": 64, "hidden_dim": 64}))
    with pytest.raises(Refused, match=r"does not hold the model of config\.json"):
        load_backbone(find_checkpoint(str(folder)))
