"""TFX's launcher makes the folders of outputs, Kubeflow's does not: who writes into one makes it."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from components.baseline.record import BaselineRecord, read_baseline, write_baseline
from components.blessing.judgement import Judgement, read_judgement, write_judgement


@pytest.mark.parametrize(
    ("write", "read", "content"),
    [
        (write_baseline, read_baseline, BaselineRecord(has_baseline=False)),
        (write_judgement, read_judgement, Judgement(blessed=True, reasons=[])),
    ],
)
def test_what_is_written_into_an_artifact_without_a_folder_is_read_again(
    tmp_path: Path, write: Callable[[str, Any], None], read: Callable[[str], Any], content: Any
) -> None:
    write(str(tmp_path / "artifact"), content)
    assert read(str(tmp_path / "artifact")) == content
