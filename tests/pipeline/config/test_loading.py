"""Tests of the loading of configurations, and of the messages that refuse one."""

from pathlib import Path

import pytest
import yaml
from pydantic import BaseModel

from pipeline.config.configuration import Configuration
from pipeline.config.loading import load_configuration
from schema.errors import Refused
from tests.support.small_project import make_project

_REPOSITORY = Path(__file__).parents[3]


@pytest.fixture(scope="module")
def configuration(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_project(tmp_path_factory.mktemp("loading") / "project", rows=10).configuration


def test_paths_are_relative_to_the_file(configuration: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    config = load_configuration(configuration)
    assert config.work_dir == str(configuration.parent / "work")
    assert config.examples.input_base == str(configuration.parent / "data")
    assert config.checkpoint == str(configuration.parent / "bert")


def test_paths_given_with_set_are_relative_to_the_current_folder(
    configuration: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.chdir(tmp_path)
    config = load_configuration(configuration, ["work_dir=here", "checkpoint=minilm-l6", "registry=gs://bucket/models"])
    assert config.work_dir == str(tmp_path / "here")
    assert config.checkpoint == "minilm-l6"
    assert config.registry == "gs://bucket/models"


@pytest.mark.parametrize("handle", ["hf://google/bert", "kaggle://keras/bert/keras/bert_base_en", "bert_base_zh"])
def test_the_handle_of_a_checkpoint_is_not_a_path(configuration: Path, handle: str) -> None:
    assert load_configuration(configuration, [f"checkpoint={handle}"]).checkpoint == handle
    assert load_configuration(configuration, [f"work_dir={handle}"]).work_dir != "bert_base_zh"


def test_set_replaces_any_key(configuration: Path) -> None:
    config = load_configuration(
        configuration, ["training.epochs=7", "evaluation.gates=[]", "beam.pipeline_args=[--direct_num_workers=2]"]
    )
    assert config.training.epochs == 7
    assert config.evaluation.gates == []
    assert config.beam.pipeline_args == ["--direct_num_workers=2"]


@pytest.mark.parametrize("override", ["notify={url: https://hooks/T0SECRET, [", "notify.url.x: {token: T0SECRET=1"])
def test_messages_about_a_replaced_key_leave_out_what_grants_access(configuration: Path, override: str) -> None:
    with pytest.raises(Refused) as refused:
        load_configuration(configuration, [override])
    assert "T0SECRET" not in str(refused.value) or "=" not in override.partition("T0SECRET")[0]


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("trainin.epochs=1", "unknown key 'trainin'; did you mean 'training'?"),
        ("training.epoch=1", "unknown key 'training.epoch'; did you mean 'epochs'?"),
        ("training.epochs=0", "key 'training.epochs': Input should be greater than 0, got 0"),
        ("training.epochs=many", "key 'training.epochs': .* got 'many'"),
        ("training=3", "key 'training'"),
        ("name=My Pipeline", "key 'name'"),
        ("epochs", "write it as key=value"),
        ("training.epochs=[1", "the value is not YAML"),
        (
            "evaluation.gates=[f1[*] >= 0.3]",
            "quote texts with special characters, for example --set 'evaluation.gates=",
        ),
        ("name.sub=1", "name has no keys below it"),
        ("evaluation.gates=[macro_f2 >= 0.5]", "did you mean 'macro_f1'"),
        ("examples.labels={kind: delimited, column: text}", "column 'text' is used twice"),
    ],
)
def test_refuses_wrong_values_in_one_line(configuration: Path, override: str, message: str) -> None:
    with pytest.raises(Refused, match=message) as refusal:
        load_configuration(configuration, [override])
    assert "\n" not in str(refusal.value)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("a: [", "not YAML"),
        ("name: a\nname: b\n", "key 'name' twice; remove one"),
        ("- a", "mapping of keys"),
        ("", "mapping of keys"),
        ("name: x", "is missing"),
    ],
)
def test_refuses_files_that_are_not_configurations(tmp_path: Path, content: str, message: str) -> None:
    path = tmp_path / "pipeline.yaml"
    path.write_text(content)
    with pytest.raises(Refused, match=message):
        load_configuration(path)


def test_the_template_documents_every_key() -> None:
    template = _REPOSITORY / "configs" / "template.yaml"
    documented = yaml.safe_load(template.read_text())
    load_configuration(template)
    assert set(documented) == set(Configuration.model_fields)
    for key, model in Configuration.model_fields.items():
        if isinstance(model.annotation, type) and issubclass(model.annotation, BaseModel):
            assert set(documented[key]) == set(model.annotation.model_fields), key


@pytest.mark.parametrize("name", ["sample", "goemotions"])
def test_loads_the_shipped_configurations(name: str) -> None:
    assert load_configuration(_REPOSITORY / "configs" / f"{name}.yaml").name == name
