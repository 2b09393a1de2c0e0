"""Trial of a model: it must answer correctly in a fresh process, or it may not be pushed."""

from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from components.canary import latency
from components.canary.answers import SIGNATURES, Array, faults, score_faults
from components.canary.process import Answer, ModelError, Probe, ProbeDied, ProbeStarved, Signature
from components.canary.reference import Reference
from components.canary.requests import Request, inputs_of, not_examples, requests
from components.canary.settings import CanarySettings
from components.canary.verdict import TOLERANCE, CanaryVerdict
from components.common.outcome import Untried
from components.common.progress import PROGRESS
from components.registry import CanaryFindings, ModelRecord

_MOST_REASONS = 10


@dataclass(frozen=True)
class Form:
    """Form of a model, and what is expected of it.

    Attributes:
        probe: Script of the process that runs it; None for that of SavedModels.
        signatures: Signatures that it must have.
        timed: Signature whose latency is compared with the live model's.
        tolerance: Largest difference from the reference's probabilities that passes.
    """

    probe: Path | None = None
    signatures: Sequence[str] = tuple(SIGNATURES)
    timed: str = latency.SIGNATURE
    tolerance: float = TOLERANCE


SAVED_MODEL = Form()


def try_model(
    model_dir: str,
    record: ModelRecord,
    reference: Reference | None,
    settings: CanarySettings,
    *,
    live_dir: str | None = None,
    no_live_model: str = "there is none yet",
    form: Form = SAVED_MODEL,
) -> CanaryVerdict:
    """Load a model in a process of its own, send it every request, and judge its answers.

    Args:
        model_dir: The model.
        record: Record of the model.
        reference: Reference batch of the Trainer; a model without one does not pass.
        settings: Requests and limits.
        live_dir: SavedModel of the live model, which the latency is compared with; None if there is none.
        no_live_model: Why there is none.
        form: Form of the model.

    Raises:
        Untried: Nothing is wrong with the answers so far, but the machine had too little time or memory for the rest.
    """
    trial = _Trial(record, settings, form)
    note = ""
    with ExitStack() as processes:
        probe = processes.enter_context(Probe(settings.timeout_s, settings.memory_limit_mb, form.probe))
        # Started now, so that it imports TensorFlow while the candidate is tried.
        timed = settings.latency_ratio is not None
        live = processes.enter_context(Probe(settings.timeout_s)) if timed and live_dir else None
        try:
            trial.load(probe, model_dir)
            trial.send_requests(probe)
            trial.compare_with(reference, probe)
            if not timed:
                note = "not asked"
            elif live is None or live_dir is None:
                note = f"not compared with a live model: {no_live_model}"
            elif trial.reasons or reference is None:
                note = "not compared: the model does not answer correctly"
            else:
                comparison = latency.compare(probe, live, live_dir, reference.rows, settings, form.timed)
                trial.update_findings(latency=comparison.measured)
                trial.reasons += comparison.reasons(settings)
                trial.hindrances += comparison.interference(settings)
                note = comparison.note
        except ProbeStarved as starved:
            trial.hindrances.append(f"the model's process {starved}")
        except ProbeDied as death:
            trial.reasons.append(f"the model's process {death}")
        except ModelError as error:
            trial.reasons.append(f"the model failed while latency was measured: {error}")
        trial.update_findings(peak_memory_mb=probe.peak_memory_mb, latency_note=note)
    if trial.hindrances and not trial.reasons:
        raise Untried(f"canary: the model was not judged: {trial.hindrances[0]}")
    return trial.verdict()


class _Trial:
    """Reasons and findings of one model, as they accumulate.

    Attributes:
        reasons: What is wrong with the model.
        hindrances: What the machine had too little of to tell.
    """

    def __init__(self, record: ModelRecord, settings: CanarySettings, form: Form = SAVED_MODEL) -> None:
        self.reasons: list[str] = []
        self.hindrances: list[str] = []
        self._record = record
        self._settings = settings
        self._form = form
        self._signatures: dict[str, Signature] = {}
        self._findings = CanaryFindings(memory_limit_mb=settings.memory_limit_mb)
        self._answered = 0

    def update_findings(self, **findings: Any) -> None:
        self._findings = self._findings.model_copy(update=findings)

    def verdict(self) -> CanaryVerdict:
        reasons = [f"canary: {reason}" for reason in self.reasons]
        if len(reasons) > _MOST_REASONS:
            reasons = [*reasons[:_MOST_REASONS], f"canary: and {len(reasons) - _MOST_REASONS} more like these"]
        findings = self._findings.model_copy(update={"requests": self._answered})
        return CanaryVerdict(passed=not reasons, reasons=reasons, findings=findings)

    def load(self, probe: Probe, model_dir: str) -> None:
        PROGRESS.info("loading the exported model in a fresh process")
        try:
            signatures, seconds, cpu_s = probe.load(model_dir)
        except ModelError as error:
            self.reasons.append(f"a fresh process cannot load the model: {error}")
            return
        self.update_findings(load_s=round(seconds, 3), load_cpu_s=round(cpu_s, 3))
        expected = self._form.signatures
        self.reasons += [f"the model has no signature {name}" for name in expected if name not in signatures]
        self._signatures = {name: signatures[name] for name in expected if name in signatures}

    def send_requests(self, probe: Probe) -> None:
        """Send every request, valid or not, to every signature."""
        for request in requests(self._settings):
            PROGRESS.info("asking: %s", request.name)
            answers = {name: self._ask(probe, name, request) for name in self._signatures}
            served, scored = answers.get("serving_default"), answers.get("evaluation")
            if served and scored:
                scores, probabilities = scored.outputs["decision_scores"], served.outputs["probabilities"]
                self._add_faults("evaluation", request.name, list(score_faults(scores, probabilities, self._record)))
        for name in self._signatures:
            if SIGNATURES[name][0] == "examples":
                self._send_invalid_examples(probe, name)

    def compare_with(self, reference: Reference | None, probe: Probe) -> None:
        """Send the reference batch, and compare the probabilities with those of the Trainer's process."""
        if reference is None:
            self.reasons.append(
                "the Trainer left no probabilities to compare with: the model was trained by an older version of this "
                "pipeline; train it again, for example with --set training.seed=1"
            )
            return
        request = Request("the Trainer's reference batch", tuple(reference.rows))
        expected = np.asarray(reference.probabilities, np.float32).reshape(-1, len(self._record.labels))
        for name in self._signatures:
            if "probabilities" in SIGNATURES[name][1]:
                answer = self._ask(probe, name, request)
                if answer is not None:
                    self._compare(name, answer.outputs["probabilities"], expected)

    def _ask(self, probe: Probe, signature: str, request: Request) -> Answer | None:
        """Send one request; return None, and add the reasons, if there is no answer or a wrong one."""
        expected = set(self._signatures[signature].inputs)
        inputs = inputs_of(SIGNATURES[signature][0], expected, request.rows)
        if expected != set(inputs):
            fault = f"expects the inputs {', '.join(sorted(expected))}, not {', '.join(inputs)}"
            self._add_faults(signature, request.name, [fault])
            return None
        try:
            answer = probe.ask(signature, inputs, request.name)
        except ModelError as error:
            self._add_faults(signature, request.name, [f"fails with {error}"])
            return None
        found = list(faults(signature, answer.outputs, len(request.rows), self._record))
        self._add_faults(signature, request.name, found)
        self._answered += not found
        return None if found else answer

    def _send_invalid_examples(self, probe: Probe, signature: str) -> None:
        for what, serialized in not_examples():
            try:
                probe.ask(signature, {"examples": [serialized]}, what)
            except ModelError:
                self._answered += 1
            else:
                self._add_faults(signature, what, ["answers it instead of failing"])

    def _compare(self, signature: str, found: Array, expected: Array) -> None:
        if not len(expected):
            return
        differences = np.abs(found - expected)
        row, column = np.unravel_index(differences.argmax(), differences.shape)
        largest = float(differences[row, column])
        so_far = self._findings.largest_difference or 0.0
        self.update_findings(compared_rows=len(expected), largest_difference=max(largest, so_far))
        if largest > self._form.tolerance:
            self.reasons.append(
                f"{signature} returns {found[row, column]:.6g} for label '{self._record.labels[column]}' in row {row} "
                f"of the Trainer's reference batch, the Trainer's own model {expected[row, column]:.6g}; "
                f"a difference of {self._form.tolerance:g} is allowed"
            )

    def _add_faults(self, signature: str, request: str, found: list[str]) -> None:
        self.reasons += [f"{signature}, given {request}, {fault}" for fault in found]
