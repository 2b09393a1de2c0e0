"""Python worker beside a TaskManager: what /opt/apache/beam/boot, a Go program, is in Beam's images.

Flink starts this command (`environment_type=PROCESS`). It requests the job's options and the files that were staged
with the job, writes these into a folder of its own, puts the code of whoever submitted the job before the installed
one, and becomes Beam's worker.
"""

import argparse
import os
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from pipeline.code import use_code

_STAGED = "staged"  # folder, below its own, in which Beam's worker looks for staged files


def main(arguments: Sequence[str] | None = None) -> None:
    """Run Beam's worker in this process until the job no longer needs it.

    Args:
        arguments: Arguments with which a Beam runner starts a worker; None: those of the command line.
    """
    parser = argparse.ArgumentParser(description=__doc__)
    for name in ("id", "control_endpoint", "logging_endpoint", "artifact_endpoint", "provision_endpoint"):
        parser.add_argument(f"--{name}", required=name in ("id", "provision_endpoint"), default="")
    given, _ = parser.parse_known_args(arguments)
    folder = Path(tempfile.mkdtemp(prefix="beam-worker-"))
    use_code(folder / "code")
    os.environ.update(_environment(given, folder))
    from apache_beam.runners.worker import sdk_worker_main

    sdk_worker_main.main(sys.argv)


def _environment(given: argparse.Namespace, folder: Path) -> dict[str, str]:
    """Return the environment variables that Beam's worker reads."""
    import grpc
    from apache_beam.portability.api import beam_provision_api_pb2, beam_provision_api_pb2_grpc, endpoints_pb2
    from apache_beam.runners.worker.worker_id_interceptor import WorkerIdInterceptor
    from google.protobuf import json_format, text_format

    def channel(address: str) -> grpc.Channel:
        return grpc.intercept_channel(grpc.insecure_channel(address), WorkerIdInterceptor(given.id))

    def descriptor(address: str) -> str:
        return str(text_format.MessageToString(endpoints_pb2.ApiServiceDescriptor(url=address), as_one_line=True))

    provision = beam_provision_api_pb2_grpc.ProvisionServiceStub(channel(given.provision_endpoint))
    info = provision.GetProvisionInfo(beam_provision_api_pb2.GetProvisionInfoRequest()).info
    artifacts = info.artifact_endpoint.url or given.artifact_endpoint
    if info.dependencies:
        _stage(info.dependencies, channel(artifacts), folder / _STAGED)
    return {
        "WORKER_ID": given.id,
        "PIPELINE_OPTIONS": json_format.MessageToJson(info.pipeline_options),
        "LOGGING_API_SERVICE_DESCRIPTOR": descriptor(info.logging_endpoint.url or given.logging_endpoint),
        "CONTROL_API_SERVICE_DESCRIPTOR": descriptor(info.control_endpoint.url or given.control_endpoint),
        "SEMI_PERSISTENT_DIRECTORY": str(folder),
        "RUNNER_CAPABILITIES": " ".join(info.runner_capabilities),
        "TF_CPP_MIN_LOG_LEVEL": os.environ.get("TF_CPP_MIN_LOG_LEVEL", "1"),
    }


def _stage(dependencies: Sequence[object], channel: object, folder: Path) -> None:
    """Fetch the staged files, each under its own name."""
    from apache_beam.portability.api import beam_artifact_api_pb2_grpc, beam_runner_api_pb2
    from apache_beam.runners.portability.artifact_service import resolve_artifacts

    folder.mkdir()
    service = beam_artifact_api_pb2_grpc.ArtifactRetrievalServiceStub(channel)
    for artifact in resolve_artifacts(dependencies, service, str(folder)):
        fetched = beam_runner_api_pb2.ArtifactFilePayload.FromString(artifact.type_payload).path
        role = beam_runner_api_pb2.ArtifactStagingToRolePayload.FromString(artifact.role_payload)
        Path(fetched).rename(folder / Path(role.staged_name).name)


if __name__ == "__main__":
    main()
