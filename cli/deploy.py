"""The command `deploy`."""

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

app = typer.Typer()


class _Target(StrEnum):
    compose = "compose"
    kubernetes = "kubernetes"
    kserve = "kserve"


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
) -> None:
    """Write manifests that serve a registry: by TensorFlow Serving on Docker Compose or Kubernetes, or on KServe."""
    from components.common.files import write_whole
    from pipeline.console import PlainConsole
    from serving.deploy.manifests import describe, render

    deployment = describe(
        target.value, model, name=name, address=address, image=image, replicas=replicas, cpus=cpus, poll_s=poll_s,
        canary=canary, request_log=request_log, log_image=log_image,
    )  # fmt: skip
    output.mkdir(parents=True, exist_ok=True)
    for file, content in render(target.value, deployment).items():
        write_whole(str(output / file), content.encode())
        PlainConsole().print(f"Wrote {output / file}", soft_wrap=True)
