"""The command `deploy`."""

from collections.abc import Iterable
from enum import StrEnum
from pathlib import Path
from typing import Annotated, cast

import typer

app = typer.Typer()


class _Target(StrEnum):
    compose = "compose"
    kubernetes = "kubernetes"
    kserve = "kserve"
    triton = "triton"


@app.command()
def deploy(
    target: Annotated[_Target, typer.Option(help="Where it will be served.")],
    model: Annotated[str, typer.Option(help="The registry whose versions are served.")],
    output: Annotated[Path, typer.Option(metavar="FOLDER", help="Folder for the manifests; created if needed.")],
    name: Annotated[str, typer.Option(help="Name of the model in addresses, and of what is deployed.")] = "default",
    address: Annotated[
        str | None,
        typer.Option(help="Registry as servers see it: a folder, gs://BUCKET/PATH, or pvc://CLAIM/PATH on Kubernetes."),
    ] = None,
    image: Annotated[
        str | None,
        typer.Option(help="Image of the server: TensorFlow Serving's unless given; for kserve, this project's."),
    ] = None,
    replicas: Annotated[int, typer.Option(min=1, help="Number of servers on Kubernetes.")] = 2,
    cpus: Annotated[int, typer.Option(min=1, help="Cores of a server.")] = 2,
    poll_s: Annotated[int, typer.Option(min=1, help="Seconds between two looks for a new version.")] = 30,
    canary: Annotated[
        int | None,
        typer.Option(min=0, max=100, help="kserve: share of the traffic for this version, in percent; else all of it."),
    ] = None,
    request_log: Annotated[
        str | None,
        typer.Option(metavar="pvc://CLAIM/PATH", help="kubernetes and kserve: log requests and answers there."),
    ] = None,
    log_image: Annotated[
        str | None, typer.Option(help="kubernetes: image of this project, which writes the request log.")
    ] = None,
    variant: Annotated[str, typer.Option(help="triton: the variant that is served, onnx or int8.")] = "onnx",
    gpu: Annotated[bool, typer.Option("--gpu", help="triton: compute on a GPU.")] = False,
) -> None:
    """Write what serves a registry: manifests for Compose, Kubernetes or KServe, or a model repository for Triton."""
    from components.common.files import write_whole
    from pipeline.console import PlainConsole
    from serving.deploy import manifests, triton

    files: Iterable[tuple[str, bytes]]
    if target is _Target.triton:
        described, folder = triton.describe(model, name=name, variant=variant, image=image, cpus=cpus, gpu=gpu)
        files = triton.render(described, folder)
    else:
        of_manifests = cast("manifests.Target", target.value)
        deployment = manifests.describe(
            of_manifests, model, name=name, address=address, image=image, replicas=replicas, cpus=cpus, poll_s=poll_s,
            canary=canary, request_log=request_log, log_image=log_image,
        )  # fmt: skip
        files = ((file, text.encode()) for file, text in manifests.render(of_manifests, deployment).items())
    for file, content in files:
        path = output / file
        path.parent.mkdir(parents=True, exist_ok=True)
        write_whole(str(path), content)
        PlainConsole().print(f"Wrote {path}", soft_wrap=True)
