"""Measurement of a training, for all sides of `benchmarks.train`: it needs the standard library alone."""

import resource
import statistics
import time
from typing import Any


class Meter:
    """Measurement of the steps of one training.

    The first steps, in which graphs are traced and code is compiled, count for the losses but not for the rate.

    Args:
        job: warm_steps, number of the first steps; curve, number of steps of each mean of the losses.
    """

    def __init__(self, job: dict[str, Any]) -> None:
        self._warm_steps, self._curve = job["warm_steps"], job["curve"]
        self._losses: list[float] = []
        self._n_steps = self._n_seen = 0
        self._started, self._processor = time.perf_counter(), time.process_time()
        self._ended, self._processor_ended = self._started, self._processor

    def step(self, n_examples: int, loss: float | None = None) -> None:
        """Record a step that has just ended, and its loss where the loop knows it."""
        if loss is not None:
            self._losses.append(loss)
        self._n_steps += 1
        self._ended, self._processor_ended = time.perf_counter(), time.process_time()
        if self._n_steps <= self._warm_steps:
            self._started, self._processor = self._ended, self._processor_ended
        else:
            self._n_seen += n_examples

    def add_mean_loss(self, loss: float) -> None:
        """Record the mean loss of `curve` steps, from a loop that does not tell the loss of each."""
        self._losses += [loss] * self._curve

    def result(self) -> dict[str, Any]:
        """Return the rate in examples/s and in examples per second of processor time, losses and peak memory in MB."""
        means = range(0, len(self._losses), self._curve)
        return {
            "examples_per_s": round(self._n_seen / (self._ended - self._started), 1),
            "examples_per_cpu_s": round(self._n_seen / (self._processor_ended - self._processor), 1),
            "loss": [round(statistics.mean(self._losses[start : start + self._curve]), 4) for start in means],
            "peak_memory_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024,
        }
