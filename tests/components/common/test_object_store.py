"""Tests of folders in object stores: the S3 API of moto's server, and TensorFlow's file systems."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from components.common.object_store import remove_stored, stored_size
from schema.errors import Refused
from tests.runners.kubeflow.objects import Objects, serve_objects


@pytest.fixture(scope="module")
def objects(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Objects]:
    folder = tmp_path_factory.mktemp("objects")
    (folder / "model" / "variables").mkdir(parents=True)
    (folder / "model" / "graph").write_bytes(bytes(1_000))
    (folder / "model" / "variables" / "data").write_bytes(bytes(234))
    with serve_objects() as objects:
        for run in ("run-1", "run-10"):
            objects.upload(folder / "model", f"s3://bucket/root/small/{run}/Trainer/model")
        yield objects


@pytest.fixture
def reachable(objects: Objects, monkeypatch: pytest.MonkeyPatch) -> Objects:
    for name, value in objects.environment.items():
        monkeypatch.setenv(name, value)
    return objects


@pytest.mark.parametrize("scheme", ["s3", "minio"])
def test_removes_a_folder_and_no_other_that_begins_alike(reachable: Objects, scheme: str, tmp_path: Path) -> None:
    (tmp_path / "log").write_bytes(bytes(10))
    folder = f"{scheme}://bucket/root/small/run-1"
    reachable.upload(tmp_path / "log", f"{folder}/log")
    assert stored_size(folder) >= 10
    remove_stored(folder)
    assert stored_size(folder) == 0
    remove_stored(folder)  # a clean-up that was killed is repeated
    assert stored_size("s3://bucket/root/small/run-10") == 1_234
    assert stored_size("s3://bucket/nothing") == 0


def test_removes_a_folder_on_a_disk(tmp_path: Path) -> None:
    """gs:// goes through the same functions of `components.common.files`."""
    (tmp_path / "run-1" / "model").mkdir(parents=True)
    (tmp_path / "run-1" / "model" / "graph").write_bytes(bytes(7))
    folder = str(tmp_path / "run-1")
    assert stored_size(folder) == 7
    remove_stored(folder)
    remove_stored(folder)
    assert stored_size(folder) == 0
    with pytest.raises(Refused, match="only gs://, s3:// and minio://"):
        stored_size("hdfs://stored/run-1")


def test_says_what_is_missing_to_reach_a_store(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("AWS_ENDPOINT_URL", raising=False)
    monkeypatch.delenv("AWS_ENDPOINT_URL_S3", raising=False)
    with pytest.raises(Refused, match="minio:// does not say where the store is; set AWS_ENDPOINT_URL, AWS_ACCESS"):
        remove_stored("minio://mlpipeline/v2/artifacts/small/run-1")
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:1")
    with pytest.raises(Refused, match=r"^s3://bucket/run-1: .*connect"):
        stored_size("s3://bucket/run-1")
