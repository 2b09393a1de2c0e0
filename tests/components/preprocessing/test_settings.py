"""Write settings of preprocessing as JSON and read them without TensorFlow."""

import subprocess
import sys

import pytest
from pydantic import ValidationError

from components.preprocessing.settings import PreprocessingSettings
from tests.components.preprocessing.conftest import REPOSITORY

DEFAULTS = {
    "tokenizer": {"vocabulary": "vocab.txt", "lower_case": True},
    "labels": ["anger", "joy"],
}


def test_reads_the_settings_that_were_written_as_json() -> None:
    settings = PreprocessingSettings.model_validate(DEFAULTS)
    assert PreprocessingSettings.model_validate_json(settings.model_dump_json()) == settings
    assert settings.tokenizer.strip_accents is None
    assert settings.tokenizer.max_tokens == 128
    assert settings.tokenizer.truncation == "head"


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"tokenizer": {"vocabulary": "v", "lower_case": True, "max_tokens": 2}}, "max_tokens"),
        ({"tokenizer": {"vocabulary": "v", "lower_case": True, "truncation": "tail"}}, "truncation"),
        ({"tokenizer": {"vocabulary": "v"}}, "lower_case"),
        ({"tokenizer": {"lower_case": True}}, "either a vocabulary or a checkpoint"),
        ({"tokenizer": {"lower_case": True, "vocabulary": "v", "checkpoint": "c"}}, "either a vocabulary or"),
        ({"labels": []}, "labels"),
        ({"unheard_of": 1}, "unheard_of"),
    ],
)
def test_refuses_wrong_settings(change: dict[str, object], message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        PreprocessingSettings.model_validate({**DEFAULTS, **change})


def test_settings_and_feature_names_need_no_tensorflow() -> None:
    program = (
        "import sys; import components.preprocessing.settings, components.preprocessing.features; "
        "sys.exit('tensorflow' in sys.modules)"
    )
    subprocess.run([sys.executable, "-c", program], cwd=REPOSITORY, check=True)
