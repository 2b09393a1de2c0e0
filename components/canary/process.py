"""Client of the process that a model is tried in, which it kills on too much time or memory."""

import base64
import json
import os
import select
import signal
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from components.common.progress import PROGRESS

_PROBE = Path(__file__).with_name("probe.py")
_POLL_INTERVAL_S = 0.05
_NO_MEMORY = ("ResourceExhaustedError", "MemoryError")
_LONGEST_POLL_S = 1.0


class ProbeDied(Exception):  # noqa: N818 - it reads as what happened
    """The process crashed, or was killed because it took too much time or memory; the message says which."""


class ProbeStarved(ProbeDied):
    """The process got too little time or memory: the state of the machine may be why, and not the model.

    The message says what happened, and which key of the configuration bounds it.
    """


class ModelError(Exception):
    """The model answered with an error, whose first line is the message; the process lives on."""


@dataclass(frozen=True)
class Signature:
    """TensorFlow dtypes of a signature's inputs and outputs, by name."""

    inputs: dict[str, str]
    outputs: dict[str, str]


@dataclass(frozen=True)
class Answer:
    """Answer to one request.

    Attributes:
        outputs: Arrays by name; strings are bytes (dtype object).
        seconds: Time that the model took, in seconds.
        cpu_s: Processor time that the model's process took, all threads together, in seconds.
    """

    outputs: dict[str, NDArray[Any]]
    seconds: float
    cpu_s: float


class Probe:
    """A fresh Python process that loads one model; see `components.canary.probe` for what it can import.

    It runs on the CPU even if there is a GPU: the Trainer's process may still hold all of the GPU's memory, and the
    reference probabilities were computed on the CPU too.

    Args:
        timeout_s: Time to load the model, and for each request, in seconds.
        memory_limit_mb: Resident memory above which the process is killed, in MiB; None for no limit.
        script: Script that the process runs; None for that of SavedModels.
    """

    def __init__(self, timeout_s: float, memory_limit_mb: int | None = None, script: Path | None = None) -> None:
        self.timeout_s = timeout_s
        self._memory_limit_mb = memory_limit_mb
        self._unread = b""
        self.peak_memory_mb = 0
        # TensorFlow would log each request that must fail, several times; what it raises is reported.
        environment = os.environ | {"CUDA_VISIBLE_DEVICES": "-1", "TF_CPP_MIN_LOG_LEVEL": "3"}
        environment.pop("TF_USE_LEGACY_KERAS", None)  # importing TensorFlow Transform sets it
        self._process = subprocess.Popen(
            [sys.executable, "-I", str(script or _PROBE)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env=environment,
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._process.kill()
        self._process.communicate()

    @property
    def pid(self) -> int:
        return self._process.pid

    def load(self, model_dir: str) -> tuple[dict[str, Signature], float, float]:
        """Load a SavedModel.

        Returns:
            Its signatures by name, and the wall and processor time it took, in seconds.

        Raises:
            ModelError: The model cannot be loaded.
            ProbeDied: The process died.
        """
        answer = self._command({"load": model_dir}, "loading it")
        signatures = {name: Signature(**signature) for name, signature in answer["signatures"].items()}
        return signatures, answer["seconds"], answer["cpu_s"]

    def ask(self, signature: str, inputs: Mapping[str, Sequence[bytes]], what: str = "a request") -> Answer:
        """Send one request.

        Args:
            signature: Name of the signature.
            inputs: Byte strings by input name.
            what: Description of the request for messages.

        Raises:
            ModelError: The model answers with an error.
            ProbeDied: The process died.
        """
        encoded = {name: [base64.b64encode(value).decode() for value in values] for name, values in inputs.items()}
        answer = self._command({"signature": signature, "inputs": encoded}, f"answering {what} ({signature})")
        return Answer(
            {name: _decode(array) for name, array in answer["outputs"].items()}, answer["seconds"], answer["cpu_s"]
        )

    def _command(self, command: dict[str, Any], doing: str) -> dict[str, Any]:
        assert self._process.stdin is not None
        line = json.dumps(command | {"timeout_s": self.timeout_s}) + "\n"
        try:
            self._process.stdin.write(line.encode())
            self._process.stdin.flush()
        except BrokenPipeError:
            raise self._death(doing) from None
        answer: dict[str, Any] = json.loads(self._line(doing))
        self._check_memory(doing)
        if "error" in answer:
            error = (answer["error"].splitlines() or ["an error without a message"])[0]
            if error.startswith(_NO_MEMORY):
                raise ProbeStarved(f"failed while {doing}: {error}; free some memory on the machine")
            raise ModelError(error)
        return answer

    def _line(self, doing: str) -> bytes:
        """Read the next answer; kill the process if it takes too much time or memory."""
        assert self._process.stdout is not None
        descriptor = self._process.stdout.fileno()
        waited, last_poll, shown, cpu_s = 0.0, time.monotonic(), 0, self._cpu_s()
        parts = [self._unread]
        while b"\n" not in parts[-1]:
            now = time.monotonic()
            # Time in which this process itself was suspended, as on a laptop that sleeps, does not count.
            waited, last_poll = waited + min(now - last_poll, _LONGEST_POLL_S), now
            if waited > self.timeout_s:
                cpu_s = self._cpu_s() - cpu_s
                self._process.kill()
                raise ProbeStarved(
                    f"had not finished {doing} after {self.timeout_s:g} s, with {cpu_s:.1f} s of processor time; raise"
                    " canary.timeout_s, or run again when the machine is less busy"
                )
            if int(waited) > shown:
                shown = int(waited)
                PROGRESS.info("%s, %d s", doing, shown)
            self._check_memory(doing)
            if not select.select([descriptor], [], [], _POLL_INTERVAL_S)[0]:
                continue
            part = os.read(descriptor, 1 << 20)
            if not part:
                raise self._death(doing)
            parts.append(part)
        line, self._unread = b"".join(parts).split(b"\n", 1)
        return line

    def _check_memory(self, doing: str) -> None:
        # VmHWM rather than getrusage, whose maximum includes the process that this one was forked from.
        try:
            status = Path(f"/proc/{self.pid}/status").read_text(encoding="utf-8")
        except OSError:
            return
        peak = next((line.split()[1] for line in status.splitlines() if line.startswith("VmHWM:")), "0")
        self.peak_memory_mb = max(self.peak_memory_mb, int(peak) // 1024)
        limit = self._memory_limit_mb
        if limit is not None and self.peak_memory_mb > limit:
            self._process.kill()
            raise ProbeStarved(
                f"held {self.peak_memory_mb} MiB while {doing}, above the limit of {limit} MiB; raise"
                " canary.memory_limit_mb, or set it to null"
            )

    def _cpu_s(self) -> float:
        """Return the processor time of the process so far, in seconds; 0 if it has ended."""
        try:
            stat = Path(f"/proc/{self.pid}/stat").read_text(encoding="utf-8")
        except OSError:
            return 0.0
        user, system = stat.rpartition(")")[2].split()[11:13]  # proc(5): fields 14 and 15, the name is field 2
        return (int(user) + int(system)) / os.sysconf("SC_CLK_TCK")

    def _death(self, doing: str) -> ProbeDied:
        status = self._process.wait()
        if status == -signal.SIGKILL:  # no model does this to itself
            return ProbeStarved(f"was killed by SIGKILL while {doing}: most likely the machine was out of memory")
        how = f"was killed by {signal.Signals(-status).name}" if status < 0 else f"ended with exit status {status}"
        return ProbeDied(f"{how} while {doing}")


def _decode(array: dict[str, Any]) -> NDArray[Any]:
    if array["dtype"] == "string":
        values = np.empty(len(array["data"]), object)
        values[:] = [base64.b64decode(value) for value in array["data"]]
        return values.reshape(array["shape"])
    return np.frombuffer(base64.b64decode(array["data"]), array["dtype"]).reshape(array["shape"])
