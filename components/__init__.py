"""How each step works, in the order the data meets them."""

from importlib import import_module
from typing import Any

# In a container of Kubeflow or Vertex, TFX imports an artifact's class by its TYPE_NAME, "components.Quarantine". Found
# when asked for, so that whoever asks for none imports no TFX.
_ARTIFACTS = {
    "BehaviourResults": "components.behaviour.artifacts",
    "DataVerdict": "components.data_gate.component",
    "Quarantine": "components.example_gen.artifacts",
    "RunReport": "components.report.artifacts",
}


def __getattr__(name: str) -> Any:
    if name not in _ARTIFACTS:
        raise AttributeError(f"module 'components' has no attribute '{name}'")
    return getattr(import_module(_ARTIFACTS[name]), name)
