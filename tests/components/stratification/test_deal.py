"""Deals: files, weights, and what a registry remembers."""

import uuid
from pathlib import Path

import numpy as np
import pytest

from components.common.entries import numeric_names
from components.common.files import exists, remove_file
from components.stratification import memory
from components.stratification.deal import BUCKETS, Deal, Weights, bucket_of, reduced
from components.stratification.stratify import UNDEALT
from schema.errors import Refused

_WEIGHTS: Weights = (8, 1, 1)


def _deal(weights: Weights = _WEIGHTS, /, **splits: int) -> Deal:
    """Return a deal of the buckets b0, b1, ..."""
    of_all = np.full(BUCKETS, UNDEALT, np.uint8)
    for name, split in splits.items():
        of_all[int(name[1:])] = split
    return Deal({weights: of_all})


def test_a_deal_survives_its_file() -> None:
    deal = Deal({**_deal(b0=0, b1=2, b4194303=1).splits, **_deal((9, 1, 0), b5=1).splits})
    content = deal.to_bytes()
    assert len(content) < 10_000, "buckets that nothing is in cost nothing"
    again = Deal.from_bytes(content, "deal.bin")
    assert again == deal
    assert again.of(_WEIGHTS)[[0, 1, 2, BUCKETS - 1]].tolist() == [0, 2, UNDEALT, 1]
    assert again.of((9, 1, 0))[5] == 1


def test_a_full_deal_takes_a_mebibyte() -> None:
    splits = np.random.default_rng(0).integers(0, 3, BUCKETS).astype(np.uint8)
    assert len(Deal({_WEIGHTS: splits}).to_bytes()) <= (1 << 20) + 1_000


@pytest.mark.parametrize("at", [0, 30, 200])
def test_a_damaged_file_is_refused(at: int) -> None:
    content = bytearray(_deal(b0=0).to_bytes())
    content[at] ^= 1
    with pytest.raises(Refused, match=r"deal.bin: is damaged .*; restore it"):
        Deal.from_bytes(bytes(content), "deal.bin")


def test_buckets_are_spread_over_all_units_of_a_partition() -> None:
    keys = np.random.default_rng(0).integers(0, 1 << 63, 1_000).astype(np.uint64) * np.uint64(2)
    buckets = bucket_of(keys - keys % np.uint64(512))
    assert len(np.unique(buckets)) > 990
    assert buckets.max() < BUCKETS
    assert bucket_of(np.array([2**64 - 1], np.uint64)).tolist() == [BUCKETS - 1]


def test_weights_are_the_same_without_a_common_factor() -> None:
    assert reduced((80, 10, 10)) == reduced((16, 2, 2)) == (8, 1, 1)


@pytest.fixture(params=["local", "remote"])
def registry(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """A registry in a folder, and one behind TensorFlow's file systems, as one in gs:// is."""
    return str(tmp_path / "registry") if request.param == "local" else f"ram://{uuid.uuid4().hex}/registry"


def _remember(registry: str, tmp_path: Path, deal: Deal, inputs: str) -> None:
    memory.write_deal(str(tmp_path / inputs), deal, inputs)
    memory.remember(registry, str(tmp_path / inputs))


def test_what_was_dealt_first_stays(registry: str, tmp_path: Path) -> None:
    _remember(registry, tmp_path, _deal(b0=0, b1=1), "monday")
    _remember(registry, tmp_path, _deal(b1=2, b2=2), "tuesday")
    last = memory.read_remembered(registry, memory.number_to_start_from(registry, "wednesday"))
    assert last.deal.of(_WEIGHTS)[:4].tolist() == [0, 1, 2, UNDEALT]


def test_inputs_are_dealt_out_again_beside_what_they_were_dealt_out_beside_before(
    registry: str, tmp_path: Path
) -> None:
    assert memory.number_to_start_from(registry, "monday") == 0
    _remember(registry, tmp_path, _deal(b0=0), "monday")
    assert memory.number_to_start_from(registry, "monday") == 0
    assert memory.number_to_start_from(registry, "tuesday") == 1
    _remember(registry, tmp_path, _deal(b1=0), "tuesday")
    assert memory.number_to_start_from(registry, "tuesday") == 1
    assert memory.number_to_start_from(registry, "monday") == 2
    assert memory.describe_start(registry, "tuesday") != memory.describe_start(registry, "monday")


def test_nothing_is_written_if_nothing_is_new_and_old_entries_go(registry: str, tmp_path: Path) -> None:
    memory.remember(registry, str(tmp_path))  # splits by hash leave no deal
    assert not exists(f"{registry}/.splits")
    for day in range(6):
        _remember(registry, tmp_path, _deal(**{f"b{day}": 0}), f"day {day}")
    _remember(registry, tmp_path, _deal(b0=1), "day 7")
    assert sorted(numeric_names(f"{registry}/.splits")) == ["00000004", "00000005", "00000006"]


def test_a_lost_deal_is_refused(registry: str, tmp_path: Path) -> None:
    _remember(registry, tmp_path, _deal(b0=0), "monday")
    remove_file(f"{registry}/.splits/00000001/deal.bin")
    with pytest.raises(Refused, match=r"deal.bin: is gone; restore it, or delete .*: rows may then change their split"):
        memory.read_remembered(registry, 1)
