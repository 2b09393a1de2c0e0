"""The example notebook, executed in a kernel of its own."""

from pathlib import Path
from typing import Any

import nbformat
import pytest
from nbclient import NotebookClient

_ROOT = Path(__file__).parents[2]
_NOTEBOOK = _ROOT / "examples" / "pipeline.ipynb"
_TIMEOUT_S = 900
_STEPS = '"max_steps": 60', '"max_steps": 3'  # what the notebook answers after more of them is not asserted


@pytest.fixture(scope="module")
def executed(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """Return the notebook with the outputs of its cells; a cell that raises fails the test."""
    notebook = nbformat.read(_NOTEBOOK, as_version=4)
    (settings,) = [cell for cell in notebook.cells if _STEPS[0] in cell.source]
    settings.source = settings.source.replace(*_STEPS)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TMPDIR", str(tmp_path_factory.mktemp("notebook")))
        patch.setenv("PYTHONPATH", str(_ROOT), prepend=":")
        NotebookClient(
            notebook, timeout=_TIMEOUT_S, kernel_name="python3", resources={"metadata": {"path": str(_ROOT)}}
        ).execute()
    return notebook


def _outputs(notebook: Any) -> list[Any]:
    return [output for cell in notebook.cells for output in cell.get("outputs", ())]


def test_trains_and_answers(executed: Any) -> None:
    printed = "".join(output["text"] for output in _outputs(executed) if output["output_type"] == "stream")
    assert "Trainer done" in printed
    assert "I was charged twice" in printed


def test_draws_curves(executed: Any) -> None:
    assert any("image/png" in output.get("data", {}) for output in _outputs(executed))


def test_is_committed_without_outputs() -> None:
    assert not _outputs(nbformat.read(_NOTEBOOK, as_version=4))
