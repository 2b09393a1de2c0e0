"""Limits of Vertex AI, as its API description and documentation state them, checked before anything is sent.

Read in google-cloud-aiplatform 1.165.1: the regions in aiplatform/constants/base.py, the variables of a container in
aiplatform_v1/types/custom_job.py (ContainerSpec) and env_var.py (EnvVar), the labels in pipeline_job.py (PipelineJob).
The largest machine is that of https://cloud.google.com/vertex-ai/docs/pipelines/machine-types.
"""

import re
from collections.abc import Collection

from pipeline.config.vertex import VertexSettings, VertexStep
from schema.errors import Refused
from schema.nearest import nearest

REGIONS = (
    "africa-south1", "asia-east1", "asia-east2", "asia-northeast1", "asia-northeast2", "asia-northeast3",
    "asia-south1", "asia-south2", "asia-southeast1", "asia-southeast2", "australia-southeast1",
    "australia-southeast2", "europe-central2", "europe-north1", "europe-north2", "europe-southwest1",
    "europe-west1", "europe-west12", "europe-west2", "europe-west3", "europe-west4", "europe-west6",
    "europe-west8", "europe-west9", "me-central1", "me-central2", "me-west1", "northamerica-northeast1",
    "northamerica-northeast2", "southamerica-east1", "southamerica-west1", "us-central1", "us-east1", "us-east4",
    "us-east5", "us-east7", "us-south1", "us-west1", "us-west2", "us-west3", "us-west4", "us-west8",
)  # fmt: skip
"""Regions that Google's own client accepts."""

_MAX_CPU = 96.0
_MAX_MEMORY_GB = 624.0
_MAX_VARIABLES = 100
_MAX_LABELS = 64
_IDENTIFIER = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_UNITS = {"M": 1e6, "G": 1e9, "T": 1e12, "Mi": 2.0**20, "Gi": 2.0**30, "Ti": 2.0**40}


def check_limits(settings: VertexSettings) -> None:
    """Check the region, the labels, and what every step and each single step ask for.

    Raises:
        Refused: Vertex AI has no such region or no such machine, or would refuse a name; the message names the key.
    """
    # With an address of one's own, the region may be newer than this list.
    if settings.location not in REGIONS and settings.api_endpoint is None:
        raise Refused(
            f"runner.vertex.location {settings.location}: Vertex AI has no such region;"
            f" {nearest(settings.location, list(REGIONS))}, or set runner.vertex.api_endpoint if the region is new"
        )
    if len(settings.labels) >= _MAX_LABELS:  # one more is the pipeline's own
        raise Refused(f"runner.vertex.labels: Vertex AI takes {_MAX_LABELS - 1} of them; remove some")
    _check_step("runner.vertex", settings)
    for name, step in settings.steps.items():
        _check_step(f"runner.vertex.steps.{name}", step)


def check_variables(step: str, names: Collection[str]) -> None:
    """Check the number of a container's environment variables.

    Raises:
        Refused: It has more than Vertex AI takes.
    """
    if len(names) > _MAX_VARIABLES:
        raise Refused(
            f"step {step}: {len(names)} environment variables, and Vertex AI takes {_MAX_VARIABLES}; remove some"
        )


def processors(cpu: str) -> float:
    """Convert a number of processors as Kubernetes writes it.

    Example:
        >>> processors("3500m"), processors("8")
        (3.5, 8.0)
    """
    return float(cpu[:-1]) / 1000 if cpu.endswith("m") else float(cpu)


def gigabytes(memory: str) -> float:
    """Convert an amount of memory as Kubernetes writes it into units of 1e9 bytes.

    These are the units of PipelineContainerSpec.ResourceSpec.memory_limit.

    Example:
        >>> gigabytes("30G"), gigabytes("512Mi")
        (30.0, 0.536870912)
    """
    unit = memory.lstrip("0123456789")
    return float(memory.removesuffix(unit)) * _UNITS[unit] / 1e9


def _check_step(key: str, step: VertexStep) -> None:
    if step.cpu is not None and processors(step.cpu) > _MAX_CPU:
        raise Refused(f"{key}.cpu {step.cpu}: Vertex AI gives a step {_MAX_CPU:g} processors at most")
    if step.memory is not None and gigabytes(step.memory) > _MAX_MEMORY_GB:
        raise Refused(f"{key}.memory {step.memory}: Vertex AI gives a step {_MAX_MEMORY_GB:g} GB at most")
    for name in step.env:
        if not _IDENTIFIER.fullmatch(name):
            raise Refused(f"{key}.env: Vertex AI takes no variable {name}; use letters, digits and underscores")
