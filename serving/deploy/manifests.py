"""Manifests that serve a registry by TensorFlow Serving, from what the registry's live version says about itself."""

import math
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from components.common.files import file_size, is_remote
from components.registry import ModelRecord, Version, find_record, latest
from schema.errors import Refused

Target = Literal["compose", "kubernetes"]

IMAGE = "tensorflow/serving:2.19.1"
_TEMPLATES = Path(__file__).parent / "templates"
_FILES: dict[Target, tuple[str, ...]] = {
    "compose": ("compose.yaml", "batching.conf", "monitoring.conf"),
    "kubernetes": ("kubernetes.yaml",),
}
_CLAIM = re.compile(r"pvc://(?P<claim>[a-z0-9]([-a-z0-9.]*[a-z0-9])?)(/(?P<path>.+))?")
# RFC 1123, which Kubernetes asks of the names of services.
_NAME = re.compile(r"[a-z]([-a-z0-9]{0,61}[a-z0-9])?")
_MIB = 1 << 20
_STEP_MIB = 256
# TensorFlow Serving without a model, and what it computes with; an estimate.
_SERVER_MIB = 1024


@dataclass(frozen=True)
class Deployment:
    """What the templates get.

    Attributes:
        name: Name of the model in addresses, and of what is deployed.
        image: Image of TensorFlow Serving.
        base_path: Address that TensorFlow Serving finds the versions at.
        source: Folder on this machine, or path in the claim, that is mounted at `base_path`; empty if none is.
        claim: Persistent volume claim; empty for none.
        version: The live version.
        labels: Its labels, without the retired ones.
        memory_mib: Memory of a server, in MiB.
        cpus: Cores of a server.
        replicas: Number of servers.
        poll_s: Seconds between two looks for a new version.
    """

    name: str
    image: str
    base_path: str
    source: str
    claim: str
    version: int
    labels: tuple[str, ...]
    memory_mib: int
    cpus: int
    replicas: int
    poll_s: int


def describe(
    target: Target,
    registry: str,
    *,
    name: str,
    address: str | None = None,
    image: str = IMAGE,
    replicas: int = 2,
    cpus: int = 2,
    poll_s: int = 30,
) -> Deployment:
    """Return what a target needs to know of a registry.

    Args:
        target: Where it will be served.
        registry: The registry, local or remote.
        name: Name of the model.
        address: Registry as servers see it: a folder, `gs://...`, or `pvc://CLAIM/PATH` on Kubernetes; None for the
            registry itself.
        image: Image of TensorFlow Serving.
        replicas: Number of servers on Kubernetes.
        cpus: Cores of a server.
        poll_s: Seconds between two looks for a new version.

    Raises:
        Refused: The registry has no readable live version, or the target's servers cannot read the address.
    """
    if not _NAME.fullmatch(name):
        raise Refused(f"--name {name}: use up to 63 lower-case letters, digits and hyphens, a letter first")
    version = latest(registry)
    record = find_record(version) if version is not None else None
    if version is None or record is None:
        raise Refused(f"{registry}: has no version with a model.json; push a model first")
    base_path, source, claim = _mounted(target, address or registry, name)
    return Deployment(
        name=name,
        image=image,
        base_path=base_path,
        source=source,
        claim=claim,
        version=version.number,
        labels=tuple(label for label in record.labels if label not in record.retired),
        memory_mib=_memory_mib(version, record),
        cpus=cpus,
        replicas=replicas,
        poll_s=poll_s,
    )


def render(target: Target, deployment: Deployment) -> dict[str, str]:
    """Return the files of a target: their content by name."""
    templates = Environment(
        loader=FileSystemLoader(_TEMPLATES), undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True,
        keep_trailing_newline=True, autoescape=False,
    )  # fmt: skip
    return {name: templates.get_template(f"{name}.j2").render(d=deployment) for name in _FILES[target]}


def _mounted(target: Target, address: str, name: str) -> tuple[str, str, str]:
    """Return the address inside the container, and what is mounted there: a source and a claim."""
    inside = f"/models/{name}"
    claim = _CLAIM.fullmatch(address)
    if claim is not None and target == "kubernetes":
        return inside, (claim["path"] or "").strip("/"), claim["claim"]
    if address.startswith("gs://"):
        return address.rstrip("/"), "", ""
    if is_remote(address) or "://" in address:
        raise Refused(
            f"{address}: TensorFlow Serving's image reads folders and gs:// only; mount it, and name the mount by "
            "--address"
        )
    if target == "kubernetes":
        raise Refused(
            f"{address}: pods do not see this machine's folders; say where they find the registry: "
            "--address pvc://CLAIM/PATH or --address gs://BUCKET/PATH"
        )
    return inside, str(Path(address).absolute()), ""


def _memory_mib(version: Version, record: ModelRecord) -> int:
    """Return what a server may take: two versions during an exchange, each twice the size of its files."""
    size = sum(file_size(f"{version.path}/{name}") for name in record.files) / _MIB
    return math.ceil((_SERVER_MIB + 4 * size) / _STEP_MIB) * _STEP_MIB
