"""A machine that is short of time or memory is never held against the model."""

from typing import Any, Self

import numpy as np
import pytest

from components.canary import trial
from components.canary.latency import compare
from components.canary.process import Answer, Probe, ProbeStarved
from components.canary.settings import CanarySettings
from components.common.outcome import Untried
from components.common.progress import PROGRESS
from components.registry import ModelRecord

_RECORD = ModelRecord(model_id="1", labels=["a"], thresholds=[0.5], checkpoint="c", created="", versions={})


class TimedProbe:
    """Probe whose answers take given times, in seconds."""

    timeout_s = 1.0
    peak_memory_mb = 1

    def __init__(self, seconds: float, cpu_s: float) -> None:
        self._answer = Answer({"probabilities": np.zeros((1, 1), np.float32)}, seconds, cpu_s)

    def load(self, _: str) -> tuple[dict[str, Any], float, float]:
        return {}, 0.1, 0.1

    def ask(self, *_: Any) -> Answer:
        return self._answer


@pytest.mark.parametrize(
    ("candidate", "slow", "busy"),
    [
        ((0.05, 0.02), 0, 0),
        ((0.90, 0.90), 2, 0),  # it computes more
        ((0.90, 0.02), 0, 2),  # it waited for others
    ],
)
def test_tells_a_slow_model_from_a_busy_machine(candidate: tuple[float, float], slow: int, busy: int) -> None:
    settings = CanarySettings()
    found = compare(TimedProbe(*candidate), TimedProbe(0.05, 0.02), "live", [(b"a", b"")], settings)  # type: ignore[arg-type]
    assert len(found.reasons(settings)) == slow
    assert len(found.interference(settings)) == busy
    for line in found.interference(settings):
        assert "canary.latency_tolerance_ms" in line


def test_a_trial_without_enough_time_or_memory_is_untried(monkeypatch: pytest.MonkeyPatch) -> None:
    class Starved(TimedProbe):
        def __init__(self, *_: Any) -> None:
            super().__init__(0.0, 0.0)

        def __enter__(self) -> Self:
            return self

        def __exit__(self, *_: object) -> None:
            pass

        def load(self, _: str) -> Any:
            raise ProbeStarved("had not finished loading it after 1 s; raise canary.timeout_s")

    monkeypatch.setattr(trial, "Probe", Starved)
    with pytest.raises(Untried) as untried:
        trial.try_model("model", _RECORD, None, CanarySettings())
    assert str(untried.value) == (
        "canary: the model was not judged: the model's process had not finished loading it after 1 s; raise"
        " canary.timeout_s"
    )


@pytest.fixture
def silent(monkeypatch: pytest.MonkeyPatch, tmp_path: Any) -> None:
    """Let a probe be a process that never answers."""
    script = tmp_path / "probe.py"
    script.write_text("import time\ntime.sleep(60)\n")
    monkeypatch.setattr("components.canary.process._PROBE", script)


@pytest.mark.usefixtures("silent")
def test_a_process_that_waits_is_killed_with_both_times_and_the_key(caplog: pytest.LogCaptureFixture) -> None:
    PROGRESS.addHandler(caplog.handler)
    try:
        with Probe(1.2) as probe, pytest.raises(ProbeStarved) as starved:
            probe.load("model")
    finally:
        PROGRESS.removeHandler(caplog.handler)
    message = str(starved.value)
    assert message.startswith("had not finished loading it after 1.2 s, with 0.")
    assert message.endswith(" s of processor time; raise canary.timeout_s, or run again when the machine is less busy")
    assert set(caplog.messages) == {"loading it, 1 s"}


@pytest.mark.usefixtures("silent")
def test_a_process_that_the_machine_killed_is_no_fault_of_the_model() -> None:
    with Probe(30) as probe:
        probe._process.kill()
        with pytest.raises(ProbeStarved, match="most likely the machine was out of memory"):
            probe.load("model")
