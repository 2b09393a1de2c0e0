"""Beam jobs on a real Flink cluster on this machine, whose TaskManagers have a /tmp of their own."""

import gzip
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from threading import Thread
from typing import Any

import apache_beam as beam
import pytest
import requests

from components.example_gen.report import IngestReport
from pipeline.beam import beam_arguments
from pipeline.code import pack_code
from pipeline.config.configuration import Configuration
from pipeline.config.loading import load_configuration
from pipeline.config.score import score_configuration
from pipeline.console import PlainConsole
from pipeline.running import Observers
from pipeline.score import score
from runners.beam.flink import check_cluster
from runners.local import runner as local
from tests.serving.scoring.scored import push, rows_of
from tests.support.small_project import Project, make_project

_ROOT = Path(__file__).parents[3]
_SCRIPT = _ROOT / "scripts" / "flink.sh"
_FETCHED = _ROOT / "build" / "flink"
# Most processor time of a cluster of minutes would be spent on optimizing Java code.
_SHORT_LIVED = "-XX:TieredStopAtLevel=1 -XX:+UseSerialGC"
_WORKER = Path(sys.executable).with_name("bert-multilabel-worker")


@dataclass(frozen=True)
class Cluster:
    """A JobManager, two TaskManagers, and a project that all of them see."""

    address: str
    folder: Path
    environment: dict[str, str]
    project: Project

    def start(self) -> None:
        """Start the processes that are not running."""
        subprocess.run([_SCRIPT, "start"], env=self.environment, check=True, capture_output=True)

    def pid(self, name: str) -> int:
        return int((self.folder / "run" / f"{name}.pid").read_text())

    def configuration(self, *overrides: str) -> Configuration:
        jar = f"beam.flink.job_server_jar={self.folder / 'beam-flink-job.jar'}"
        flink = ["beam.runner=flink", f"beam.flink.address={self.address}", jar]
        return load_configuration(self.project.configuration, [*flink, *overrides])


def _free_ports() -> int:
    """Return the first of two adjacent free ports."""
    while True:
        with socket.socket() as one, socket.socket() as next_one:
            one.bind(("localhost", 0))
            port = int(one.getsockname()[1])
            try:
                next_one.bind(("localhost", port + 1))
            except OSError:
                continue
            return port


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    if shutil.which("java") is None:
        pytest.skip("java is missing; install OpenJDK 11 or 17")
    if not (_FETCHED / ".fetched").exists():
        pytest.skip("Flink is missing; scripts/flink.sh fetch downloads it")
    if not _WORKER.exists():
        pytest.skip(f"{_WORKER} is missing; make setup installs it")
    base = tmp_path_factory.mktemp("flink")
    project = make_project(base / "project", rows=200)
    folder = base / "cluster"
    folder.mkdir()
    for path in _FETCHED.glob("*flink-*"):
        (folder / path.name).symlink_to(path)
    shutil.copy(_FETCHED / ".fetched", folder)
    port = _free_ports()
    environment = os.environ | {
        "FLINK_DIR": str(folder), "FLINK_PORT": str(port), "FLINK_SHARED": str(project.folder),
        "JAVA_TOOL_OPTIONS": _SHORT_LIVED,
    }  # fmt: skip
    cluster = Cluster(f"http://localhost:{port}", folder, environment, project)
    try:
        cluster.start()
        pack_code(project.folder / "work" / "code.zip")
        yield cluster
    finally:
        subprocess.run([_SCRIPT, "stop"], env=environment, check=True)


def _content(uri: str) -> dict[str, bytes]:
    """Return the decompressed files of an artifact by path."""
    files = [path for path in Path(uri).rglob("*") if path.is_file()]
    return {
        str(path.relative_to(uri)): gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes()
        for path in files
    }


def _check_has_its_own_tmp(pid: int) -> None:
    file = Path("/tmp", f"of-this-test-{os.getpid()}")
    file.touch()
    try:
        assert not Path(f"/proc/{pid}/root", file.relative_to("/")).exists()
    finally:
        file.unlink()


def test_examples_are_those_of_the_local_run(cluster: Cluster) -> None:
    if os.getuid() == 0:
        _check_has_its_own_tmp(cluster.pid("taskmanager-1"))
    flink = cluster.configuration()
    check_cluster(flink.beam)
    on_flink = local.run(flink, Observers(), until="TextExampleGen").artifacts["TextExampleGen"]
    alone = load_configuration(cluster.project.configuration, [f"work_dir={cluster.project.folder / 'here'}"])
    in_process = local.run(alone, Observers(), until="TextExampleGen").artifacts["TextExampleGen"]
    assert IngestReport.read(on_flink["quarantine"]).accepted == 200
    assert _content(on_flink["examples"]) == _content(in_process["examples"])
    assert _content(on_flink["quarantine"]).keys() == _content(in_process["quarantine"]).keys()


def test_scores_on_the_cluster_and_after_a_kill_only_what_is_missing(cluster: Cluster) -> None:
    folder = cluster.project.folder
    version = push(folder / "registry", folder / "exported")
    rows, output = folder / "rows.csv", folder / "scored"
    rows.write_text("id,text\n" + "".join(f"r{number},refund {number}\n" for number in range(3000)))
    flink = {"address": cluster.address, "job_server_jar": str(cluster.folder / "beam-flink-job.jar")}
    overrides = ["scoring.rows_per_shard=5", *(f"beam.flink.{key}={value}" for key, value in flink.items())]
    settings = [part for override in overrides for part in ("--set", override)]
    arguments = ["--model", version.path, "--input", str(rows), "--output", str(output), "--quiet"]
    process = subprocess.Popen(
        [sys.executable, "-m", "pipeline", "score", *arguments, "--beam", "flink", "--workers", "2", *settings]
    )
    until = time.monotonic() + 300
    while len(list(output.glob("scores/*"))) < 3:
        assert process.poll() is None, "it ended by itself"
        assert time.monotonic() < until
        time.sleep(0.1)
    process.kill()
    process.wait()
    # A job goes on without whoever submitted it.
    (job,) = [job for job in _jobs(cluster) if job["name"] == "score"]
    requests.patch(f"{cluster.address}/jobs/{job['jid']}", timeout=10).raise_for_status()
    while any(job["state"] != "CANCELED" for job in _jobs(cluster) if job["name"] == "score"):
        time.sleep(0.2)
    first = {shard.name: shard.stat().st_mtime_ns for shard in (output / "scores").iterdir()}
    assert len(first) < 600, "it was killed in the middle"

    beam_settings = {"runner": "flink", "workers": 2}
    configuration = score_configuration(None, overrides, {"output": str(output)}, [str(rows)], beam_settings)
    record = score(configuration, version.path, PlainConsole(quiet=True))
    assert record.rows is not None
    assert (record.rows.read, record.rows.scored, record.shards) == (3000, 3000, 600)
    assert [row["id"] for row in rows_of(output)] == [f"r{number}" for number in range(3000)]
    assert first.items() <= {shard.name: shard.stat().st_mtime_ns for shard in (output / "scores").iterdir()}.items()


def _jobs(cluster: Cluster) -> list[dict[str, Any]]:
    jobs: list[dict[str, Any]] = requests.get(f"{cluster.address}/jobs/overview", timeout=10).json()["jobs"]
    return jobs


def test_a_job_survives_a_taskmanager(cluster: Cluster) -> None:
    marks = cluster.project.folder / "marks"
    marks.mkdir()
    code = cluster.project.folder / "work" / "code.zip"
    arguments = beam_arguments(cluster.configuration(), code)

    def mark(number: int) -> tuple[int, int]:
        time.sleep(0.5)
        (marks / f"{number}").touch()
        return number % 2, number

    def kill_when_half_done() -> None:
        while len(list(marks.iterdir())) < 5:
            time.sleep(0.1)
        os.killpg(cluster.pid("taskmanager-2"), signal.SIGKILL)

    killer = Thread(target=kill_when_half_done, daemon=True)
    killer.start()
    with beam.Pipeline(argv=arguments) as pipeline:
        _ = (
            pipeline
            | beam.Create(range(20))
            | beam.Reshuffle()
            | beam.Map(mark)
            | beam.GroupByKey()
            | beam.MapTuple(lambda key, numbers: f"{key} {sum(numbers)}")
            | beam.io.WriteToText(str(marks.parent / "sums"))
        )
    killer.join()
    sums = [line for path in marks.parent.glob("sums*") for line in path.read_text().splitlines()]
    assert sorted(sums) == ["0 90", "1 100"]
    ended = subprocess.run([_SCRIPT, "status"], env=cluster.environment, capture_output=True, text=True, check=False)
    assert "taskmanager-2: has ended; scripts/flink.sh start starts it again" in ended.stdout
    cluster.start()
    assert requests.get(f"{cluster.address}/overview", timeout=10).json()["taskmanagers"] == 2
