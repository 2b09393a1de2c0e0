"""Entry point of a step's container on Kubeflow: TFX's module of this name, and what Kubeflow's backend leaves to it.

TFX's module was written for Vertex AI. Kubeflow's driver passes input artifacts without their types, by which TFX
imports classes, and with addresses in an object store (minio://, s3://) that TensorFlow cannot open. But the types are
in the specification, of which the step gets its own part; and Kubeflow's launcher has downloaded the inputs to the
container's disk, and uploads from there what the step leaves as outputs.
"""

import json
import runpy
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from components.report.summary import Summary
from runners.kfp.notes import noted, notes_of_this_run

_TFX = "tfx.orchestration.kubeflow.v2.container.kubeflow_v2_run_executor"
_INVOCATION = "--json_serialized_invocation_args"
_INPUTS_SPEC = "--json_serialized_inputs_spec_args"
# Folders of the launcher's downloads: LocalPathForURI in kubeflow/pipelines, backend/src/v2/component/launcher_v2.go.
_COPIES = {"gs://": "/gcs/", "s3://": "/s3/", "minio://": "/minio/"}
_REPORT = "report"  # the output of the Report

Json = dict[str, Any]


def complete(invocation: Json, inputs_spec: Json, copies: Mapping[str, str] = _COPIES) -> dict[str, str]:
    """Give the artifacts of an ExecutorInput their types and paths on this disk, in place.

    Args:
        invocation: The ExecutorInput, as JSON.
        inputs_spec: The component's ComponentInputsSpec, as JSON.
        copies: Folder on this disk that holds the copies of each scheme's files.

    Returns:
        The address that each path replaces.

    Example:
        >>> outputs = {"artifacts": {"model": {"artifacts": [{"uri": "s3://bucket/run/model"}]}}}
        >>> complete({"outputs": outputs}, {})
        {'/s3/bucket/run/model': 's3://bucket/run/model'}
    """
    for name, spec in inputs_spec.get("artifacts", {}).items():
        for artifact in invocation.get("inputs", {}).get("artifacts", {}).get(name, {}).get("artifacts", []):
            artifact["type"] = spec["artifactType"]
    addresses: dict[str, str] = {}
    for artifact in _artifacts(invocation.get("inputs", {}), invocation.get("outputs", {})):
        address = artifact.get("uri", "")
        scheme = next((scheme for scheme in copies if address.startswith(scheme)), None)
        if scheme is not None:
            artifact["uri"] = copies[scheme] + address.removeprefix(scheme)
            addresses[artifact["uri"]] = address
    return addresses


def restore(output_file: Path, addresses: dict[str, str]) -> None:
    """Put the addresses back into the ExecutorOutput that the launcher reads: it uploads to where they point."""
    output = json.loads(output_file.read_text(encoding="utf-8"))
    for artifact in _artifacts(output):
        artifact["uri"] = addresses.get(artifact.get("uri", ""), artifact.get("uri", ""))
    output_file.write_text(json.dumps(output), encoding="utf-8")


def main(copies: Mapping[str, str] = _COPIES) -> None:
    """Run a step; if it refuses the data, write one line to stderr and exit with status 2.

    Args:
        copies: Argument of `complete`.
    """
    with noted():
        _run(copies)


def _run(copies: Mapping[str, str]) -> None:
    arguments = sys.argv[1:]
    index = arguments.index(_INVOCATION) + 1
    invocation = json.loads(arguments[index])
    inputs_spec = json.loads(arguments[arguments.index(_INPUTS_SPEC) + 1])
    addresses = complete(invocation, inputs_spec, copies)
    arguments[index] = json.dumps(invocation)
    sys.argv[1:] = arguments
    try:
        runpy.run_module(_TFX, run_name="__main__", alter_sys=True)
    except SystemExit as ended:  # absl exits when its main returns
        if ended.code:
            raise
    if addresses:
        restore(Path(invocation["outputs"]["outputFile"]), addresses)
    notes = notes_of_this_run()
    report = invocation["outputs"].get("artifacts", {}).get(_REPORT)
    if notes is not None and report is not None:
        notes.write_summary(Summary.read(report["artifacts"][0]["uri"]))


def _artifacts(*parts: Json) -> Iterator[Json]:
    for part in parts:
        for listed in part.get("artifacts", {}).values():
            yield from listed.get("artifacts", [])


if __name__ == "__main__":
    main()
