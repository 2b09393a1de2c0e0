"""Manifests that serve a registry, from what the registry's live version says about itself.

Docker Compose and Kubernetes run TensorFlow Serving, which takes up each new version of the registry by itself. KServe
runs this project's own server with one version: its canary splits traffic between revisions of a service, and its
storage brings folders into a container, of which TensorFlow Serving would take one with a number for a version.
"""

import math
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from components.common.files import file_size, is_remote
from components.registry import ModelRecord, Version, find_record, latest
from schema.errors import Refused

Target = Literal["compose", "kubernetes", "kserve"]

IMAGE = "tensorflow/serving:2.19.1"
AGENT_IMAGE = "kserve/agent:v0.20.0"
_TEMPLATES = Path(__file__).parent / "templates"
_FILES: dict[Target, tuple[str, ...]] = {
    "compose": ("compose.yaml", "batching.conf", "monitoring.conf"),
    "kubernetes": ("kubernetes.yaml",),
    "kserve": ("kserve.yaml",),
}
_CLAIM = re.compile(r"pvc://(?P<claim>[a-z0-9]([-a-z0-9.]*[a-z0-9])?)(/(?P<path>.+))?")
# RFC 1123, which Kubernetes asks of the names of services.
_NAME = re.compile(r"[a-z]([-a-z0-9]{0,61}[a-z0-9])?")
_LONGEST_KSERVE_NAME = 50  # Knative appends the component and the number of the revision
_MIB = 1 << 20
_STEP_MIB = 256
# A server without a model, and what it computes with; estimates, from TensorFlow Serving's size and measurements of
# this project's server (docs/benchmarks.md).
_SERVER_MIB: dict[Target, int] = {"compose": 1024, "kubernetes": 1024, "kserve": 1536}
_IN_CONTAINER = "/mnt/models"


@dataclass(frozen=True)
class Log:
    """Where the request log is written on Kubernetes.

    Attributes:
        claim: Persistent volume claim.
        path: Path in the claim; empty for all of it.
        image: Image of this project, which writes it.
        registry: Registry as the container that writes it sees it.
    """

    claim: str
    path: str
    image: str
    registry: str


@dataclass(frozen=True)
class Deployment:
    """What the templates get.

    Attributes:
        name: Name of the model in addresses, and of what is deployed.
        image: Image of the server.
        agent_image: Image of KServe's agent, which passes requests on and logs them.
        base_path: Address that the server finds the versions at; with KServe, the folder of the version.
        address: Version as KServe's storage reads it.
        source: Folder on this machine, or path in the claim, that is mounted at `base_path`; empty if none is.
        claim: Persistent volume claim; empty for none.
        version: The live version.
        labels: Its labels, without the retired ones.
        memory_mib: Memory of a server, in MiB.
        cpus: Cores of a server.
        replicas: Number of servers.
        poll_s: Seconds between two looks for a new version.
        canary: Share of the traffic that the version gets with KServe, in percent; None for all of it.
        log: Where requests are logged; None if they are not.
    """

    name: str
    image: str
    agent_image: str
    base_path: str
    address: str
    source: str
    claim: str
    version: int
    labels: tuple[str, ...]
    memory_mib: int
    cpus: int
    replicas: int
    poll_s: int
    canary: int | None = None
    log: Log | None = None


def describe(
    target: Target,
    registry: str,
    *,
    name: str,
    address: str | None = None,
    image: str | None = None,
    replicas: int = 2,
    cpus: int = 2,
    poll_s: int = 30,
    canary: int | None = None,
    request_log: str | None = None,
    log_image: str | None = None,
) -> Deployment:
    """Return what a target needs to know of a registry.

    Args:
        target: Where it will be served.
        registry: The registry, local or remote.
        name: Name of the model.
        address: Registry as servers see it: a folder, `gs://...`, or `pvc://CLAIM/PATH` on Kubernetes; None for the
            registry itself.
        image: Image of the server; None for TensorFlow Serving's, which KServe's target has no use for.
        replicas: Number of servers on Kubernetes.
        cpus: Cores of a server.
        poll_s: Seconds between two looks for a new version.
        canary: Share of the traffic that the version gets with KServe, in percent; None for all of it.
        request_log: Where requests are logged, `pvc://CLAIM/PATH`; None if they are not.
        log_image: Image of this project, which logs them; with KServe, it is `image`.

    Raises:
        Refused: The registry has no readable live version, the target's servers cannot read the address, or an option
            does not fit the target.
    """
    _check(target, name, image, canary, request_log, log_image)
    version = latest(registry)
    record = find_record(version) if version is not None else None
    if version is None or record is None:
        raise Refused(f"{registry}: has no version with a model.json; push a model first")
    seen_at = (address or registry).rstrip("/")
    base_path, source, claim = _mounted(target, seen_at, name)
    return Deployment(
        name=name,
        image=image or IMAGE,
        agent_image=AGENT_IMAGE,
        base_path=f"{_IN_CONTAINER}/{version.number}" if target == "kserve" else base_path,
        address=f"{seen_at}/{version.number}",
        source=source,
        claim=claim,
        version=version.number,
        labels=tuple(label for label in record.labels if label not in record.retired),
        memory_mib=_memory_mib(target, version, record),
        cpus=cpus,
        replicas=replicas,
        poll_s=poll_s,
        canary=canary,
        log=None if request_log is None else _log(request_log, log_image or image or "", base_path),
    )


def render(target: Target, deployment: Deployment) -> dict[str, str]:
    """Return the files of a target: their content by name."""
    templates = Environment(
        loader=FileSystemLoader(_TEMPLATES), undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True,
        keep_trailing_newline=True, autoescape=False,
    )  # fmt: skip
    return {name: templates.get_template(f"{name}.j2").render(d=deployment) for name in _FILES[target]}


def check_name(name: str) -> None:
    """Check the name of a model.

    Raises:
        Refused: Kubernetes would refuse it.
    """
    if not _NAME.fullmatch(name):
        raise Refused(f"--name {name}: use up to 63 lower-case letters, digits and hyphens, a letter first")


def _check(
    target: Target, name: str, image: str | None, canary: int | None, request_log: str | None, log_image: str | None
) -> None:
    check_name(name)
    if target == "kserve":
        if len(name) > _LONGEST_KSERVE_NAME:
            raise Refused(f"--name {name}: use up to {_LONGEST_KSERVE_NAME} characters, because Knative appends some")
        if image is None:
            raise Refused("--target kserve needs --image: this project's, as `make image` builds it, in your registry")
    elif canary is not None:
        raise Refused(f"--canary: {target} does not split traffic; use --target kserve")
    if request_log is not None:
        if target == "compose":
            raise Refused("--request-log is for Kubernetes and KServe; on one machine, `serve --request-log` logs")
        if target == "kubernetes" and log_image is None:
            raise Refused("--request-log needs --log-image: this project's, as `make image` builds it")


def _mounted(target: Target, address: str, name: str) -> tuple[str, str, str]:
    """Return the registry's address inside the container, and what is mounted there: a source and a claim."""
    inside = f"/models/{name}"
    claim = _CLAIM.fullmatch(address)
    if claim is not None and target != "compose":
        return inside, (claim["path"] or "").strip("/"), claim["claim"]
    if address.startswith("gs://"):
        return address, "", ""
    if address.startswith("s3://") and target == "kserve":
        return address, "", ""
    if is_remote(address) or "://" in address:
        raise Refused(
            f"{address}: TensorFlow Serving's image reads folders and gs:// only; mount it, and name the mount by "
            "--address"
        )
    if target != "compose":
        raise Refused(
            f"{address}: pods do not see this machine's folders; say where they find the registry: "
            "--address pvc://CLAIM/PATH or --address gs://BUCKET/PATH"
        )
    return inside, str(Path(address).absolute()), ""


def _log(address: str, image: str, registry: str) -> Log:
    claim = _CLAIM.fullmatch(address)
    if claim is None:
        raise Refused(f"--request-log {address}: give pvc://CLAIM/PATH; the log is written to a file system")
    if registry.startswith("s3://"):
        raise Refused(
            f"--request-log: labels and thresholds are read from the registry, and {registry} cannot be read; use "
            "pvc:// or gs://"
        )
    return Log(claim["claim"], (claim["path"] or "").strip("/"), image, registry)


def _memory_mib(target: Target, version: Version, record: ModelRecord) -> int:
    """Return what a server may take: two versions during an exchange, each twice the size of its files."""
    size = sum(file_size(f"{version.path}/{name}") for name in record.files) / _MIB
    return math.ceil((_SERVER_MIB[target] + 4 * size) / _STEP_MIB) * _STEP_MIB
