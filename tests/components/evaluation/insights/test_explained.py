"""Explanations of mistakes, through a real SavedModel's signature."""

import tempfile
from pathlib import Path

import numpy as np
import pytest

from components.evaluation.insights.explained import explain_mistakes
from components.evaluation.insights.insights import Insights, Mistake
from components.evaluation.insights.tally import TEXT_CHARACTERS
from tests.components.evaluation import small_model
from tests.components.evaluation.insights.test_insights import PROBABILITIES, examples, fill_tally


@pytest.fixture(scope="module")
def model_dir(tmp_path_factory: pytest.TempPathFactory) -> str:
    uri = tmp_path_factory.mktemp("model")
    small_model.export(uri, PROBABILITIES)
    return str(uri / "Format-Serving")


@pytest.fixture
def insights() -> Insights:
    return fill_tally([each._replace(text=str(row)) for row, each in enumerate(examples())]).insights()


def add_explanations(insights: Insights, model_dir: str, seconds: float = 60.0) -> Insights:
    with tempfile.TemporaryDirectory() as folder:
        insights.write(folder)
        explain_mistakes(folder, model_dir, seconds)
        return Insights.read(folder)


def _lists(insights: Insights) -> list[tuple[str, list[Mistake]]]:
    return [
        (label, kind)
        for label, mistakes in insights.mistakes.items()
        for kind in (mistakes.wrongly_given, mistakes.missed)
    ]


def test_explains_the_most_confident_mistakes_of_each_label(insights: Insights, model_dir: str) -> None:
    explained = add_explanations(insights, model_dir)
    for label, mistakes in _lists(explained):
        assert [bool(each.why) for each in mistakes] == [number < 3 for number in range(len(mistakes))]
        for mistake in mistakes[:3]:
            (segment,) = mistake.why
            probability = PROBABILITIES[int(mistake.text), small_model.LABELS.index(label)]
            assert segment.text == mistake.text
            assert segment.adds == pytest.approx(np.log(probability / (1 - probability)), abs=2e-3)
    assert sum(map(len, (kind for _, kind in _lists(explained)))) == sum(map(len, (k for _, k in _lists(insights))))


def test_leaves_out_what_cannot_be_explained(insights: Insights, model_dir: str, tmp_path: Path) -> None:
    assert add_explanations(insights, model_dir, seconds=-1.0) == insights, "no time"
    small_model.export(tmp_path, PROBABILITIES, without=["explain"])
    assert add_explanations(insights, str(tmp_path / "Format-Serving")) == insights
    refund = insights.mistakes["refund"]
    cut = [each.model_copy(update={"text": "1" * TEXT_CHARACTERS + " …"}) for each in refund.wrongly_given]
    mistakes = {"refund": refund.model_copy(update={"wrongly_given": cut, "missed": []})}
    cut_only = insights.model_copy(update={"mistakes": mistakes})
    assert add_explanations(cut_only, model_dir) == cut_only
