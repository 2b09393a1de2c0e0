"""Checks of the registry before a run, and taking it over."""

from pathlib import Path

import pytest

from components import registry
from components.common.outcome import EXIT_STATUS
from components.registry import Claimant, push
from pipeline.config.loading import load_configuration
from pipeline.registry import check_registry, check_remote_registry
from schema.errors import Refused
from tests.components.registry.test_registry import make_model, record_of
from tests.end_to_end.command import command
from tests.support.small_project import LABELS, Project, make_project

BILLING = Claimant(pipeline="billing", labels=["invoice"])


@pytest.fixture
def project(tmp_path: Path) -> Project:
    return make_project(tmp_path / "project", rows=20)


def test_a_run_is_refused_before_anything_is_loaded_until_the_registry_is_adopted(
    project: Project, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "200")
    configuration = ("--config", str(project.configuration))
    registry.adopt(str(project.registry), BILLING)
    for name in ("run", "check", "clean"):
        assert command(name, *configuration) == EXIT_STATUS["refused"]
        (line,) = capsys.readouterr().err.strip().splitlines()
        assert "belongs to pipeline 'billing' with labels invoice, not to 'small'" in line
        assert "take this one over with `models adopt` or `run --adopt`" in line
    assert not project.runs.exists()

    assert command("models", "adopt", *configuration) == 0
    line = capsys.readouterr().out.strip()
    assert line.startswith(f"{project.registry} belongs to pipeline 'small' now; before, to 'billing' since 20")
    check_registry(load_configuration(project.configuration))
    push(make_model(project.folder / "model"), str(project.registry), record_of("a"))
    assert command("models", "list", *configuration) == 0
    last = capsys.readouterr().out.strip().splitlines()[-1]
    assert last.startswith("belongs to pipeline 'small' since 20")
    assert "taken over from 'billing', 1 labels, at 20" in last


def test_changes_of_the_label_list_by_its_commands_are_not_refused(project: Project) -> None:
    config = load_configuration(project.configuration)
    registry.adopt(config.registry, Claimant(pipeline=config.name, labels=list(LABELS)))
    schema = ("--schema", config.schema_file)
    for change in (("add", "slow"), ("rename", "refund", "money_back"), ("retire", "praise")):
        assert command("labels", *change, *schema) == 0
        check_registry(config)
    _reorder(Path(config.schema_file))
    with pytest.raises(Refused, match="label 'account' at index 0, where its list now has 'praise'"):
        check_registry(config)
    check_registry(config, adopting=True)


def _reorder(schema: Path) -> None:
    """Exchange the first two labels of the schema."""
    text = schema.read_text()
    names = [f'value: "{label}"' for label in ("account", "praise")]
    assert all(text.count(name) == 1 for name in names)
    schema.write_text(text.replace(names[0], "?").replace(names[1], names[0]).replace("?", names[1]))


def test_a_run_refuses_the_registry_of_another_pipeline_in_an_object_store(project: Project) -> None:
    project.configure(registry="ram://owned/registry")
    config = load_configuration(project.configuration)
    check_remote_registry(config)
    registry.adopt(config.registry, BILLING)
    check_registry(config)  # does not open it
    with pytest.raises(Refused, match=r"ram://owned/registry/\.owner\.json: the registry belongs to pipeline"):
        check_remote_registry(config)
