"""Chinese and multilingual encoders of each family, from Transform through training to the served model."""

import json
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tensorflow as tf
from safetensors.numpy import load_file
from typer.testing import CliRunner

from cli import main as cli
from cli.explanation import explain_texts
from components.behaviour.tests_file import read_tests
from components.canary.reference import Reference
from components.checkpoints.find import find_checkpoint
from components.registry import ModelRecord
from components.trainer.settings import TrainerConfig, TrainingSettings
from schema.errors import Refused
from schema.infer import infer_schema
from schema.label_list import label_list
from tests.components.preprocessing.reference import hugging_face
from tests.components.preprocessing.transform import run_transform, serialized
from tests.components.trainer.exported import export
from tests.support.tiny_bert import write_tiny_bert

_LABELS = ("complaint", "praise")
_SPECIAL = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
# Characters one by one, as in the vocabulary of Chinese BERT, which is uncased; some Latin words beside them.
_CHINESE = [*_SPECIAL, *"我想退款谢你们好很慢坏了的，。！？", "app", "##s", "login", "cafe"]
# Cased, with accents and several scripts, as in that of multilingual BERT.
_MULTILINGUAL = [
    *_SPECIAL, "Die", "die", "Rück", "##zahlung", "kommt", "spät", "merci", "Merci", "très", "bien", "café", "##s",
    "возврат", "Возврат", "##а", "деньги", "返", "金", "が", "遅", "い", "谢", "好", "é", ".", "!", "¡",
]  # fmt: skip
_CHINESE_TEXTS = (
    *(
        "我想退款！",
        "谢谢你们，很好。",
        "app很慢",
        "login坏了",
        "Cafés 的 退款",
        "\uff21\uff30\uff30",
        "e\u0301",
        "退 款",
    ),
)
_MULTILINGUAL_TEXTS = (
    *("Die Rückzahlung kommt spät!", "merci, très bien", "Merci, TRÈS bien", "Возврат денег", "возврата", "返金が遅い"),
    *("谢谢好", "¡gracias!", "cafe\u0301 café"),
)


@pytest.mark.parametrize(
    ("family", "language", "training"),
    [
        ("bert", "chinese", {"trainable": "all", "export": {"explain": True}, "pooling": "attention"}),
        ("bert", "multilingual", {"trainable": "all", "pooling": "auto"}),
        ("distilbert", "multilingual", {"trainable": "all", "pooling": "max"}),
        ("electra", "chinese", {"trainable": "head", "epochs": 3, "pooling": "mean"}),
    ],
)
def test_is_trained_and_served(tmp_path: Path, family: str, language: str, training: dict[str, Any]) -> None:
    folder = _checkpoint(tmp_path / "checkpoint", family, language)
    checkpoint = find_checkpoint(str(folder))
    texts = _CHINESE_TEXTS if language == "chinese" else _MULTILINGUAL_TEXTS
    rows = [
        {"id": [str(number)], "text": [texts[number % len(texts)]], "labels": [_LABELS[number % 2]]}
        for number in range(40)
    ]
    tokenization = checkpoint.tokenization
    tokenizer = {
        "checkpoint": str(folder), "lower_case": tokenization.lower_case, "strip_accents": tokenization.strip_accents,
        "max_tokens": 32,
    }  # fmt: skip
    root = run_transform(tmp_path / "transformed", rows, _LABELS, tokenizer)
    config = TrainerConfig(
        training=TrainingSettings.model_validate({"epochs": 1, "batch_size": 8, "learning_rate": 1e-2} | training),
        checkpoint=str(folder),
        checkpoint_fingerprint="f",
    )
    model = export(tmp_path / "trained", root, config)
    loaded = tf.saved_model.load(str(model))
    served = loaded.signatures

    # As Hugging Face tokenizes, Chinese characters apart, and accents and case as the vocabulary has them.
    vocabulary = (folder / "vocab.txt").read_text(encoding="utf-8").split("\n")[:-1]
    reference = hugging_face(vocabulary, lower_case=language == "chinese", strip_accents=None)
    features = served["transform_features"](tf.constant([serialized(row) for row in rows[: len(texts)]]))
    for text, padded in zip(texts, features["token_ids"].numpy(), strict=True):
        assert padded[padded > 0].tolist() == reference.encode(text).ids, text
    known = [id_ for text in texts for id_ in reference.encode(text).ids if id_ != vocabulary.index("[UNK]")]
    assert len(set(known)) > 10, "the vocabulary fits the texts"

    pooling = "cls" if training["pooling"] == "auto" else training["pooling"]
    assert ModelRecord.read(str(model)).pooling == pooling
    # What the trained model predicted is what is served.
    predicted = Reference.read(str(tmp_path / "trained"))
    probabilities = served["serve_text"](texts=tf.constant(predicted.texts))["probabilities"]
    np.testing.assert_allclose(probabilities, predicted.probabilities, atol=1e-5)
    assert len({tuple(row) for row in probabilities.numpy().round(4).tolist()}) > 1

    names = {variable.name for variable in served["serve_text"].variables}
    assert any(name.startswith("segments") for name in names) == (family != "distilbert"), "a DistilBERT has none"
    assert any(name.startswith("projection") for name in names) == (family == "electra")
    if "export" in training:
        _check_explanation(str(model), served["explain"], texts)
    else:
        assert "explain" not in served, "it is exported if asked for"
        with pytest.raises(Refused, match=r"without the signature explain; set training\.export\.explain: true"):
            explain_texts(str(model), texts)


def _check_explanation(model: str, signature: Any, texts: Sequence[str]) -> None:
    """Check explanations through the signature and the command line, and a draft of behavioural tests from them."""
    explained = explain_texts(model, texts, labels=_LABELS)
    assert [(each.text, each.label) for each, _ in explained] == [(text, label) for text in texts for label in _LABELS]
    for each, prediction in explained:
        assert each.is_complete, each.gap
        probability = 1 / (1 + np.exp(-each.logit))
        assert probability == pytest.approx(prediction.probability_of(each.label), abs=1e-5)
    assert [word.text for word in explained[0][0].words] == list("我想退款！")
    with pytest.raises(tf.errors.InvalidArgumentError, match="one is not a label of the model"):
        signature(texts=tf.constant(["a"]), labels=tf.constant(["refunt"]))

    def command(*options: str) -> str:
        result = CliRunner().invoke(cli.app, ["explain", "--model", model, "--text", texts[0], *options])
        assert result.exception is None, result.exception
        return result.stdout

    shown = command("--label", "praise")
    assert "praise: probability" in shown
    assert "without words" in shown
    assert [json.loads(line)["label"] for line in command("--json", "--label", "complaint").splitlines()] == [
        "complaint"
    ]
    labels = label_list(infer_schema(_LABELS, []))
    Path(model, "draft.yaml").write_text(command("--suggest", "--label", explained[0][1].labels[0].name))
    assert read_tests(f"{model}/draft.yaml", labels, pair=False).texts
    with pytest.raises(Refused, match="did you mean 'praise'"):
        explain_texts(model, texts, labels=["prase"])


def _checkpoint(folder: Path, family: str, language: str) -> Path:
    vocabulary = _CHINESE if language == "chinese" else _MULTILINGUAL
    if family == "bert":
        return write_tiny_bert(folder, vocabulary=vocabulary, lower_case=language == "chinese")
    reference = Path(__file__).parents[1] / "checkpoints" / "reference" / family
    shutil.copytree(reference, folder)
    size = next(
        len(value) for name, value in load_file(folder / "model.safetensors").items() if "word_embeddings" in name
    )
    padded = [*vocabulary, *(f"[unused{number}]" for number in range(size - len(vocabulary)))]
    assert len(padded) == size
    (folder / "vocab.txt").write_text("\n".join(padded) + "\n", encoding="utf-8")
    (folder / "tokenizer_config.json").write_text(json.dumps({"do_lower_case": language == "chinese"}))
    return folder
