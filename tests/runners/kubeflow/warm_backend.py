"""Kubeflow's backend for tests that run more than a few steps."""

import subprocess
import tempfile
from collections.abc import Mapping
from pathlib import Path

from tests.runners.kubeflow.backend import Backend
from tests.runners.kubeflow.warm_python import run_module

_REPOSITORY = Path(__file__).parents[3]
_OF_TFX = ("runners.kfp.run_executor", "runners.vertex.run_executor")


class WarmBackend(Backend):
    """Forks TFX's containers from a process that has imported TensorFlow, which takes each of them eight seconds."""

    def launch(self, command: list[str], environment: Mapping[str, str]) -> subprocess.CompletedProcess[str]:
        """Runs a container's command, as a process of this machine."""
        if command[:2] != ["python", "-m"] or command[2] not in _OF_TFX:
            return super().launch(command, environment)
        home = self.root / "home"
        home.mkdir(parents=True, exist_ok=True)
        # What a step starts itself, as the canary does, finds this project here.
        told = {"PYTHONPATH": str(_REPOSITORY), **environment}
        with tempfile.TemporaryDirectory(dir=self.root) as folder:
            printed, log = Path(folder, "stdout"), Path(folder, "stderr")
            status = run_module(command[2], command[3:], told, home, printed, log)
            said = [file.read_text(errors="replace") for file in (printed, log)]
        return subprocess.CompletedProcess(command, status, *said)
