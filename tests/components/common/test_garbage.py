"""Garbage collection that waits for imports."""

import gc

import pytest

from components.common.garbage import paused_collection


def test_collects_nothing_in_the_block_and_leaves_its_objects_alone_afterwards() -> None:
    try:
        with paused_collection():
            assert not gc.isenabled()
            kept: list[list[int]] = [[] for _ in range(10_000)]
        assert gc.isenabled()
        assert gc.get_freeze_count() >= len(kept)
    finally:
        gc.unfreeze()


def test_collection_goes_on_after_an_error() -> None:
    try:
        with pytest.raises(ValueError, match="x"), paused_collection():
            raise ValueError("x")
        assert gc.isenabled()
    finally:
        gc.unfreeze()
