"""Comparison of a model's latency with the live model's, on the same machine in the same minute."""

import statistics
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from components.canary.answers import SIGNATURES
from components.canary.process import Answer, ModelError, Probe, ProbeDied, ProbeStarved
from components.canary.requests import Row, inputs_of
from components.canary.settings import CanarySettings
from components.common.progress import PROGRESS
from components.registry import Latency

# Every live model has this signature, whatever its age, and it reads texts and pairs alike.
SIGNATURE = "serving_default"
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
        """Return why the model may not be pushed: one line for each request that takes too much processor time too."""
        return [_explain(latency, settings) for latency in self.measured if not latency.passed and latency.cpu_exceeds]

    def interference(self, settings: CanarySettings) -> list[str]:
        """Return what takes too long although it takes no more processor time: the machine was busy with other work."""
        return [
            f"{_explain(latency, settings)}, but no more processor time ({latency.candidate_cpu_ms:.1f} ms; the live "
            f"model's {latency.baseline_cpu_ms:.1f} ms): raise canary.latency_tolerance_ms, or run again when the "
            "machine is less busy"
            for latency in self.measured
            if not latency.passed and not latency.cpu_exceeds
        ]


def _explain(latency: Latency, settings: CanarySettings) -> str:
    return (
        f"{latency.request} in one request: {latency.candidate_ms:.1f} ms, above the bound of "
        f"{latency.bound_ms:.1f} ms (the live model's {latency.baseline_ms:.1f} ms times "
        f"{settings.latency_ratio:g}, plus {settings.latency_tolerance_ms:g} ms)"
    )


def compare(
    probe: Probe, live: Probe, live_dir: str, rows: list[Row], settings: CanarySettings, signature: str = SIGNATURE
) -> Comparison:
    """Time a request of one row and one of all rows, both models by turns.

    A request that takes too long is timed again, twice at most, so that noise does not decide.

    Args:
        probe: Process that has loaded the candidate.
        live: Process that has loaded nothing yet.
        live_dir: SavedModel of the live model. If it cannot be loaded or does not answer, that is no reason against
            the candidate.
        rows: Rows to send, at least one.
        settings: The bound.
        signature: Signature that both models are asked.

    Raises:
        ModelError: The candidate answers with an error.
        ProbeDied: The candidate's process died.
        ProbeStarved: Either process got too little time or memory.
    """
    PROGRESS.info("measuring latency beside the live model")
    try:
        live.load(live_dir)
    except ProbeStarved:
        raise
    except (ModelError, ProbeDied) as error:
        return Comparison(note=f"not compared: the live model can no longer be loaded: {error}")
    measured: list[Latency] = []
    for name, batch in {"one text": rows[:1], f"{len(rows)} texts": rows}.items():
        columns = ("texts", "text_pairs") if any(second for _, second in rows) else ("texts",)
        inputs = inputs_of(SIGNATURES[signature][0], columns, batch)
        best: Latency | None = None
        for _ in range(_ATTEMPTS):
            try:
                latency = _time(probe, live, name, signature, inputs, settings)
            except _LiveModelFailed as failure:
                return Comparison(measured, f"not compared: {failure}")
            best = latency if best is None or latency.excess_ms < best.excess_ms else best
            if best.passed:
                break
        measured += [best] if best else []
    return Comparison(measured)


class _LiveModelFailed(Exception):  # noqa: N818 - it reads as what happened
    pass


def _time(
    probe: Probe, live: Probe, name: str, signature: str, inputs: dict[str, list[bytes]], settings: CanarySettings
) -> Latency:
    of_candidate, of_live = [], []
    for _ in range(_WARM_UP + _ROUNDS):
        of_candidate.append(probe.ask(signature, inputs, name))
        try:
            of_live.append(live.ask(signature, inputs, name))
        except ProbeStarved:
            raise
        except (ModelError, ProbeDied) as error:
            raise _LiveModelFailed(f"the live model no longer answers: {error}") from error
    candidate, baseline = (_medians(answers[_WARM_UP:]) for answers in (of_candidate, of_live))
    return Latency(
        request=name,
        candidate_ms=candidate.wall_ms,
        baseline_ms=baseline.wall_ms,
        bound_ms=_bound(baseline.wall_ms, settings),
        candidate_cpu_ms=candidate.cpu_ms,
        baseline_cpu_ms=baseline.cpu_ms,
        bound_cpu_ms=_bound(baseline.cpu_ms, settings),
    )


class _Medians(NamedTuple):
    """Medians of the wall and the processor time of a request, in ms."""

    wall_ms: float
    cpu_ms: float


def _medians(answers: Sequence[Answer]) -> _Medians:
    times = ([answer.seconds for answer in answers], [answer.cpu_s for answer in answers])
    return _Medians(*(round(1000 * statistics.median(each), 3) for each in times))


def _bound(baseline_ms: float, settings: CanarySettings) -> float:
    return round(baseline_ms * (settings.latency_ratio or 1.0) + settings.latency_tolerance_ms, 3)
