"""Confidence intervals of shares."""

import math

import pytest

from components.evaluation.metrics.proportions import proportion_interval


@pytest.mark.parametrize(("successes", "n"), [(0, 3), (1, 10), (7, 13), (45, 60), (998, 1000), (5, 5)])
def test_bounds_are_where_the_share_is_just_not_rejected(successes: int, n: int) -> None:
    interval = proportion_interval(successes, n)
    assert interval is not None
    # Wilson's bounds are the shares p from which k / n is 1.96 standard errors away, sqrt(p (1 - p) / n) each.
    for bound in interval:
        if 0.0 < bound < 1.0:
            distance = abs(successes / n - bound) / math.sqrt(bound * (1 - bound) / n)
            assert distance == pytest.approx(1.959964, abs=1e-5)
    assert interval[0] <= successes / n <= interval[1]


def test_no_examples_have_no_interval() -> None:
    assert proportion_interval(0, 0) is None
