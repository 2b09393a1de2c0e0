"""The order of the code: which folder may import which, which modules are heavy, and what the set-up refuses."""

import ast
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.conftest import LONGEST

_ROOT = Path(__file__).parents[1]
# Each package may import itself and those after it.
_ORDER = ("cli", "runners", "pipeline", "serving", "components", "schema")
# `python -m pipeline` is an entry point, and so above everything.
_ENTRY_POINTS = ("pipeline/__main__.py",)
# Packages that take seconds to import.
_SLOW = frozenset({
    "apache_beam", "keras", "keras_hub", "kfp", "tensorflow", "tensorflow_data_validation", "tensorflow_model_analysis",
    "tensorflow_serving", "tensorflow_text", "tensorflow_transform", "tf_keras", "tfx", "tfx_bsl",
})  # fmt: skip
# Modules that import one of them when they are imported, by folder; "*": all of the folder. All others are read by
# commands that answer within a second, or by processes that have no TensorFlow.
_SLOW_MODULES: dict[str, set[str]] = {
    "components/baseline": {"component", "driver", "executor", "trial"},
    "components/behaviour": {"answers", "artifacts", "component", "executor", "judge"},
    "components/blessing": {"component", "executor"},
    "components/canary": {"component", "executor", "infra_validator", "latency", "requests", "trial"},
    "components/checkpoints": {"backbone"},
    "components/common": {"resolving_driver"},
    "components/data_gate": {"artifacts", "component", "drift", "executor"},
    "components/evaluation": {"component", "eval_config", "executor", "extractors", "results"},
    "components/evaluation/insights": {"explained", "gather"},
    "components/evaluation/metrics": {"intervals", "multi_label_metrics"},
    "components/example_gen": {"artifacts", "component", "driver", "executor", "ingest", "merging", "shards"},
    "components/example_gen/sources/bigquery": {"read"},
    "components/preprocessing": {"preprocessing", "tokenizer", "truncation", "windows"},
    "components/pusher": {"component", "driver", "executor"},
    "components/report": {"artifacts", "component", "executor", "gather"},
    "components/schema_import": {"*"},
    "components/statistics_gen": {"*"},
    "components/suspects": {"artifacts", "component", "encoding", "executor", "find", "out_of_fold"},
    "components/tracking": {"artifacts", "component", "executor"},
    "components/trainer": {
        "bfloat16_classifier",
        "decision_scores",
        "decoding",
        "export",
        "input_pipeline",
        "integrated_gradients",
        "model",
        "numerics",
        "pooling",
        "reference",
        "run",
        "search",
        "serving_classifier",
        "warm_start",
        "warmup",
        "window_pooling",
        "windowed_classifier",
        "windowed_head",
        "windowed_serving",
    },
    "components/trainer/cpu": {"*"},
    "components/trainer/loop": {
        "callbacks",
        "distribution",
        "fit",
        "losses",
        "optimizer",
        "parts",
        "pooled",
        "steps",
        "trainable",
        "training_loop",
    },
    "components/training_log": {"component", "executor", "statistics"},
    "components/variants": {"artifacts", "bfloat16", "component", "executor", "making", "measure", "onnx_maker"},
    "components/vertex_push": {"component", "executor"},
    "pipeline": {"create", "create_scoring"},
    "runners/beam": {"runner"},
    "runners/kfp": {"frame", "spec"},
    "runners/kubeflow": {"api", "pods", "runs", "spec"},
    "runners/local": {"launcher", "runner", "steps"},
    "runners/tfx_cli": {"vertex"},
    "runners/vertex": {"spec"},
    "serving": {"*"},
    "serving/scoring": {"component", "executor", "job"},
    "serving/server": {"grpc_services", "http", "model_protos", "rest", "saved_model", "server", "warmup"},
    "serving/watch": {"compare", "component", "executor", "statistics"},
}


def _modules(package: str) -> list[Path]:
    paths = sorted((_ROOT / package).rglob("*.py"))
    return [path for path in paths if path.relative_to(_ROOT).as_posix() not in _ENTRY_POINTS]


def _imported_names(path: Path) -> Iterator[str]:
    """Yield the dotted names that a module imports, also inside functions."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: imports are absolute"
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def _folder_of(name: str) -> str | None:
    """Return the folder that holds the module or package of a dotted name, None outside this project."""
    parts = name.split(".")
    if parts[0] not in _ORDER:
        return None
    for length in range(len(parts), 0, -1):
        path = _ROOT.joinpath(*parts[:length])
        if path.with_suffix(".py").is_file():
            return path.parent.relative_to(_ROOT).as_posix()
        if path.is_dir():
            return path.relative_to(_ROOT).as_posix()
    return None


def _folders() -> dict[str, set[str]]:
    """Return, for each folder, the folders it imports from."""
    graph: dict[str, set[str]] = {}
    for package in _ORDER:
        for path in _modules(package):
            folder = path.parent.relative_to(_ROOT).as_posix()
            targets = {target for name in _imported_names(path) if (target := _folder_of(name)) is not None}
            graph.setdefault(folder, set()).update(targets - {folder})
    return graph


def _circles(graph: dict[str, set[str]]) -> list[list[str]]:
    """Return the groups of folders each of which imports, over others, every other one of its group."""

    def reached(start: str) -> set[str]:
        seen: set[str] = set()
        waiting = [start]
        while waiting:
            for target in graph.get(waiting.pop(), ()):
                if target not in seen:
                    seen.add(target)
                    waiting.append(target)
        return seen

    within = {folder: reached(folder) for folder in graph}
    groups = {
        tuple(sorted(other for other in within[folder] if folder in within.get(other, ())))
        for folder in graph
        if folder in within[folder]
    }
    return [list(group) for group in sorted(groups)]


@pytest.mark.parametrize("package", _ORDER)
def test_packages_import_one_way(package: str) -> None:
    above = {*_ORDER[: _ORDER.index(package)], "tests", "benchmarks"}
    for path in _modules(package):
        assert not {name.split(".")[0] for name in _imported_names(path)} & above, path


def test_everything_is_shown_through_one_console() -> None:
    for package in _ORDER:
        for path in _modules(package):
            text = path.read_text(encoding="utf-8")
            assert path.name == "console.py" or not re.search(r"(?<!Plain)\bConsole\(", text), path


def test_no_folders_import_each_other() -> None:
    assert _circles(_folders()) == []


def test_a_circle_is_found_also_when_it_leads_over_a_third_folder() -> None:
    graph = {"a": {"b"}, "b": {"c"}, "c": {"a"}, "d": {"a"}}
    assert _circles(graph) == [["a", "b", "c"]]


def _imported_at_once(statements: list[ast.stmt]) -> Iterator[str]:
    """Yield the dotted names that a module imports when it is imported itself."""
    for node in statements:
        match node:
            case ast.Import():
                yield from (alias.name for alias in node.names)
            case ast.ImportFrom(module=str(module)):
                yield module
                yield from (f"{module}.{alias.name}" for alias in node.names)
            case ast.If() if "TYPE_CHECKING" not in ast.unparse(node.test):
                yield from _imported_at_once([*node.body, *node.orelse])
            case ast.Try() | ast.With():
                yield from _imported_at_once(node.body)


def _slow_modules() -> dict[str, set[str]]:
    """Return the modules that import a slow package, directly or over others, by folder."""
    paths = {path: path.relative_to(_ROOT) for package in _ORDER for path in _modules(package)}
    names = {".".join(path.with_suffix("").parts).removesuffix(".__init__"): path for path in paths.values()}
    imports = {
        name: set(_imported_at_once(ast.parse((_ROOT / path).read_text(encoding="utf-8")).body))
        for name, path in names.items()
    }
    slow: set[str] = set()
    while True:
        # Importing a.b.c imports a and a.b too.
        found = {
            name
            for name, imported in imports.items()
            if any(each.split(".")[0] in _SLOW for each in imported)
            or any(each == other or each.startswith(f"{other}.") for each in imported for other in slow)
        }
        if found == slow:
            break
        slow = found
    folders: dict[str, set[str]] = {}
    for name in slow:
        folders.setdefault(names[name].parent.as_posix(), set()).add(names[name].stem)
    for folder, found in folders.items():
        if found >= {path.stem for path in (_ROOT / folder).glob("*.py")} - {"__init__"}:
            folders[folder] = {"*"}
    return folders


def test_only_the_listed_modules_import_tensorflow() -> None:
    assert _slow_modules() == _SLOW_MODULES


def test_modules_are_not_imported_by_name() -> None:
    # A string hides an arrow. `components/__init__.py` answers TFX, which imports artifact classes by their TYPE_NAME.
    users = [
        path.relative_to(_ROOT).as_posix()
        for package in _ORDER
        for path in _modules(package)
        if any(name.startswith("importlib.import_module") for name in _imported_names(path))
    ]
    assert users == ["components/__init__.py"]


def test_help_answers_without_tensorflow() -> None:
    code = (
        "import sys; from cli import main as cli; sys.argv[1:] = ['--help']\n"
        "try: cli.main()\n"
        "finally: assert not {'tensorflow', 'tfx', 'apache_beam', 'keras', 'pyarrow'} & set(sys.modules)"
    )
    ended = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert ended.returncode == 0, ended.stderr
    for command in ("run", "init", "predict", "labels", "models", "compile", "schedule"):
        assert command in ended.stdout


def test_what_reads_files_only_needs_no_tensorflow() -> None:
    commands = [
        ["quarantine", "/nowhere"],
        ["report", "/nowhere"],
        ["history", "/nowhere"],
        ["labels", "list", "--schema", "/nowhere"],
        ["models", "list", "--registry", "/nowhere"],
    ]
    code = (
        "import sys; from tests.end_to_end.command import command\n"
        f"assert [command(*arguments) for arguments in {commands}] == {[2] * len(commands)}\n"
        "assert not {'tensorflow', 'tfx', 'apache_beam', 'keras'} & set(sys.modules)"
    )
    ended = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False, cwd=_ROOT)
    assert ended.returncode == 0, ended.stderr
    lines = ended.stderr.splitlines()
    assert len(lines) == len(commands)
    assert all(line.startswith("error: /nowhere: no ") for line in lines), ended.stderr


def test_the_longest_test_files_exist() -> None:
    assert [file for file in LONGEST if not (_ROOT / "tests" / file).is_file()] == []


def test_every_tfx_component_can_be_imported() -> None:
    # tfx.components swallows ImportErrors and leaves None.
    from tfx.v1 import components

    for name in ("StatisticsGen", "ExampleValidator", "Transform", "Trainer", "Evaluator", "Pusher"):
        assert getattr(components, name) is not None


def _set_up(folder: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    shutil.copytree(_ROOT / "scripts", folder / "scripts")
    return subprocess.run(
        ["bash", str(folder / "scripts" / "setup.sh")],
        capture_output=True, text=True, check=False, env=os.environ | environment,
    )  # fmt: skip


@pytest.mark.parametrize(
    ("python", "message"),
    [
        ("#!/bin/sh\nexit 127\n", "Python 3.11 is missing"),
        # A Python without its ensurepip, as Debian ships it.
        ('#!/bin/sh\ncase "$2" in *ensurepip*) exit 1;; esac\n', "lacks a standard module"),
        (
            '#!/bin/sh\ncase "$2" in *Python.h*) exit 1;; esac\n',
            "a C++ compiler or the headers of Python 3.11 are missing",
        ),
    ],
)
def test_set_up_says_in_one_line_what_is_missing(tmp_path: Path, python: str, message: str) -> None:
    fake = tmp_path / "python3.11"
    fake.write_text(python)
    fake.chmod(0o755)
    ended = _set_up(tmp_path / "clone", PYTHON=str(fake))
    assert ended.returncode == 1
    (line,) = ended.stderr.splitlines()
    assert message in line
    assert "Dockerfile" in line
    assert not (tmp_path / "clone" / ".venv").exists()
