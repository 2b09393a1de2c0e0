"""Build the image with a container engine and use it as a cluster would; `make test-image`, since it takes minutes.

Each container has uid 1000, no network, no capabilities, a read-only root file system and a bound on memory.
"""

import json
import os
import shutil
import subprocess
import time
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

import pytest

from tests.image.engine import UID, Engine, Image, missing_tools
from tests.runners.kubeflow.backend import DISK, Backend
from tests.runners.kubeflow.services import serve
from tests.support.small_project import Project, make_project

pytestmark = pytest.mark.skipif(
    not os.environ.get("TEST_IMAGE"), reason="building the image takes minutes, a network and root: make test-image"
)

_ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def engine(tmp_path_factory: pytest.TempPathFactory) -> Engine:
    missing = missing_tools()
    assert not missing, f"make test-image needs {', '.join(missing)}"
    return Engine(tmp_path_factory.mktemp("image"))


@pytest.fixture(scope="module")
def image(engine: Engine) -> Image:
    """Image of the variant that TEST_IMAGE names, cpu or cuda; it stays in the engine's store, as do its layers."""
    started = time.monotonic()
    image = engine.build(os.environ["TEST_IMAGE"])
    print(f"\nimage: built in {time.monotonic() - started:.0f} s, {image.megabytes} MB")  # noqa: T201
    return image


@pytest.fixture
def project(tmp_path: Path) -> Project:
    """Return a project that the image's user may write to."""
    project = make_project(tmp_path / "project", rows=400)
    project.configure(evaluation={"gates": ["macro_f1 >= 0"]})
    _give(tmp_path)
    return project


def _give(folder: Path) -> None:
    """Give a folder and what is in it to the image's user."""
    for path in (folder, *folder.rglob("*")):
        os.chown(path, UID, UID)


def _shell(image: Image, script: str) -> str:
    return image.run("sh", "-c", script, entrypoint="").stdout


def test_has_no_compiler_and_nothing_that_only_develops(image: Image) -> None:
    tools = "gcc g++ cc c++ cpp as ld strip clang rustc go uv patchelf pytest ruff mypy"
    assert _shell(image, f"for tool in {tools}; do command -v $tool; done") == ""
    assert _shell(image, "find /venv -name '*.a' -or -name '*.h'") == ""


def test_runs_as_a_user_that_cannot_change_what_is_run(image: Image) -> None:
    # By number, so that Kubernetes' runAsNonRoot can tell.
    assert image.configuration(".Config.User") == str(UID)
    assert _shell(image, "id --user").strip() == str(UID)
    assert _shell(image, "find /venv -writable -not -type l") == ""


def test_its_entry_point_takes_signals(image: Image) -> None:
    # A shell in between would keep SIGTERM to itself.
    assert image.configuration(".Config.Entrypoint") == "[bert-multilabel]"


def test_memory_is_bounded(image: Image) -> None:
    ended = image.run("python", "-c", "len(b'x' * (1 << 30))", entrypoint="", memory="256m")
    assert ended.returncode in (137, 139)


def test_holds_the_bytecode_of_what_steps_import(image: Image) -> None:
    program = "import time; start = time.process_time(); import tfx.v1, tensorflow_model_analysis as imported; "
    program += "print(time.process_time() - start, imported.__cached__)"
    seconds, bytecode = image.run("python", "-c", program, entrypoint="").stdout.split()
    assert _shell(image, f"test -f {bytecode} && echo yes") == "yes\n"
    print(f"\nimage: the imports of a step take {float(seconds):.1f} s of processor time")  # noqa: T201
    assert image.run("python", "-c", _WITHOUT_BYTECODE, entrypoint="").stdout == ""


_WITHOUT_BYTECODE = """\
import os, runpy, sys
sys.argv = ["imports.py", "--project"]
runpy.run_path("/project/imports.py", run_name="__main__")
for name, module in sorted(sys.modules.items()):
    cached = getattr(module, "__cached__", None)
    if cached and cached.startswith("/venv/") and not os.path.exists(cached):
        print(name)
"""


def test_a_whole_pipeline_runs_in_it(image: Image, project: Project) -> None:
    ran = image.run(
        "run", "--config", str(project.configuration),
        mounts={project.folder: str(project.folder)},
    )  # fmt: skip
    assert ran.returncode == 0, ran.stdout + ran.stderr
    (run,) = project.runs.iterdir()
    summary = json.loads((run / "summary.json").read_text())
    assert Path(summary["pushed"]).parent == project.registry
    assert run.stat().st_uid == UID
    durations, memory = summary["durations_s"], summary["peak_memory_mb"]
    print(f"\nseconds: {durations}; {memory} MB at most; versions {summary['versions']}")  # noqa: T201

    # What was pushed answers in another container.
    predicted = image.run(
        "predict", "--model", str(project.registry), "--text", "refund my money",
        mounts={project.folder: str(project.folder)},
    )  # fmt: skip
    assert predicted.returncode == 0, predicted.stderr
    assert "refund" in predicted.stdout

    scored = image.run(
        "score", "--model", str(project.registry), "--input", str(project.data), "--json",
        "--output", str(project.folder / "scored"), mounts={project.folder: str(project.folder)},
    )  # fmt: skip
    assert scored.returncode == 0, scored.stderr
    rows = json.loads(scored.stdout)["rows"]
    assert rows["scored"] > 0
    assert rows["read"] == rows["scored"] + rows["quarantined"]

    # There is no network between containers here, so the client is in the server's.
    served = image.run(
        "python", "-c", _SERVE, str(project.registry), entrypoint="", mounts={project.folder: str(project.folder)}
    )
    assert served.returncode == 0, served.stderr
    assert "refund" in served.stdout


_SERVE = """\
import json, signal, subprocess, sys, time, urllib.request
server = subprocess.Popen(["bert-multilabel", "serve", "--model", sys.argv[1]])
body = json.dumps({"signature_name": "serve_text", "instances": ["refund my money"]}).encode()
for _ in range(300):
    try:
        print(urllib.request.urlopen("http://127.0.0.1:8501/v1/models/default:predict", body).read().decode())
        break
    except OSError:
        time.sleep(1)
server.send_signal(signal.SIGTERM)
sys.exit(server.wait())
"""


@dataclass
class _Pods(Backend):
    """Backend that runs each step's command in a container of the image."""

    image: Image | None = None

    def launch(
        self, command: list[str], environment: Mapping[str, str], disk: Path
    ) -> subprocess.CompletedProcess[str]:
        assert self.image is not None
        _give(disk)
        folder = self.root.parent
        mounts = {folder: str(folder)} | {disk / name: f"/{name}" for name in DISK}
        ended = self.image.run(*command, entrypoint="", mounts=mounts, environment=environment)
        assert {path.stat().st_uid for path in disk.rglob("*")} == {UID}
        return ended

    def root_of(self, disk: Path) -> str:  # noqa: ARG002 - the container has its files where Kubernetes' have
        return ""


def test_steps_of_kubeflow_run_in_it(image: Image, project: Project) -> None:
    folder = project.folder.parent
    project.configure(
        runner={"kubeflow": {"image": "bert-multilabel", "volumes": [{"claim": "all", "mount_path": str(folder)}]}}
    )
    package = folder / "compiled.yaml"
    compiled = image.run(
        "compile", "--runner", "kubeflow", "--config", str(project.configuration),
        "--output", str(package), mounts={folder: str(folder)},
    )  # fmt: skip
    assert compiled.returncode == 0, compiled.stderr
    with serve() as services:
        pods = _Pods(folder / "disks", services, image=image)
        run = pods.run(package, "StatisticsGen")
        assert not run.failed
        statistics = pods.download(run, "StatisticsGen", "statistics", folder)
    assert (statistics / "Split-train" / "FeatureStats.pb").is_file()


@pytest.mark.skipif(shutil.which("go") is None, reason="without Go, Beam's boot is in a container registry alone")
@pytest.mark.usefixtures("image")
def test_beam_starts_workers_in_it(engine: Engine, tmp_path: Path) -> None:
    engine.import_boot(version("apache-beam"))
    image = engine.build("beam")
    assert image.configuration(".Config.Entrypoint") == "[/opt/apache/beam/boot]"
    (tmp_path / "client.py").write_text(_CLIENT)
    _give(tmp_path)
    ran = image.run(
        "sh", "-c", "/opt/apache/beam/boot --worker_pool >/shared/log 2>&1 & timeout 120 python /shared/client.py",
        entrypoint="", mounts={tmp_path: "/shared"},
    )  # fmt: skip
    assert ran.returncode == 0, ran.stderr + (tmp_path / "log").read_text()
    # The worker's process is not the client's, and the project's own code is found in it.
    assert (tmp_path / "worker").read_text() == "bert-multilabel"


_CLIENT = """\
import os, socket, time
import apache_beam as beam
from apache_beam.options.pipeline_options import PipelineOptions

client = os.getpid()

def work(_):
    from components.common import files
    assert os.getpid() != client
    open("/shared/worker", "w").write("bert-multilabel" if files.__file__.startswith("/venv/") else "elsewhere")

for _ in range(60):
    if socket.socket().connect_ex(("localhost", 50000)) == 0:
        break
    time.sleep(1)
arguments = ["--runner=PortableRunner", "--job_endpoint=embed", "--environment_type=EXTERNAL",
             "--environment_config=localhost:50000"]
with beam.Pipeline(options=PipelineOptions(arguments)) as pipeline:
    pipeline | beam.Create([1]) | beam.Map(work)
"""
