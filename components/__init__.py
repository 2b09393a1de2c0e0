"""The steps of the pipeline, one folder each, in the order the data meets them."""

from importlib import import_module
from typing import Any

# In the containers of Kubeflow and Vertex AI, TFX imports an artifact's class by its TYPE_NAME, such as
# "components.Quarantine". The classes are imported on demand, so that importing this package does not import TFX.
_ARTIFACTS = {
    "BehaviourResults": "components.behaviour.artifacts",
    "DataVerdict": "components.data_gate.artifacts",
    "ModelVariants": "components.variants.artifacts",
    "Quarantine": "components.example_gen.artifacts",
    "RunReport": "components.report.artifacts",
    "SuspectedLabels": "components.suspects.artifacts",
}


def __getattr__(name: str) -> Any:
    if name not in _ARTIFACTS:
        raise AttributeError(f"module 'components' has no attribute '{name}'")
    return getattr(import_module(_ARTIFACTS[name]), name)
