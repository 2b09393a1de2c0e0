"""Import what containers import, to find out whether slim.sh has removed too much.

Without an argument, import the packages. Python then writes their bytecode, which containers could not: they would
compile thousands of modules at every start. With `--project`, import every module of the project: as root, to write the
bytecode that the packages listed here leave out, then as the image's user.
"""

import os
import pkgutil
import sys
from importlib import import_module

_PACKAGES = (
    "apache_beam.io.gcp.gcsio",
    "apache_beam.runners.dataflow.dataflow_runner",
    "apache_beam.runners.portability.flink_runner",
    "apache_beam.runners.worker.sdk_worker_main",
    "cleanlab.filter",
    "cloudevents.core.bindings.http",
    "google.cloud.aiplatform",
    "google_crc32c",
    "grpc.aio",
    "jinja2",
    "keras_hub",
    "kfp.kubernetes",
    "onnxruntime.quantization",
    "prometheus_client.core",
    "pydantic.types",
    "rich.live",
    "rich.status",
    "shellingham",
    "starlette.applications",
    "tenacity",
    "tensorflow_model_analysis",
    "tensorflow_text",
    "tfx.orchestration.beam.beam_dag_runner",
    "tfx.orchestration.kubeflow.v2.container.kubeflow_v2_run_executor",
    "tfx.v1",
    "tokenizers",
    "typer.main",
    "uvicorn.lifespan.off",
    "uvicorn.protocols.http.h11_impl",
)
_PROJECT = ("cli", "components", "pipeline", "runners", "schema", "serving")


def _modules(package: str) -> list[str]:
    found = pkgutil.walk_packages(import_module(package).__path__, f"{package}.")
    return [module.name for module in found if not module.name.endswith(".__main__")]


def main() -> None:
    os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
    project = [name for package in _PROJECT for name in _modules(package)] if "--project" in sys.argv else []
    for name in project or _PACKAGES:
        import_module(name)
    from tfx.v1 import components

    # tfx.components swallows ImportErrors and leaves None.
    missing = [name for name in ("Evaluator", "Pusher", "Trainer", "Transform") if getattr(components, name) is None]
    if missing:
        sys.exit(f"tfx.components lacks {', '.join(missing)}")


if __name__ == "__main__":
    main()
