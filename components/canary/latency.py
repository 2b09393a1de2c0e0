"""Whether a model answers about as fast as the live one, both asked by turns on the same machine in the same minute."""

import statistics
from dataclasses import dataclass, field

from components.canary.process import ModelError, Probe, ProbeDied
from components.canary.requests import Row, example_of
from components.canary.settings import CanarySettings
from components.common.progress import PROGRESS
from components.registry import Latency

# What the live model, whatever its age, is sure to have, and reads texts and pairs alike with.
_SIGNATURE = "serving_default"
_WARM_UP, _ROUNDS, _ATTEMPTS = 2, 11, 3


@dataclass(frozen=True)
class Comparison:
    """Of all requests that were timed; or, in `note`, why there is none."""

    measured: list[Latency] = field(default_factory=list)
    note: str = ""

    def reasons(self, settings: CanarySettings) -> list[str]:
        """Why the model may not be pushed, a line for each request that takes too long."""
        return [
            f"{latency.request} in one request: {latency.candidate_ms:.1f} ms, above the bound of "
            f"{latency.bound_ms:.1f} ms (the live model's {latency.baseline_ms:.1f} ms times "
            f"{settings.latency_ratio:g}, plus {settings.latency_tolerance_ms:g} ms)"
            for latency in self.measured
            if not latency.passed
        ]


def compare(probe: Probe, live: Probe, live_dir: str, rows: list[Row], settings: CanarySettings) -> Comparison:
    """Times a single row and all of them; a bound that noise broke holds at another try.

    Args:
        probe: Holds the candidate.
        live: Holds nothing yet.
        live_dir: The live model's SavedModel. One that cannot be loaded or asked is no reason against the candidate.
        rows: To be asked, at least one.
        settings: The bound.

    Raises:
        ModelError: The candidate answers with an error.
        ProbeDied: The candidate's process is no more.
    """
    PROGRESS.info("measuring latency beside the live model")
    try:
        live.load(live_dir)
    except (ModelError, ProbeDied) as error:
        return Comparison(note=f"not compared: the live model cannot be loaded any more: {error}")
    measured: list[Latency] = []
    for name, batch in {"one text": rows[:1], f"{len(rows)} texts": rows}.items():
        examples = {"examples": [example_of(row) for row in batch]}
        best: Latency | None = None
        for _ in range(_ATTEMPTS):
            try:
                latency = _time(probe, live, name, examples, settings)
            except _LiveModelFails as failure:
                return Comparison(measured, f"not compared: the live model {failure}")
            best = latency if best is None or latency.excess_ms < best.excess_ms else best
            if best.passed:
                break
        measured += [best] if best else []
    return Comparison(measured)


class _LiveModelFails(Exception):  # noqa: N818 - it reads as what happened
    pass


def _time(probe: Probe, live: Probe, name: str, examples: dict[str, list[bytes]], settings: CanarySettings) -> Latency:
    mine, theirs = [], []
    for _ in range(_WARM_UP + _ROUNDS):
        mine.append(1000 * probe.ask(_SIGNATURE, examples, name).seconds)
        try:
            theirs.append(1000 * live.ask(_SIGNATURE, examples, name).seconds)
        except (ModelError, ProbeDied) as error:
            raise _LiveModelFails(f"does not answer any more: {error}") from error
    candidate, baseline = (statistics.median(times[_WARM_UP:]) for times in (mine, theirs))
    bound = baseline * (settings.latency_ratio or 1.0) + settings.latency_tolerance_ms
    return Latency(
        request=name, candidate_ms=round(candidate, 3), baseline_ms=round(baseline, 3), bound_ms=round(bound, 3)
    )
