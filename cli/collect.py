"""The command `collect`."""

import sys
from typing import Annotated

import typer

app = typer.Typer()


@app.command()
def collect(
    model: Annotated[str, typer.Option(help="The registry whose versions answer.")],
    request_log: Annotated[str, typer.Option(metavar="FOLDER", help="Folder of the request log.")],
    name: Annotated[str, typer.Option(help="Name of the model in the log, if an event has none.")] = "default",
    status_url: Annotated[
        str | None,
        typer.Option(
            metavar="URL",
            help="http://HOST:8501/v1/models/NAME of TensorFlow Serving, whose answers do not name their version.",
        ),
    ] = None,
    host: Annotated[
        str, typer.Option(help="Address to listen on. There is no authentication: others than 127.0.0.1 are open.")
    ] = "127.0.0.1",
    port: Annotated[int, typer.Option(help="Port; 0 for any free one.")] = 8600,
    max_request_mb: Annotated[float, typer.Option(help="Size of an event; above it, the answer is 413.")] = 8.0,
    poll_s: Annotated[float, typer.Option(help="Seconds between two looks for a new version.")] = 5.0,
    log_sample: Annotated[float, typer.Option(help="Share of the requests that is logged.")] = 1.0,
    log_texts: Annotated[bool, typer.Option("--log-texts", help="Log the texts too, not their lengths only.")] = False,
    log_max_mb: Annotated[int, typer.Option(help="Size of the log, in MB; above it, the oldest files go.")] = 1024,
) -> None:
    """Write what KServe's logger sends to the request log, as `serve --request-log` does by itself.

    It takes the requests and answers of `serve`, TensorFlow Serving (REST) and Triton behind KServe's logger.
    """
    import logging

    from pydantic import ValidationError

    from schema.errors import Refused
    from serving.collector.settings import CollectorSettings
    from serving.request_log.settings import RequestLogSettings
    from serving.server.live_model import find_source

    try:
        settings = CollectorSettings(
            model=model, name=name, status_url=status_url, host=host, port=port, max_request_mb=max_request_mb,
            poll_s=poll_s,
            request_log=RequestLogSettings(
                folder=request_log, sample=log_sample, texts=log_texts, max_mb=log_max_mb
            ),
        )  # fmt: skip
    except ValidationError as error:
        first = error.errors()[0]
        raise Refused(f"--{'-'.join(str(part) for part in first['loc']).replace('_', '-')}: {first['msg']}") from None
    find_source(model)
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(message)s")
    from serving.collector.server import collect as run

    def tell(address: str) -> None:
        sys.stdout.write(f"http://{address}  into {request_log}\n")
        sys.stdout.flush()

    run(settings, tell)
