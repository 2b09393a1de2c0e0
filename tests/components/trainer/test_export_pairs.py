"""A model of pairs of texts, from Transform's graph to its SavedModel: it is served the token ids it was trained on."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
import tensorflow as tf
import tensorflow_transform as tft
from typer.testing import CliRunner

from cli import main as cli
from cli.prediction import predict_texts
from components.checkpoints.find import find_checkpoint, load_backbone
from components.suspects.encoding import encode_split, read_texts
from components.trainer.export import export_classifier
from components.trainer.input_pipeline import encoder_inputs
from components.trainer.model import build_classifier
from components.trainer.serving_classifier import ServingClassifier
from components.trainer.settings import TrainerConfig, TrainingSettings
from schema.errors import Refused
from schema.features import NO_GROUP
from serving.server.warmup import read_warmup
from tests.components.preprocessing.reference import GoogleTokenizer, google_pair
from tests.components.preprocessing.transform import serialized
from tests.components.trainer.exported import export, trained_on_pairs
from tests.components.trainer.pair_rows import LABELS, MAX_TOKENS, PAIRS, rows, transformed
from tests.support.tiny_bert import VOCABULARY


@pytest.fixture(scope="module")
def pair_root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return transformed(tmp_path_factory, pair=True)


@pytest.fixture(scope="module")
def model(pair_root: Path) -> Any:
    keras.utils.set_random_seed(0)
    model = build_classifier(load_backbone(find_checkpoint(str(pair_root / "bert"))), len(LABELS), dropout=0.1)
    # A new head gives nearly the same probabilities to every text.
    model.layers[-1].kernel.assign(np.random.default_rng(0).normal(0, 1, (16, len(LABELS))))
    return model


@pytest.fixture(scope="module")
def exported_dir(tmp_path_factory: pytest.TempPathFactory) -> str:
    return str(tmp_path_factory.mktemp("export") / "model")


@pytest.fixture(scope="module")
def exported(pair_root: Path, model: Any, exported_dir: str) -> Any:
    directory = exported_dir
    output = tft.TFTransformOutput(str(pair_root / "graph"))
    export_classifier(model, output, LABELS, np.array([0.4, 0.5, 0.6], np.float32), directory)
    return tf.saved_model.load(directory).signatures


def reference_ids() -> list[tuple[list[int], list[int]]]:
    """Return token ids and segment ids of every pair, by the reference tokenizer."""
    google = GoogleTokenizer(VOCABULARY, lower_case=True)
    return [google_pair(google.ids(a), google.ids(b), MAX_TOKENS, "head_tail") for a, b in PAIRS]


def predict_one(model: Any, token_ids: list[int], segment_ids: list[int]) -> np.ndarray:
    """Return the model's probabilities float32 [n_labels] of one pair, unpadded."""
    inputs = {"token_ids": [token_ids], "padding_mask": [[1] * len(token_ids)], "segment_ids": [segment_ids]}
    logits = model({name: np.array(value) for name, value in inputs.items()}, training=False)
    return np.asarray(tf.sigmoid(logits)[0])


def text_columns() -> dict[str, tf.Tensor]:
    """Return the arguments of serve_text."""
    texts, pairs = zip(*PAIRS, strict=True)
    return {"texts": tf.constant(texts), "text_pairs": tf.constant(pairs)}


# === The SavedModel ===


def test_the_export_brings_requests_that_warm_a_server_up(exported: Any, exported_dir: str) -> None:
    requests = list(read_warmup(exported_dir))
    assert {signature for signature, _ in requests} == {"serve_text", "serving_default"}
    assert len({len(text.split()) for _, columns in requests for text in columns.get("texts", ())}) > 5
    for signature, columns in requests:
        answer = exported[signature](**{name: tf.constant(list(values)) for name, values in columns.items()})
        (n_rows,) = {len(values) for values in columns.values()}
        assert answer["probabilities"].shape == (n_rows, len(LABELS))


@pytest.mark.usefixtures("exported")
def test_the_first_request_after_warming_up_is_not_the_slow_one(exported_dir: str) -> None:
    """A process that has just loaded the model: the slow request is the first of those that warm it up."""
    ended = subprocess.run([sys.executable, "-c", _FIRST_REQUEST, exported_dir], capture_output=True, text=True)
    assert ended.returncode == 0, ended.stderr
    without, after = json.loads(ended.stdout)
    assert after < without / 4


_FIRST_REQUEST = """
import json, sys, time
from serving.request_log.rows import LogHeader
from serving.server.saved_model import SavedModel
from serving.server.warmup import read_warmup

header = LogHeader(model="m", version=1, labels=("praise", "refund", "trouble"), thresholds=(0.5,) * 3)
model = SavedModel(sys.argv[1], header, counts_pieces=False)

def seconds(signature, columns):
    started = time.perf_counter()
    model.call(signature, columns)
    return time.perf_counter() - started

without, *_ = [seconds(*request) for request in read_warmup(sys.argv[1])]
after = seconds("serve_text", {"texts": [b"is it broken or slow?"] * 3, "text_pairs": [b"my password", b"", b"a b c"]})
print(json.dumps([without, after]))
"""


def test_serves_the_models_own_probabilities_of_pairs(exported: Any, model: Any) -> None:
    served = exported["serve_text"](**text_columns())["probabilities"].numpy()
    expected = np.stack([predict_one(model, *ids) for ids in reference_ids()])
    np.testing.assert_allclose(served, expected, atol=1e-5)


def test_probabilities_depend_on_segment_ids_and_on_the_order(exported: Any, model: Any) -> None:
    served = exported["serve_text"](**text_columns())["probabilities"].numpy()
    without = np.stack([predict_one(model, token_ids, [0] * len(token_ids)) for token_ids, _ in reference_ids()])
    differs = np.abs(served - without).max(axis=1) > 1e-3
    assert differs.tolist() == [bool(b.strip()) for _, b in PAIRS]
    assert np.abs(served[0] - served[1]).max() > 1e-3


def test_examples_have_the_probabilities_of_their_texts(exported: Any) -> None:
    examples = tf.constant([serialized(row) for row in rows(pair=True)])
    served = exported["serve_text"](**text_columns())["probabilities"].numpy()
    default = exported["serving_default"](examples=examples)["probabilities"].numpy()
    np.testing.assert_allclose(default, served, atol=1e-6)
    scores = exported["evaluation"](examples=examples)["decision_scores"].numpy()
    np.testing.assert_array_equal(scores > 0.5, default > np.array([0.4, 0.5, 0.6], np.float32))


def test_transformed_features_equal_the_reference(exported: Any) -> None:
    features = exported["transform_features"](examples=tf.constant([serialized(row) for row in rows(pair=True)]))
    assert set(features) == {"labels_multi_hot", "token_ids", "segment_ids"}
    for index, name in enumerate(("token_ids", "segment_ids")):
        unpadded = [
            values[: len(ids[0])] for values, ids in zip(features[name].numpy().tolist(), reference_ids(), strict=True)
        ]
        assert unpadded == [ids[index] for ids in reference_ids()]


def test_an_empty_request_has_an_empty_answer(exported: Any) -> None:
    empty = tf.constant([], tf.string)
    assert exported["serve_text"](texts=empty, text_pairs=empty)["probabilities"].shape == (0, len(LABELS))


def test_prediction_in_chunks_keeps_segment_ids_with_their_token_ids(model: Any) -> None:
    token_ids, segment_ids = (tf.ragged.constant(list(ids), tf.int64) for ids in zip(*reference_ids(), strict=True))
    # 16 times as many pairs do not fit into one chunk.
    token_ids, segment_ids = (tf.concat([ids] * 16, axis=0) for ids in (token_ids, segment_ids))
    by_length = tf.function(ServingClassifier(model))(token_ids, segment_ids)
    at_once = tf.sigmoid(model(encoder_inputs(token_ids, segment_ids), training=False))
    np.testing.assert_allclose(by_length, at_once, atol=1e-5)


# === The Trainer, and predicting with its model ===


@pytest.fixture(scope="module")
def pair_model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the model of a training, which recognized pairs by Transform's output."""
    return trained_on_pairs(tmp_path_factory) / "Format-Serving"


@pytest.fixture(scope="module")
def single_model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = transformed(tmp_path_factory, pair=False)
    training = TrainingSettings(max_steps=1, batch_size=8)
    config = TrainerConfig(training=training, checkpoint=str(root / "bert"), checkpoint_fingerprint="")
    return export(tmp_path_factory.mktemp("trained"), root, config)


def test_predicts_pairs(pair_model: Path) -> None:
    first, second = predict_texts(str(pair_model), ["slow", "slow"], ["refund", ""])
    assert first.as_json()["text_pair"] == "refund"
    assert second.as_json()["text_pair"] == ""
    assert first.as_json()["probabilities"] != second.as_json()["probabilities"]


def test_predicts_single_texts_without_a_second_one(single_model: Path) -> None:
    (prediction,) = predict_texts(str(single_model), ["slow"])
    assert list(prediction.as_json()) == ["text", "labels", "probabilities"]


def test_refuses_texts_that_the_model_does_not_take_in_one_line(pair_model: Path, single_model: Path) -> None:
    for model, pairs, message in (
        (pair_model, [], "takes pairs of texts; add a --text-pair"),
        (pair_model, ["a"], "--text is given 2 times, --text-pair 1 times"),
        (single_model, ["a", "b"], "takes single texts; leave --text-pair out"),
    ):
        with pytest.raises(Refused, match=message) as refused:
            predict_texts(str(model), ["slow", "back"], pairs)
        assert "\n" not in str(refused.value)


def test_the_command_line_takes_second_texts_in_the_order_of_the_first(pair_model: Path) -> None:
    options = ["--text", "slow", "--text-pair", "refund", "--text", "back", "--text-pair", ""]
    command = ["predict", "--model", str(pair_model), *options]
    result = CliRunner().invoke(cli.app, [*command, "--json"])
    assert result.exit_code == 0, result.output
    predictions = map(json.loads, result.stdout.splitlines())
    assert [(each["text"], each["text_pair"]) for each in predictions] == [("slow", "refund"), ("back", "")]
    assert "slow\nrefund\n" in CliRunner().invoke(cli.app, command).stdout.replace(" ", "")


def test_suspects_are_searched_among_the_same_pairs_in_the_order_of_the_rows(
    pair_root: Path, model: Any, tmp_path: Path
) -> None:
    folder = str(pair_root / "raw" / "Split-train")
    output = tft.TFTransformOutput(str(pair_root / "graph"))
    split = encode_split(model.backbone, output, folder, str(tmp_path))
    assert split.examples.outputs.shape == (len(PAIRS), 2 * 16)
    assert split.examples.labels.tolist() == [[column == row % 3 for column in range(3)] for row in range(len(PAIRS))]
    layer = output.transform_features_layer()
    for row in (0, 1, 4, 60):
        tokens = layer(
            {name: tf.constant([[text]]) for name, text in zip(("text", "text_pair"), PAIRS[row], strict=True)}
        )
        ids = (tf.RaggedTensor.from_sparse(tokens[name]) for name in ("token_ids", "segment_ids"))
        alone = model.backbone(encoder_inputs(*ids), training=False)
        expected = tf.concat([alone["pooled_output"], tf.reduce_mean(alone["sequence_output"], axis=1)], axis=1)
        np.testing.assert_allclose(split.examples.outputs[row], expected[0], atol=1e-5)
    assert len(set(split.text_keys.tolist())) == len(PAIRS), "the second text counts"
    assert (split.groups == NO_GROUP).all()
    texts = read_texts(folder, {0, 3})
    assert {row: (each.id, each.text, each.text_pair) for row, each in texts.items()} == {
        0: ("0", *PAIRS[0]), 3: ("3", *PAIRS[3]),
    }  # fmt: skip
