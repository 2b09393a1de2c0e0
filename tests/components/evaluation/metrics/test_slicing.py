"""Slices and their names."""

from components.evaluation.metrics.slicing import bucket_name


def test_a_length_is_in_the_bucket_that_its_name_includes() -> None:
    lengths = (50, 100)
    assert [bucket_name(length, lengths) for length in (0, 49, 50, 99, 100, 10**6)] == [
        "0-49", "0-49", "50-99", "50-99", "100+", "100+",
    ]  # fmt: skip
