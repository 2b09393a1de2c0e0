"""Entry point of a step's container on Kubeflow: TFX's module of this name, and what Kubeflow's backend leaves to it.

TFX's module was written for Vertex AI. Kubeflow's driver passes input artifacts without their types, by which TFX
imports classes, and with addresses in an object store (minio://, s3://) that TensorFlow cannot open. But the types are
in the specification, of which the step gets its own part; and Kubeflow's launcher has downloaded the inputs to the
container's disk, and uploads from there what the step leaves as outputs.

The driver also adds outputs of its own, such as the log of the step. They are left to the launcher: TFX, which cannot
import their types, does not get to see them.
"""

import json
import os
import runpy
import sys
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from components.common.digest import PROPERTY, Digests
from components.common.files import is_remote, read_bytes, write_whole
from components.example_gen.report import IngestReport
from components.pusher.push_result import PushResult
from components.report.summary import Summary, summarize_rows
from pipeline.remote_runs import record_push
from pipeline.run_scoring import summarize
from runners.kfp.costs import keep_costs_of_this_run, record_costs
from runners.kfp.notes import noted, notes_of_this_run, optional
from runners.kfp.steps import REGISTRY_VARIABLE, RUN_VARIABLE, STEP_VARIABLE
from schema.errors import Refused
from serving.scoring.record import ScoringResult

_TFX = "tfx.orchestration.kubeflow.v2.container.kubeflow_v2_run_executor"
_INVOCATION = "--json_serialized_invocation_args"
_INPUTS_SPEC = "--json_serialized_inputs_spec_args"
_CLASS = "--executor_class_path"
FINGERPRINT = "--settings_fingerprint"
"""Argument that is there for the service's cache only, which compares arguments."""
COPIES = {"gs://": "/gcs/", "s3://": "/s3/", "minio://": "/minio/"}
"""Folder of the launcher's copies by scheme (kubeflow/pipelines at 2.16.1, backend/src/v2/component/launcher_v2.go,
LocalPathForURI)."""
# Outputs that the last step needs something of, and the first step that always runs and gets the second.
_REPORT, _PUSHED, _QUARANTINE, _DATA_GATE = "report", "pushed_model", "quarantine", "DataGate"
_SCORES = "inference_result"

# Packages of the steps that decide whether a model goes live, and so compare what they read with its digest.
_DECIDING = tuple(
    f"components.{name}." for name in ("data_gate", "evaluation", "behaviour", "blessing", "canary", "pusher")
)
# Too large to be downloaded for its digest alone. An object store compares checksums itself.
_LARGE_TYPE = "tfx.Examples"

Json = dict[str, Any]


def complete(invocation: Json, inputs_spec: Json, copies: Mapping[str, str] = COPIES) -> dict[str, str]:
    """Give the artifacts of an ExecutorInput their types and paths on this disk, in place.

    Artifacts that are not the component's own are removed.

    Args:
        invocation: The ExecutorInput, as JSON.
        inputs_spec: The component's ComponentInputsSpec, as JSON.
        copies: Folder on this disk that holds the copies of each scheme's files.

    Returns:
        The address that each path replaces.

    Example:
        >>> model = {"uri": "s3://bucket/run/model", "type": {"instanceSchema": "title: tfx.Model"}}
        >>> outputs = {"artifacts": {"model": {"artifacts": [model]}}}
        >>> complete({"outputs": outputs}, {})
        {'/s3/bucket/run/model': 's3://bucket/run/model'}
    """
    _remove_foreign(invocation, inputs_spec)
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


def record_digests(output_file: str, invocation: Json) -> None:
    """Write the digest of each output into the ExecutorOutput, as metadata of the artifact, which later steps get.

    Args:
        output_file: The ExecutorOutput, with paths on this disk, or addresses that TensorFlow opens.
        invocation: The ExecutorInput, as JSON.
    """
    output = json.loads(read_bytes(output_file))
    large = {artifact["uri"] for artifact in _artifacts(invocation["outputs"]) if _LARGE_TYPE in str(artifact["type"])}
    digests = Digests()
    for artifact in _artifacts(output):
        uri = artifact["uri"]
        digest = digests.compute(uri, sizes_only=uri in large and is_remote(uri))
        artifact.setdefault("metadata", {})[PROPERTY] = digest
    write_whole(output_file, json.dumps(output).encode())


def check_inputs(executor: str, invocation: Json) -> None:
    """Compare the inputs of a step that decides something with the digests that the steps before recorded.

    Unlike on one machine, the service's cache cannot be told to make an artifact anew.

    Args:
        executor: Path of the step's executor class.
        invocation: The ExecutorInput, as JSON, with paths on this disk.

    Raises:
        Refused: An input is not as the step before left it.
    """
    if not executor.startswith(_DECIDING):
        return
    digests = Digests()
    for artifact in _artifacts(invocation.get("inputs", {})):
        digest = artifact.get("metadata", {}).get(PROPERTY)  # none of releases without digests
        if digest is not None and not digests.match(artifact["uri"], digest):
            raise Refused(
                f"{artifact['uri']}: is not as the step left it that made it; run again with `cache: false` for that"
                " step (runner.<runner>.steps.<step>), which makes it anew"
            )


def main(copies: Mapping[str, str] = COPIES) -> None:
    """Run a step; if it refuses the data, write one line to stderr and exit with status 2.

    Args:
        copies: Argument of `complete`.
    """
    with noted():
        _run(copies)


def _run(copies: Mapping[str, str]) -> None:
    started = time.monotonic()
    arguments = _without(FINGERPRINT, sys.argv[1:])
    index = arguments.index(_INVOCATION) + 1
    invocation = json.loads(arguments[index])
    inputs_spec = json.loads(arguments[arguments.index(_INPUTS_SPEC) + 1])
    addresses = complete(invocation, inputs_spec, copies)
    before = keep_costs_of_this_run(_artifacts(invocation.get("inputs", {})))
    arguments[index] = json.dumps(invocation)
    sys.argv[1:] = arguments
    check_inputs(arguments[arguments.index(_CLASS) + 1], invocation)
    _note_rows(invocation)
    try:
        runpy.run_module(_TFX, run_name="__main__", alter_sys=True)
    except SystemExit as ended:  # absl exits when its main returns
        if ended.code:
            raise
    output_file = invocation["outputs"]["outputFile"]
    record_digests(output_file, invocation)
    record_costs(output_file, before, time.monotonic() - started)
    if addresses:
        restore(Path(output_file), addresses)
    _record_push(invocation)
    _note_push(invocation)
    _note_summary(invocation)
    note_scores(invocation)


def _note_rows(invocation: Json) -> None:
    """Note the numbers of rows, for the summary of a run that fails later: its Report does not run."""
    notes = notes_of_this_run()
    if notes is not None and os.environ.get(STEP_VARIABLE) == _DATA_GATE:
        with optional():
            (quarantine,) = invocation["inputs"]["artifacts"][_QUARANTINE]["artifacts"]
            notes.write_rows(summarize_rows(IngestReport.read(quarantine["uri"])))


def _record_push(invocation: Json) -> None:
    """Record in the registry what this run trained, if this step is the Pusher (`pipeline.remote_runs`)."""
    registry, run = os.environ.get(REGISTRY_VARIABLE), os.environ.get(RUN_VARIABLE)
    pushed = invocation["outputs"].get("artifacts", {}).get(_PUSHED)
    if registry and run and pushed is not None:
        record_push(registry, run, PushResult.read(pushed["artifacts"][0]["uri"]))


def _note_push(invocation: Json) -> None:
    """Note the result of the push, if this step is the Pusher: whatever fails later, that is what answers."""
    notes = notes_of_this_run()
    pushed = invocation["outputs"].get("artifacts", {}).get(_PUSHED)
    if notes is not None and pushed is not None:
        with optional():
            notes.write_push(PushResult.read(pushed["artifacts"][0]["uri"]))


def _note_summary(invocation: Json) -> None:
    """Note the summary, if this step is the Report."""
    notes = notes_of_this_run()
    report = invocation["outputs"].get("artifacts", {}).get(_REPORT)
    if notes is not None and report is not None:
        notes.write_summary(Summary.read(report["artifacts"][0]["uri"]))


def note_scores(invocation: Json) -> None:
    """Note the summary, if this step is the TextScorer: it is the last of its pipeline, which has no Report."""
    notes = notes_of_this_run()
    result = invocation["outputs"].get("artifacts", {}).get(_SCORES)
    if result is not None:
        summary = summarize(ScoringResult.read(result["artifacts"][0]["uri"]))
        sys.stdout.write(f"Outcome: {summary.outcome}{''.join(f': {reason}' for reason in summary.reasons)}\n")
        if notes is not None:
            notes.write_summary(summary)


def _remove_foreign(invocation: Json, inputs_spec: Json) -> None:
    """Remove the artifacts that the service added: inputs that are not declared, outputs of a type that is not TFX's.

    Kubeflow adds an output `executor-logs` to each task (kubeflow/pipelines at 2.16.1, backend/src/v2/driver/driver.go,
    lines 703-715). Its launcher uploads it without the step's help (component/launcher_v2.go, uploadOutputArtifacts).
    """
    declared = inputs_spec.get("artifacts", {})
    inputs = invocation.get("inputs", {}).get("artifacts", {})
    for name in [name for name in inputs if name not in declared]:
        del inputs[name]
    outputs = invocation.get("outputs", {}).get("artifacts", {})
    for name in [name for name, listed in outputs.items() if not all(map(_is_of_tfx, listed.get("artifacts", [])))]:
        del outputs[name]


def _is_of_tfx(artifact: Json) -> bool:
    kind = artifact.get("type", {})
    return "instanceSchema" in kind or kind.get("schemaTitle", "").startswith("tfx.")


def _without(flag: str, arguments: list[str]) -> list[str]:
    """Return arguments without a flag and its value."""
    if flag not in arguments:
        return arguments
    index = arguments.index(flag)
    return [*arguments[:index], *arguments[index + 2 :]]


def _artifacts(*parts: Json) -> Iterator[Json]:
    for part in parts:
        for listed in part.get("artifacts", {}).values():
            yield from listed.get("artifacts", [])


if __name__ == "__main__":
    main()
