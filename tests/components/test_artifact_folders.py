"""Records in artifacts: whoever writes one creates the folder, which TFX's launcher does but Kubeflow's does not."""

from pathlib import Path

import pytest

from components.baseline.record import BaselineRecord
from components.blessing.judgement import Judgement
from components.common.record import Record


@pytest.mark.parametrize("record", [BaselineRecord(has_baseline=False), Judgement(blessed=True, reasons=[])])
def test_a_record_creates_its_folder(tmp_path: Path, record: Record) -> None:
    record.write(str(tmp_path / "artifact"))
    assert type(record).read(str(tmp_path / "artifact")) == record
