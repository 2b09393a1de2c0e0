"""A model as the Trainer exports it passes the trial; one that would fail in service does not, with a reason."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tensorflow as tf

from components.canary.answers import faults, score_faults
from components.canary.latency import compare
from components.canary.process import Probe
from components.canary.reference import Reference
from components.canary.settings import CanarySettings
from components.canary.trial import try_model
from components.registry import ModelRecord
from tests.components.trainer.pair_rows import PAIRS

Outputs = dict[str, tf.Tensor]


@pytest.fixture(scope="module")
def model(trained: Path) -> str:
    return str(trained / "Format-Serving")


@pytest.fixture(scope="module")
def reference(trained: Path) -> Reference:
    return Reference.read(str(trained))


def altered(folder: Path, model: str, change: Callable[[tf.Tensor, Outputs], Outputs]) -> str:
    """Save the model with another serve_text, whose outputs `change` computes from the texts and the real outputs."""
    module = tf.Module()
    module.original = tf.saved_model.load(model)
    signatures = dict(module.original.signatures)
    serve = signatures["serve_text"]
    spec = tf.TensorSpec([None], tf.string)

    @tf.function(input_signature=[spec, spec])  # type: ignore[untyped-decorator]
    def serve_text(texts: tf.Tensor, text_pairs: tf.Tensor) -> Outputs:
        return change(texts, serve(texts=texts, text_pairs=text_pairs))

    tf.saved_model.save(module, str(folder), signatures=signatures | {"serve_text": serve_text})
    return str(folder)


def test_the_trainer_writes_reference_probabilities_beside_the_saved_model(model: str, reference: Reference) -> None:
    assert len(reference.texts) == 32
    assert {"it is not broken", ""} <= set(reference.texts)
    assert any(text.startswith("thanks thanks") for text in reference.text_pairs or [])
    assert {label for row in reference.probabilities for label in row if not 0 < label < 1} == set()
    # Rows of the eval split must not go where the model goes.
    inside = b"".join(path.read_bytes() for path in Path(model).rglob("*") if path.is_file())
    assert PAIRS[0][0].encode() not in inside


def test_gives_a_reason_of_one_line_for_every_wrong_answer(tmp_path: Path, model: str, reference: Reference) -> None:
    def wrong(texts: tf.Tensor, outputs: Outputs) -> Outputs:
        has_nul = tf.strings.regex_full_match(texts, r"(?s)a\x00b")[:, tf.newaxis]
        is_row = tf.strings.regex_full_match(texts, "row 1.")[:, tf.newaxis]
        return {
            "probabilities": tf.where(has_nul, float("nan"), outputs["probabilities"]),
            "labels": tf.where(is_row, "", outputs["labels"]),
        }

    path = altered(tmp_path / "wrong", model, wrong)
    other = [[value + 2e-5 * (row == 3) for value in each] for row, each in enumerate(reference.probabilities)]
    changed = reference.model_copy(update={"probabilities": other})
    verdict = try_model(path, ModelRecord.read(model), changed, CanarySettings(), no_live_model="it was set aside")
    assert not verdict.passed
    nul, rows, *batch = verdict.reasons
    assert nul == (
        "canary: serve_text, given NUL characters, probabilities is nan for label 'praise' in row 1, not from 0 to 1"
    )
    assert rows.startswith("canary: serve_text, given many rows, labels is [] in row 10, where the labels above ")
    assert [reason.partition(" returns ")[0] for reason in batch] == ["canary: serve_text", "canary: serving_default"]
    assert "in row 3 of the Trainer's reference batch, the Trainer's own model 0." in batch[0]
    assert verdict.findings.largest_difference == pytest.approx(2e-5, rel=0.2)
    assert verdict.findings.latency_note == "not compared with a live model: it was set aside"


# === Answers ===

RECORD = ModelRecord(
    model_id="m", labels=["a", "b", "gone"], thresholds=[0.5, 0.3, 1.0], checkpoint="", created="", versions={},
    retired=["gone"],
)  # fmt: skip
GOOD: dict[str, Any] = {
    "probabilities": np.array([[0.4, 0.9, 0], [0.6, 0.8, 0]], np.float32),
    "labels": np.array([[b"b", b"", b""], [b"b", b"a", b""]], object),
}


@pytest.mark.parametrize(
    ("name", "value", "fault"),
    [
        ("labels", GOOD["labels"], None),
        ("labels", np.array([[b"b", b"", b""], [b"a", b"b", b""]], object), "labels is [a, b] in row 1, where the "),
        ("labels", GOOD["labels"][:1], "labels is string [1, 3], expected string [2, 3]"),
        ("probabilities", GOOD["probabilities"].astype(np.float64), "is float64 [2, 3], expected float32 [2, 3]"),
        ("probabilities", GOOD["probabilities"] + np.float32(0.2), "is 1.1 for label 'b' in row 0, not from 0 to 1"),
        ("probabilities", GOOD["probabilities"] + np.array([0, 0, 0.1], np.float32), "is above 0 for a retired label"),
    ],
)  # fmt: skip
def test_finds_faults_of_an_answer(name: str, value: Any, fault: str | None) -> None:
    found = list(faults("serve_text", GOOD | {name: value}, 2, RECORD))
    assert fault in found[0] if fault else found == []


def test_finds_a_missing_output() -> None:
    assert list(faults("transform_features", {"token_ids": np.zeros((2, 5), np.int64)}, 2, RECORD)) == [
        "returns no labels_multi_hot"
    ]


def test_scores_above_one_half_must_be_those_of_given_labels() -> None:
    scores = np.array([[0.4, 0.9, 0], [0.6, 0.5, 0]], np.float32)
    (fault,) = score_faults(scores, GOOD["probabilities"], RECORD)
    assert fault.startswith("decision_scores is 0.5 for label 'b' in row 1, whose probability is 0.8 and threshold 0.3")


# === Latency ===


def save_with_rounds(folder: Path, rounds: int) -> str:
    """Save a model whose answer takes `rounds` matrix multiplications."""
    module = tf.Module()

    @tf.function(input_signature=[tf.TensorSpec([None], tf.string)])  # type: ignore[untyped-decorator]
    def serving_default(examples: tf.Tensor) -> Outputs:
        start = tf.ones([256, 256]) / 256 * tf.cast(tf.size(examples) > 0, tf.float32)
        _, product = tf.while_loop(
            lambda n, _: n < rounds, lambda n, m: (n + 1, m @ m), (tf.constant(0), start), parallel_iterations=1
        )
        return {"probabilities": product}

    module.serving_default = serving_default
    tf.saved_model.save(module, str(folder), signatures={"serving_default": serving_default})
    return str(folder)


def test_refuses_a_model_slower_than_the_live_one_but_not_for_a_broken_live_one(tmp_path: Path) -> None:
    slow, fast = save_with_rounds(tmp_path / "slow", 60), save_with_rounds(tmp_path / "fast", 1)
    settings = CanarySettings(latency_ratio=2, latency_tolerance_ms=1)
    rows = [(b"a", b"")] * 3
    with Probe(300) as candidate, Probe(300) as live:
        candidate.load(slow)
        found = compare(candidate, live, fast, rows, settings)
        assert [latency.passed for latency in found.measured] == [False, False]
        assert found.reasons(settings)[0].startswith("one text in one request: ")
        assert found.reasons(settings)[1].startswith("3 texts in one request: ")
        candidate.load(fast)
        found = compare(candidate, live, slow, rows, settings)
        assert found.reasons(settings) == []
        assert len(found.measured) == 2
        found = compare(candidate, live, str(tmp_path / "nothing"), rows, settings)
        assert (found.measured, found.reasons(settings)) == ([], [])
        assert found.note.startswith("not compared: the live model can no longer be loaded: OSError: SavedModel file")
