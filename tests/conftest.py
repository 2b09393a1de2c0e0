"""What holds for all tests."""

from pathlib import Path

import pytest

# Files that take longest, by processor time. `pytest -n 2 --dist loadfile` starts them in this order, so that no worker
# is left alone with one of them at the end. A new file need not be here unless it takes a minute.
LONGEST = (
    "end_to_end/test_runs.py",
    "runners/kubeflow/test_conformance.py",
    "end_to_end/test_data.py",
    "components/trainer/test_run_choices.py",
    "end_to_end/test_loop.py",
    "runners/kubeflow/test_spec.py",
    "examples/test_notebook.py",
    "components/trainer/test_windows.py",
    "components/trainer/test_families.py",
    "components/trainer/test_run.py",
    "components/preprocessing/test_preprocessing.py",
    "runners/beam/test_flink.py",
    "components/trainer/loop/test_resume.py",
    "components/trainer/test_distributed.py",
    "components/evaluation/test_other_labels.py",
    "components/trainer/test_search.py",
    "components/trainer/test_export_pairs.py",
    "components/canary/test_trial.py",
    "components/pusher/test_judgement.py",
    "components/trainer/loop/test_steps.py",
    "runners/beam/test_runner.py",
    "runners/vertex/test_conformance.py",
    "runners/vertex/test_spec.py",
    "faults/test_sample.py",
    "serving/server/test_server.py",
    "serving/collector/test_collector.py",
    "serving/scoring/test_scoring.py",
    "test_wheel.py",
)
_TESTS = Path(__file__).parent


def pytest_configure(config: pytest.Config) -> None:
    """Let pytest-xdist start files in the order of `LONGEST` and not the one with the most tests first."""
    if hasattr(config.option, "loadscopereorder"):
        config.option.loadscopereorder = False


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Put the tests of the longest files first where files are shared among processes."""
    if hasattr(config, "workerinput"):
        positions = {_TESTS / file: position for position, file in enumerate(LONGEST)}
        items.sort(key=lambda item: positions.get(item.path, len(LONGEST)))


def pytest_make_parametrize_id(val: object, argname: str) -> str | None:
    """Names a parameter of bytes by its argument: compressed and serialized bytes differ from process to process, and
    pytest-xdist refuses to run where two workers call one test two names.
    """
    return argname if isinstance(val, bytes) else None
