"""State of artifacts in Kubeflow's ML Metadata: those that were removed are marked as deleted.

Kubeflow itself does not look at the state (`pipeline.remote_runs`); people and other tools do.
"""

import os
from typing import Any

# Kubeflow gives every pod of a step the address of its metadata store (kubeflow/pipelines at 2.16.1,
# backend/src/v2/compiler/argocompiler/common.go, line 32, and manifests/kustomize/base/metadata/base).
HOST, PORT = "METADATA_GRPC_SERVICE_HOST", "METADATA_GRPC_SERVICE_PORT"
_RUN_TYPE = "system.PipelineRun"  # of the context of a run, whose name is the run's ID (backend/src/v2/metadata)
_TIMEOUT_S = 30.0


def mark_removed(run: str, folder: str) -> int:
    """Mark the artifacts of a run as deleted that are in a folder; do nothing where no store is known.

    Args:
        run: Kubeflow's ID of the run.
        folder: Address of the folder that was removed.

    Returns:
        The number of artifacts.

    Raises:
        StatusError: The store cannot be asked.
    """
    host = os.environ.get(HOST)
    if not host:
        return 0
    from ml_metadata.proto.metadata_store_pb2 import Artifact

    store = _connect(host, int(os.environ.get(PORT, "8080")))
    context = store.get_context_by_type_and_name(_RUN_TYPE, run)
    found = [] if context is None else store.get_artifacts_by_context(context.id)
    removed = [each for each in found if each.uri.startswith(f"{folder}/") and each.state != Artifact.DELETED]
    for artifact in removed:
        artifact.state = Artifact.DELETED
    if removed:
        store.put_artifacts(removed)
    return len(removed)


def _connect(host: str, port: int) -> Any:
    from ml_metadata import metadata_store
    from ml_metadata.proto.metadata_store_pb2 import MetadataStoreClientConfig

    return metadata_store.MetadataStore(MetadataStoreClientConfig(host=host, port=port, client_timeout_sec=_TIMEOUT_S))
