"""Profile of a version: the statistics that its answers are compared with.

    <registry>/.profiles/<model_id>/profile.json
    <registry>/.profiles/<model_id>/FeatureStats.pb
    <registry>/.profiles/<model_id>/answers.parquet

It describes what the version answers for texts of the eval split that it was trained with, which neither trained it
nor judged it. It is kept by the model's id, so that a version that a rollback has copied has it too, and in the
registry for the reasons that the training log is there (`components.training_log.log`). TensorFlow Serving ignores the
folder.
"""

import io
from datetime import UTC, datetime
from typing import ClassVar

import pyarrow as pa
import pyarrow.parquet as pq
from google.protobuf.message import DecodeError
from pydantic import Field
from tensorflow_metadata.proto.v0 import statistics_pb2

from components.common.files import make_folder, make_private_folder, read_bytes, write_whole
from components.common.record import Record
from components.registry import PROFILES
from schema.errors import Refused

_STATISTICS_FILE = "FeatureStats.pb"
_ROWS_FILE = "answers.parquet"  # a table of serving.watch.rows, without texts, for reports of other tools


class Profile(Record):
    """Profile of a version.

    Attributes:
        model_id: Id of the model.
        rows: Number of texts.
        when: Time at which it was made, ISO 8601.
    """

    FILE: ClassVar = "profile.json"  # written last

    model_id: str
    rows: int
    when: str = Field(default_factory=lambda: datetime.now(UTC).isoformat(timespec="seconds"))


def write_profile(
    registry: str, model_id: str, rows: pa.Table, statistics: statistics_pb2.DatasetFeatureStatisticsList
) -> None:
    """Write the profile of a model, in place of an earlier one.

    Args:
        registry: The registry.
        model_id: Id of the model.
        rows: Its answers, a table of `serving.watch.rows`.
        statistics: Their statistics, from `serving.watch.statistics.statistics_of`.
    """
    make_private_folder(f"{registry.rstrip('/')}/{PROFILES}")
    folder = _folder(registry, model_id)
    make_folder(folder)
    write_whole(f"{folder}/{_STATISTICS_FILE}", statistics.SerializeToString(deterministic=True))
    content = io.BytesIO()
    pq.write_table(rows, content, compression="zstd")
    write_whole(f"{folder}/{_ROWS_FILE}", content.getvalue())
    Profile(model_id=model_id, rows=rows.num_rows).write(folder)


def read_profile(registry: str, model_id: str) -> statistics_pb2.DatasetFeatureStatisticsList | None:
    """Read the statistics of a model's profile; None if it has none.

    Raises:
        Refused: The profile is damaged.
    """
    folder = _folder(registry, model_id)
    try:
        Profile.read(folder)
        content = read_bytes(f"{folder}/{_STATISTICS_FILE}")
    except FileNotFoundError:
        return None
    try:
        return statistics_pb2.DatasetFeatureStatisticsList.FromString(content)
    except DecodeError:
        raise Refused(
            f"{folder}/{_STATISTICS_FILE}: is damaged (not a statistics file); delete {folder}, and run the pipeline"
        ) from None


def read_profile_rows(registry: str, model_id: str) -> pa.Table | None:
    """Read the answers that a model's profile was made of; None if it has none, as those of earlier releases.

    Raises:
        Refused: The file is damaged.
    """
    path = f"{_folder(registry, model_id)}/{_ROWS_FILE}"
    try:
        return pq.read_table(io.BytesIO(read_bytes(path)))
    except FileNotFoundError:
        return None
    except pa.ArrowException as error:
        raise Refused(f"{path}: is damaged ({error}); delete {path.rpartition('/')[0]}, and run the pipeline") from None


def _folder(registry: str, model_id: str) -> str:
    return f"{registry.rstrip('/')}/{PROFILES}/{model_id}"
