"""The command `serve`."""

import sys
from typing import Annotated

import typer

app = typer.Typer()


@app.command()
def serve(
    model: Annotated[
        str, typer.Option(help="The registry, whose newest version is served; or the directory of one model.")
    ],
    name: Annotated[str, typer.Option(help="Name of the model in addresses and requests.")] = "default",
    host: Annotated[
        str, typer.Option(help="Address to listen on. There is no authentication: others than 127.0.0.1 are open.")
    ] = "127.0.0.1",
    port: Annotated[int, typer.Option(help="Port of HTTP; 0 for any free one.")] = 8501,
    grpc_port: Annotated[int, typer.Option(help="Port of gRPC; 0 for any free one.")] = 8500,
    max_batch: Annotated[int, typer.Option(help="Most texts that the model is called with at once.")] = 256,
    max_wait_ms: Annotated[
        float, typer.Option(help="Time that a batch which is not full waits for further requests, in ms.")
    ] = 0.0,
    workers: Annotated[
        int, typer.Option(help="Batches that the model computes at the same time, each on its share of the cores.")
    ] = 1,
    queue: Annotated[int, typer.Option(help="Texts that may wait; requests beyond are answered with 429.")] = 1000,
    max_request_mb: Annotated[float, typer.Option(help="Size of a request; above it, the answer is 413.")] = 8.0,
    poll_s: Annotated[float, typer.Option(help="Seconds between two looks for a new version.")] = 5.0,
    grace_s: Annotated[float, typer.Option(help="Seconds that accepted requests have after SIGTERM.")] = 30.0,
    request_log: Annotated[
        str | None, typer.Option(metavar="FOLDER", help="Log requests and answers as Parquet in this folder.")
    ] = None,
    log_sample: Annotated[float, typer.Option(help="Share of the requests that is logged.")] = 1.0,
    log_texts: Annotated[bool, typer.Option("--log-texts", help="Log the texts too, not their lengths only.")] = False,
    log_languages: Annotated[bool, typer.Option(help="Log the language of each text.")] = True,
    log_slices: Annotated[
        bool, typer.Option(help="Log the model's slice columns that clients send in the header X-Slices.")
    ] = True,
    log_max_mb: Annotated[int, typer.Option(help="Size of the log, in MB; above it, the oldest files go.")] = 1024,
) -> None:
    """Serve the newest version of a registry, as TensorFlow Serving would: REST, gRPC, and a page to try texts on.

    A new version is served as soon as it has been verified, loaded and warmed up; no request is lost meanwhile.
    """
    import logging
    import os

    from pydantic import ValidationError

    from components.common.memory import check_memory
    from schema.errors import Refused
    from serving.request_log.settings import RequestLogSettings
    from serving.server.live_model import find_source
    from serving.server.settings import ServerSettings

    try:
        log = (
            None
            if request_log is None
            else RequestLogSettings(
                folder=request_log,
                sample=log_sample,
                texts=log_texts,
                languages=log_languages,
                slices=log_slices,
                max_mb=log_max_mb,
            )
        )
        settings = ServerSettings(
            model=model, name=name, host=host, port=port, grpc_port=grpc_port, max_batch=max_batch,
            max_wait_ms=max_wait_ms, workers=workers, queue=queue, max_request_mb=max_request_mb, poll_s=poll_s,
            grace_s=grace_s, request_log=log,
        )  # fmt: skip
    except ValidationError as error:
        first = error.errors()[0]
        raise Refused(f"--{'-'.join(str(part) for part in first['loc']).replace('_', '-')}: {first['msg']}") from None
    find_source(model)
    check_memory(tfx=False)
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    # TensorFlow enables oneDNN by default only on some processors.
    os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "1")
    if workers > 1:
        # Otherwise the parts of each batch would be spread over all cores, and wait for each other.
        os.environ.setdefault("TF_NUM_INTRAOP_THREADS", str(max(1, len(os.sched_getaffinity(0)) // workers)))
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(message)s")
    from serving.server.server import Addresses
    from serving.server.server import serve as run

    def tell(addresses: Addresses) -> None:
        sys.stdout.write(f"http://{addresses.http}  gRPC {addresses.grpc}  model {name} of {model}\n")
        sys.stdout.flush()

    run(settings, tell)
