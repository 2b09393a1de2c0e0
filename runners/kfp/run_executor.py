"""What a step's container runs on open-source Kubeflow: TFX's module of this name, and what its backend leaves to it.

TFX's was written for Vertex AI. Kubeflow's driver hands out input artifacts without their types, which TFX imports
classes by, and addresses in an object store (minio://, s3://) that TensorFlow cannot open. But the types are in the
specification, of which the step gets its part; and Kubeflow's launcher has put copies of the inputs on the container's
disk, and uploads from there what the step leaves as outputs.
"""

import json
import runpy
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from components.report.summary import Summary
from runners.kfp.notes import ended_in_words, notes_here

_TFX = "tfx.orchestration.kubeflow.v2.container.kubeflow_v2_run_executor"
_INVOCATION = "--json_serialized_invocation_args"
_INPUTS_SPEC = "--json_serialized_inputs_spec_args"
# Where the launcher puts copies: LocalPathForURI in kubeflow/pipelines, backend/src/v2/component/launcher_v2.go.
_COPIES = {"gs://": "/gcs/", "s3://": "/s3/", "minio://": "/minio/"}
_REPORT = "report"  # the output of the Report

Json = dict[str, Any]


def complete(invocation: Json, inputs_spec: Json, copies: Mapping[str, str] = _COPIES) -> dict[str, str]:
    """Gives the artifacts of an ExecutorInput types and paths on this disk, in place.

    Args:
        invocation: The ExecutorInput, as JSON.
        inputs_spec: The component's ComponentInputsSpec, as JSON.
        copies: Of each scheme, the folder that stands for it on this disk.

    Returns:
        The address that each path was put in the place of.
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
    """Puts the addresses back into the ExecutorOutput that the launcher reads: it uploads to where they say."""
    output = json.loads(output_file.read_text(encoding="utf-8"))
    for artifact in _artifacts(output):
        artifact["uri"] = addresses.get(artifact.get("uri", ""), artifact.get("uri", ""))
    output_file.write_text(json.dumps(output), encoding="utf-8")


def main(copies: Mapping[str, str] = _COPIES) -> None:
    """Runs a step; exit status 2, and one line, if it refused the data.

    Args:
        copies: As `complete` takes it.
    """
    with ended_in_words():
        _run(copies)


def _run(copies: Mapping[str, str]) -> None:
    arguments = sys.argv[1:]
    place = arguments.index(_INVOCATION) + 1
    invocation = json.loads(arguments[place])
    inputs_spec = json.loads(arguments[arguments.index(_INPUTS_SPEC) + 1])
    addresses = complete(invocation, inputs_spec, copies)
    arguments[place] = json.dumps(invocation)
    sys.argv[1:] = arguments
    try:
        runpy.run_module(_TFX, run_name="__main__", alter_sys=True)
    except SystemExit as ended:  # absl's way to return
        if ended.code:
            raise
    if addresses:
        restore(Path(invocation["outputs"]["outputFile"]), addresses)
    notes = notes_here()
    report = invocation["outputs"].get("artifacts", {}).get(_REPORT)
    if notes is not None and report is not None:
        notes.write_summary(Summary.read(report["artifacts"][0]["uri"]))


def _artifacts(*parts: Json) -> Iterator[Json]:
    for part in parts:
        for listed in part.get("artifacts", {}).values():
            yield from listed.get("artifacts", [])


if __name__ == "__main__":
    main()
