"""Tests of `report`, which needs no TensorFlow and does without files that are gone."""

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner

from cli import main
from pipeline.config.loading import load_configuration
from pipeline.provenance import find_provenance
from pipeline.report import rebuild_report, write_comparison, write_short_report
from schema.errors import Refused
from tests.components.report.made_up import material

_NAME = "20261123T120000.000001Z"


@pytest.fixture
def run(tmp_path: Path) -> Path:
    """Folder of a run, with its artifacts in folders beside it."""
    made = material(text="secret words")
    folder = tmp_path / "runs" / _NAME
    folder.mkdir(parents=True)
    uris = {key: tmp_path / key for key in ("quarantine", "model", "model_run", "evaluation", "results")}
    for uri in uris.values():
        uri.mkdir()
    (uris["model"] / "Format-Serving").mkdir()
    assert made.ingest is not None
    assert made.model is not None
    assert made.insights is not None
    made.summary.write(str(folder))
    made.ingest.write(str(uris["quarantine"]))
    made.model.write(str(uris["model"] / "Format-Serving"))
    assert made.behaviour is not None
    made.insights.write(str(uris["evaluation"]))
    made.behaviour.write(str(uris["results"]))
    (uris["model_run"] / "history.json").write_text(json.dumps({"loss": [0.4, 0.3], "val_loss": [0.5, 0.4]}))
    (folder / "artifacts.json").write_text(json.dumps({"Steps": {key: str(uri) for key, uri in uris.items()}}))
    configuration = {"name": "small", "training": {"batch_size": 16}, "report": {"texts": True, "mistakes": 2}}
    (folder / "configuration.json").write_text(json.dumps(configuration))
    return folder


def test_the_page_shows_every_part(run: Path) -> None:
    report, card = rebuild_report(run)
    page = report.read_text()
    for part in (
        "small · 2026-11-23 12:00 UTC",
        "Loss by epoch",
        "secret words",
        "Wrongly given:",
        "batch_size: 16",
        "Canary",
        "50 of 200 failed",
        "812 MiB (4,096 allowed)",
    ):
        assert part in page
    assert card.read_text().startswith("# Model card: small")


def test_a_work_dir_stands_for_its_newest_run_that_has_ended(run: Path) -> None:
    (run.parent / "20991231T000000.000000Z").mkdir()
    report, _ = rebuild_report(run.parent.parent)
    assert report.parent == run


def test_leaves_out_the_texts_of_an_existing_run(run: Path) -> None:
    page = rebuild_report(run, texts=False)[0].read_text()
    assert "of the data" not in page
    mistakes = page.partition('id="each"')[2].partition("<h2>Cal")[0]
    assert "secret words" not in mistakes
    assert "row-" in mistakes


def test_does_without_files_that_are_gone(run: Path, tmp_path: Path) -> None:
    for name in (
        "evaluation/insights.json",
        "model_run/history.json",
        "quarantine/report.json",
        "results/results.json",
    ):
        (tmp_path / name).unlink()
    (run / "configuration.json").unlink()
    page = rebuild_report(run)[0].read_text()
    assert "Each label at its own threshold" in page
    assert "Loss by epoch" not in page


def test_leaves_out_insights_of_another_version(run: Path, tmp_path: Path) -> None:
    (tmp_path / "evaluation" / "insights.json").write_text('{"examples": 3, "colour": "blue"}')
    assert "left no insights.json that this version reads" in rebuild_report(run)[0].read_text()


def test_refuses_a_folder_without_a_run(tmp_path: Path) -> None:
    with pytest.raises(Refused, match="no run here has ended"):
        rebuild_report(tmp_path)


def test_the_command_needs_no_tensorflow(run: Path) -> None:
    code = (
        f"import sys; from cli import main as cli; sys.argv[1:] = ['report', {str(run)!r}, '--no-texts']\n"
        "try: cli.main()\n"
        "finally: assert not {'tensorflow', 'tfx', 'apache_beam', 'keras', 'pyarrow'} & set(sys.modules)"
    )
    ended = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert ended.returncode == 0, ended.stderr
    assert [Path(line).name for line in ended.stdout.split()] == ["report.html", "model_card.md"]


def test_leaves_out_keys_of_the_configuration_that_may_be_secret(run: Path) -> None:
    configuration = {"name": "small", "max_tokens": 128, "notify": {"url": "https://hooks/T0/secret"}}
    (run / "configuration.json").write_text(json.dumps(configuration))
    page = rebuild_report(run)[0].read_text()
    assert "max_tokens: 128" in page
    assert "(left out)" in page
    assert "hooks" not in page


@pytest.mark.parametrize("name", ["summary.json", "configuration.json", "artifacts.json"])
@pytest.mark.parametrize("content", [b"", b"{", b"[1]", b"\xff"])
def test_names_a_damaged_file(run: Path, name: str, content: bytes) -> None:
    (run / name).write_bytes(content)
    with pytest.raises(Refused) as refused:
        rebuild_report(run)
    assert str(refused.value).startswith(f"{run / name}: is damaged (")
    assert "\n" not in str(refused.value)


def test_shows_what_started_the_run_and_what_differs_from_the_defaults(run: Path) -> None:
    overrides = ("max_tokens=64", "training.loss={kind: focal}")
    whole = load_configuration(Path("configs/sample.yaml"), overrides).model_dump(mode="json")
    (run / "configuration.json").write_text(json.dumps(whole))
    find_provenance(["bert-multilabel", "run", "--config", "a.yaml"]).write(str(run))
    page = rebuild_report(run)[0].read_text()
    chosen = page.partition("what differs from the defaults")[2].partition("</pre>")[0]
    assert "max_tokens: 64" in chosen
    assert "focal" in chosen
    assert "warmup" not in chosen
    assert "warmup" in page
    assert "bert-multilabel run --config a.yaml" in page
    assert "git commit" in page


def test_writes_a_short_report_beside_the_whole_one(run: Path) -> None:
    path = write_short_report(run)
    assert path == run / "report-short.html"
    assert "Data and cost" in path.read_text()
    assert not (run / "report.html").exists()


def test_compares_two_runs_in_the_folder_of_the_second(run: Path) -> None:
    other = run.with_name("20261124T120000.000001Z")
    shutil.copytree(run, other)
    path = write_comparison(run, other, texts=False)
    assert path == other / f"comparison-{run.name}.html"
    page = path.read_text()
    assert page.count("Not blessed") >= 2
    assert "secret words 1" not in page
    with pytest.raises(Refused, match="is the same run"):
        write_comparison(run, run)
    with pytest.raises(Refused, match="no such run"):
        write_comparison(run, run.parent / "other")


@pytest.mark.parametrize("arguments", [[], ["RUN", "--compare", "a", "b"], ["--short", "--compare", "a", "b"]])
def test_takes_either_a_run_or_two_to_compare(arguments: list[str]) -> None:
    ended = CliRunner().invoke(main.app, ["report", *arguments])
    assert isinstance(ended.exception, Refused)
    assert "either a run" in str(ended.exception)
