"""Settings of the evaluation."""

import subprocess
import sys

import pytest
from pydantic import ValidationError

from components.evaluation.gates.gate import parse_gate
from components.evaluation.settings import EvaluationSettings


def test_gates_must_be_configured_even_if_there_are_none() -> None:
    assert EvaluationSettings(gates=[]).gates == []
    with pytest.raises(ValidationError, match="gates"):
        EvaluationSettings()  # type: ignore[call-arg]
    with pytest.raises(ValidationError, match="column 10"):
        EvaluationSettings(gates=["macro_f1 = 1"])


def test_holds_parsed_gates_and_writes_them_as_they_were() -> None:
    texts = ["macro_f1 >= 0.450", "f1[refund]>=baseline-0.05"]
    settings = EvaluationSettings(gates=texts)
    assert settings.gates == [parse_gate(text) for text in texts]
    assert settings.model_dump(mode="json")["gates"] == texts
    assert EvaluationSettings.model_validate_json(settings.model_dump_json()) == settings


@pytest.mark.parametrize(
    "slices", [["labels"], ["language", "language"], ["a*b", "b * a"], ["a*b*c"], ["a*"], ["a*a"], ["language*labels"]]
)
def test_refuses_slices_that_cannot_be_computed(slices: list[str]) -> None:
    with pytest.raises(ValidationError, match="slices"):
        EvaluationSettings(gates=[], slices=slices)


def test_refuses_lengths_that_do_not_ascend() -> None:
    for lengths in ([0, 50], [50, 50], [100, 50]):
        with pytest.raises(ValidationError, match="lengths must be positive and in ascending order"):
            EvaluationSettings(gates=[], length_slices=lengths)
    with pytest.raises(ValidationError, match="need length_slices"):
        EvaluationSettings(gates=[], slices=["language*text_length"], length_slices=[])


def test_imports_no_tensorflow() -> None:
    """Also covers what the command line and the registry read from evaluation, blessing and baseline."""
    modules = (
        "components.blessing.judge, components.blessing.judgement, components.registry, components.baseline.record, "
        "components.evaluation.settings"
    )
    code = f"import sys, {modules}; sys.exit(any(m in sys.modules for m in ('tensorflow', 'tfx', 'apache_beam')))"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_slices_by_label_are_left_out_where_there_are_many_labels_unless_they_are_asked_for() -> None:
    automatic = EvaluationSettings(gates=[])
    assert ("labels",) in automatic.slicing(n_labels=100).columns
    assert ("labels",) not in automatic.slicing(n_labels=101).columns
    assert ("labels",) in EvaluationSettings(gates=[], label_slices=True).slicing(n_labels=101).columns
