"""Compare Beam's work on a Flink cluster of this machine with the same work in one process: results, time, memory.

    python -m benchmarks.flink --data FOLDER_OF_GOEMOTIONS [--kill]

This starts a JobManager and two TaskManagers (scripts/flink.sh), each with a /tmp of its own, and runs the whole
pipeline twice from the command line over all of GoEmotions, with `beam: {runner: local}` and `{runner: flink}`. The
checkpoint is a tiny BERT with MiniLM's vocabulary and random weights, whose head is trained for one epoch, because only
Beam's work is of interest. With --kill, a TaskManager and its workers are killed in the middle of a third run's
Transform; if that run fails, it is run again.

The comparison covers the examples and the transformed examples by id, the statistics' counts, and every metric. Memory
is the peak of the run's process and, with Flink, the cluster's processes together, sampled every second. The last line
of the output is one JSON object.
"""

import argparse
import json
import os
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import psutil
import yaml

_ROOT = Path(__file__).parents[1]
_SCRIPT = _ROOT / "scripts" / "flink.sh"
_BEAM_STEPS = ("TextExampleGen", "StatisticsGen", "Transform", "MultiLabelEvaluator")
_MOST_S = 3600


@dataclass(frozen=True)
class Measured:
    """Measurements of one run.

    Attributes:
        runner: Runner of Beam's work.
        exit_status: Exit status of the command line.
        wall_s: Elapsed time including imports, in s.
        steps_s: Durations of the steps that use Beam, in s.
        peak_mb: Peak memory of the run and, with Flink, of the cluster, in MiB.
        run_peak_mb: Peak memory of the run's own process, in MiB.
        lost: Whether a TaskManager was killed.
    """

    runner: str
    exit_status: int
    wall_s: float
    steps_s: dict[str, float]
    peak_mb: int
    run_peak_mb: int
    lost: bool = False


@dataclass(frozen=True)
class Compared:
    """Comparison of two runs over the same data.

    Attributes:
        examples: Number of ids in each split.
        different_examples: Number of ids whose examples differ or are missing in one run.
        transformed: Number of ids in each split after Transform.
        different_transformed: Number of ids whose transformed examples differ or are missing in one run.
        different_statistics: Number of features whose counts or values' counts differ.
        metrics: Number of metrics compared.
        greatest_difference: Greatest absolute difference of a metric.
    """

    examples: dict[str, int]
    different_examples: int
    transformed: dict[str, int]
    different_transformed: int
    different_statistics: int
    metrics: int
    greatest_difference: float


def configure(folder: Path, data: Path, runner: str) -> Path:
    """Write the configuration of a run and return its path."""
    from components.checkpoints.find import find_checkpoint
    from tests.support.tiny_bert import write_tiny_bert

    folder.mkdir()
    vocabulary = Path(str(find_checkpoint("minilm-l6").vocabulary)).read_text(encoding="utf-8").splitlines()
    write_tiny_bert(folder / "bert", vocabulary=vocabulary)
    content = yaml.safe_load((_ROOT / "configs" / "goemotions.yaml").read_text(encoding="utf-8"))
    content |= {
        "work_dir": "work",
        "registry": "registry",
        "schema_file": str(_ROOT / "schema" / "goemotions.pbtxt"),
        "checkpoint": "bert",
        "training": {"epochs": 1, "batch_size": 32, "trainable": "head", "deterministic": True},
        "evaluation": {"gates": []},
        "beam": {"runner": runner, "workers": 2},
    }
    content["examples"]["input_base"] = str(data)
    (folder / "pipeline.yaml").write_text(yaml.safe_dump(content))
    return folder / "pipeline.yaml"


def measure(runner: str, configuration: Path, kill: bool = False) -> Measured:
    """Run the pipeline in a process of its own."""
    started = time.monotonic()
    command = [sys.executable, "-m", "pipeline", "run", "--config", str(configuration)]
    process = subprocess.Popen(command, cwd=_ROOT, stdout=subprocess.PIPE, text=True)
    memory = _Memory(process.pid, _cluster() if runner == "flink" else [])
    memory.start()
    lost = False
    assert process.stdout is not None
    for line in process.stdout:
        print(f"  {time.monotonic() - started:5.0f} s  {line.rstrip()}", file=sys.stderr)
        if kill and "Transform ..." in line:
            lost = _lose_a_taskmanager()
    status = process.wait()
    wall_s = time.monotonic() - started
    memory.done.set()
    durations = _summary(configuration).get("durations_s", {})
    steps = {name: float(durations[name]) for name in _BEAM_STEPS if name in durations}
    return Measured(runner, status, round(wall_s, 1), steps, memory.peak >> 20, memory.run_peak >> 20, lost)


def compare(one: Path, other: Path) -> Compared:
    """Compare the artifacts of two runs, given the folders of their configurations."""
    examples = [_examples(folder, "TextExampleGen", "examples") for folder in (one, other)]
    transformed = [_examples(folder, "Transform", "transformed_examples") for folder in (one, other)]
    statistics = [_statistics(folder) for folder in (one, other)]
    metrics = [dict(_numbers(_summary(folder / "pipeline.yaml")["metrics"])) for folder in (one, other)]
    assert metrics[0].keys() == metrics[1].keys()
    return Compared(
        examples={split: len(ids) for split, ids in examples[0].items()},
        different_examples=_different(*examples),
        transformed={split: len(ids) for split, ids in transformed[0].items()},
        different_transformed=_different(*transformed),
        different_statistics=sum(
            statistics[0].get(key) != statistics[1].get(key) for key in statistics[0].keys() | statistics[1].keys()
        ),
        metrics=len(metrics[0]),
        greatest_difference=max(abs(value - metrics[1][name]) for name, value in metrics[0].items()),
    )


def _different(one: Mapping[str, Mapping[str, object]], other: Mapping[str, Mapping[str, object]]) -> int:
    different = 0
    for split in one.keys() | other.keys():
        first, second = one.get(split, {}), other.get(split, {})
        different += sum(first.get(each) != second.get(each) for each in first.keys() | second.keys())
    return different


def _artifact(folder: Path, component: str, key: str) -> Path:
    return max((folder / "work" / "artifacts" / component / key).iterdir(), key=lambda path: int(path.name))


def _examples(folder: Path, component: str, key: str) -> dict[str, dict[str, object]]:
    """Return the serialized features of each example, by split and id."""
    import tensorflow as tf

    splits: dict[str, dict[str, object]] = {}
    for split in sorted(_artifact(folder, component, key).glob("Split-*")):
        by_id: dict[str, object] = {}
        files = sorted(str(path) for path in split.glob("*.gz"))
        for serialized in tf.data.TFRecordDataset(files, "GZIP").as_numpy_iterator():
            features = tf.train.Example.FromString(serialized).features.feature
            identifier = features["id"].bytes_list.value[0].decode()
            assert identifier not in by_id, identifier
            by_id[identifier] = {name: feature.SerializeToString() for name, feature in features.items()}
        splits[split.name] = by_id
    return splits


def _statistics(folder: Path) -> dict[tuple[str, str], object]:
    """Return the counts of each split and feature; quantiles are sketches, which depend on the order of the rows."""
    import tensorflow_data_validation as tfdv

    counted: dict[tuple[str, str], object] = {}
    for split in sorted(_artifact(folder, "StatisticsGen", "statistics").glob("Split-*")):
        (data,) = tfdv.load_stats_binary(str(split / "FeatureStats.pb")).datasets
        for feature in data.features:
            kind = getattr(feature, feature.WhichOneof("stats"))
            common = kind.common_stats
            name = feature.name or "/".join(feature.path.step)
            counted[split.name, name] = (
                data.num_examples, common.num_non_missing, common.min_num_values, common.max_num_values,
                common.tot_num_values, getattr(kind, "min", None), getattr(kind, "max", None),
            )  # fmt: skip
    return counted


def _numbers(value: Any, name: str = "") -> list[tuple[str, float]]:
    if isinstance(value, dict):
        return [pair for key, below in value.items() for pair in _numbers(below, f"{name}/{key}")]
    return [(name, float(value))] if isinstance(value, int | float) else []


def _summary(configuration: Path) -> dict[str, Any]:
    runs = configuration.parent / "work" / "runs"
    content: dict[str, Any] = json.loads((max(runs.iterdir()) / "summary.json").read_text(encoding="utf-8"))
    return content


def _cluster() -> list[int]:
    run = _ROOT / "build" / "flink" / "run"
    return [int(path.read_text()) for path in sorted(run.glob("*.pid"))]


def _lose_a_taskmanager() -> bool:
    """Kill a TaskManager and its Python workers once Transform's job is about half done."""
    import requests

    while True:
        jobs = requests.get("http://localhost:8081/jobs/overview", timeout=10).json()["jobs"]
        if any(job["state"] == "RUNNING" and job["tasks"]["finished"] > 0.4 * job["tasks"]["total"] for job in jobs):
            break
        time.sleep(1)
    victim = int((_ROOT / "build" / "flink" / "run" / "taskmanager-2.pid").read_text())
    os.killpg(victim, signal.SIGKILL)
    print("  a TaskManager was killed", file=sys.stderr)
    return True


class _Memory(threading.Thread):
    """Sampler of the memory of a run's process, its children, and the cluster."""

    def __init__(self, run: int, cluster: list[int]) -> None:
        super().__init__(daemon=True)
        self._run, self._cluster = run, cluster
        self.peak = self.run_peak = 0
        self.done = threading.Event()

    def run(self) -> None:
        while not self.done.wait(1):
            run = _resident([self._run])
            self.run_peak = max(self.run_peak, run)
            self.peak = max(self.peak, run + _resident(self._cluster))


def _resident(roots: list[int]) -> int:
    total = 0
    for root in roots:
        try:
            process = psutil.Process(root)
            for each in (process, *process.children(recursive=True)):
                total += each.memory_info().rss
        except psutil.NoSuchProcess:
            continue
    return total


def main() -> None:
    """Run the pipelines, compare their results and print the figures."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--data", type=Path, required=True, help="Folder with GoEmotions' train.tsv and dev.tsv.")
    parser.add_argument("--kill", action="store_true", help="Kill a TaskManager during Transform of a third run.")
    arguments = parser.parse_args()
    runners = ["local", "flink", *(["flink"] if arguments.kill else [])]
    with tempfile.TemporaryDirectory() as temporary:
        # The TaskManagers have a /tmp of their own, in which only this folder is mounted.
        environment = os.environ | {"FLINK_SHARED": temporary, "PYTHON": sys.executable}
        subprocess.run([_SCRIPT, "start"], check=True, env=environment)
        try:
            folders = [Path(temporary, f"{number}-{runner}") for number, runner in enumerate(runners)]
            runs = []
            for folder, runner in zip(folders, runners, strict=True):
                configuration = configure(folder, arguments.data.resolve(), runner)
                runs.append(measure(runner, configuration, kill=folder == folders[-1] and arguments.kill))
                print(runs[-1], file=sys.stderr)
                if runs[-1].lost and runs[-1].exit_status == 1:
                    subprocess.run([_SCRIPT, "start"], check=True, env=environment)
                    runs.append(measure(runner, configuration))
                    print(runs[-1], file=sys.stderr)
            compared = [compare(folders[0], folder) for folder in folders[1:]]
        finally:
            subprocess.run([_SCRIPT, "stop"], check=True, env=environment)
    local, flink = runs[:2]
    beam_s = [sum(run.steps_s.values()) for run in (local, flink)]
    print(
        json.dumps(
            {
                "runs": [asdict(run) for run in runs],
                "compared_with_local": [asdict(each) for each in compared],
                "time_of_beam_steps_against_local": round(beam_s[1] / beam_s[0], 2),
                "memory_against_local": round(flink.peak_mb / local.peak_mb, 2),
            }
        )
    )


if __name__ == "__main__":
    main()
