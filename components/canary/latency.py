"""Comparison of a model's latency with the live model's, on the same machine in the same minute."""

import statistics
from dataclasses import dataclass, field

from components.canary.process import ModelError, Probe, ProbeDied
from components.canary.requests import Row, example_of
from components.canary.settings import CanarySettings
from components.common.progress import PROGRESS
from components.registry import Latency

# Every live model has this signature, whatever its age, and it reads texts and pairs alike.
_SIGNATURE = "serving_default"
_WARM_UP, _ROUNDS, _ATTEMPTS = 2, 11, 3


@dataclass(frozen=True)
class Comparison:
    """Latencies of the requests that were timed.

    Attributes:
        measured: One entry for each request.
        note: Why the comparison is missing or incomplete; empty otherwise.
    """

    measured: list[Latency] = field(default_factory=list)
    note: str = ""

    def reasons(self, settings: CanarySettings) -> list[str]:
        """Return why the model may not be pushed: one line for each request that takes too long."""
        return [
            f"{latency.request} in one request: {latency.candidate_ms:.1f} ms, above the bound of "
            f"{latency.bound_ms:.1f} ms (the live model's {latency.baseline_ms:.1f} ms times "
            f"{settings.latency_ratio:g}, plus {settings.latency_tolerance_ms:g} ms)"
            for latency in self.measured
            if not latency.passed
        ]


def compare(probe: Probe, live: Probe, live_dir: str, rows: list[Row], settings: CanarySettings) -> Comparison:
    """Time a request of one row and one of all rows, both models by turns.

    A request that takes too long is timed again, twice at most, so that noise does not decide.

    Args:
        probe: Process that has loaded the candidate.
        live: Process that has loaded nothing yet.
        live_dir: SavedModel of the live model. If it cannot be loaded or does not answer, that is no reason against
            the candidate.
        rows: Rows to send, at least one.
        settings: The bound.

    Raises:
        ModelError: The candidate answers with an error.
        ProbeDied: The candidate's process died.
    """
    PROGRESS.info("measuring latency beside the live model")
    try:
        live.load(live_dir)
    except (ModelError, ProbeDied) as error:
        return Comparison(note=f"not compared: the live model can no longer be loaded: {error}")
    measured: list[Latency] = []
    for name, batch in {"one text": rows[:1], f"{len(rows)} texts": rows}.items():
        examples = {"examples": [example_of(row) for row in batch]}
        best: Latency | None = None
        for _ in range(_ATTEMPTS):
            try:
                latency = _time(probe, live, name, examples, settings)
            except _LiveModelFailed as failure:
                return Comparison(measured, f"not compared: {failure}")
            best = latency if best is None or latency.excess_ms < best.excess_ms else best
            if best.passed:
                break
        measured += [best] if best else []
    return Comparison(measured)


class _LiveModelFailed(Exception):  # noqa: N818 - it reads as what happened
    pass


def _time(probe: Probe, live: Probe, name: str, examples: dict[str, list[bytes]], settings: CanarySettings) -> Latency:
    of_candidate, of_live = [], []
    for _ in range(_WARM_UP + _ROUNDS):
        of_candidate.append(1000 * probe.ask(_SIGNATURE, examples, name).seconds)
        try:
            of_live.append(1000 * live.ask(_SIGNATURE, examples, name).seconds)
        except (ModelError, ProbeDied) as error:
            raise _LiveModelFailed(f"the live model no longer answers: {error}") from error
    candidate, baseline = (statistics.median(times[_WARM_UP:]) for times in (of_candidate, of_live))
    bound = baseline * (settings.latency_ratio or 1.0) + settings.latency_tolerance_ms
    return Latency(
        request=name, candidate_ms=round(candidate, 3), baseline_ms=round(baseline, 3), bound_ms=round(bound, 3)
    )
