"""Tests of `config schema` and `config show`."""

import json
import subprocess
import sys
from pathlib import Path

import yaml

from pipeline.config.loading import load_configuration
from tests.support.small_project import make_project


def run_command(*arguments: str) -> str:
    """Run `bert-multilabel config` in a process of its own, without TensorFlow; return what it prints."""
    code = (
        f"import sys; from cli import main as cli; sys.argv[1:] = ['config', *{arguments!r}]\n"
        "try: cli.main()\n"
        "finally: assert not {'tensorflow', 'tfx', 'apache_beam', 'keras', 'pyarrow'} & set(sys.modules)"
    )
    ended = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert ended.returncode == 0, ended.stderr
    return ended.stdout


def test_schema_is_a_json_schema_of_every_key() -> None:
    schema = json.loads(run_command("schema"))
    assert schema["$schema"].startswith("https://json-schema.org/")
    assert schema["required"] == ["name", "work_dir", "schema_file", "registry", "examples", "evaluation"]
    assert schema["properties"]["max_tokens"]["default"] == 128


def test_show_fills_in_defaults_and_can_be_loaded_again(tmp_path: Path) -> None:
    project = make_project(tmp_path / "project", rows=3)
    shown = run_command("show", "--config", str(project.configuration), "--set", "training.epochs=7")
    content = yaml.safe_load(shown)
    assert content["training"]["epochs"] == 7
    assert content["canary"]["memory_limit_mb"] == 4096
    (tmp_path / "full.yaml").write_text(shown)
    expected = load_configuration(project.configuration, ["training.epochs=7"])
    assert load_configuration(tmp_path / "full.yaml") == expected


def test_show_hides_the_address_of_the_webhook(tmp_path: Path) -> None:
    project = make_project(tmp_path / "project", rows=3)
    project.configure(notify={"url": "https://host/T0SECRET"})
    assert "SECRET" not in run_command("show", "--config", str(project.configuration))
