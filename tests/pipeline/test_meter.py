"""Tests of the meter of a step's processor time and memory."""

import time

import numpy as np

from pipeline.meter import Meter


def test_measures_processor_time_and_not_time_that_passes() -> None:
    meter = Meter()
    time.sleep(0.2)
    assert meter.cost().cpu_s < 0.15
    until = time.process_time() + 0.2
    while time.process_time() < until:
        pass
    assert 0.19 <= meter.cost().cpu_s < 1


def test_measures_the_peak_of_each_step_alone() -> None:
    meter = Meter()
    large = np.ones(40_000_000)  # 305 MiB
    del large
    high, low = meter.cost().peak_memory_mb, Meter().cost().peak_memory_mb
    if high is None or low is None:
        return  # this machine does not let a process reset its peak
    assert high - low > 200
