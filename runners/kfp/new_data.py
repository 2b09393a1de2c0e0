"""The first step of a remote run: does in a container what drivers do on the local machine.

It resolves spans and takes the fingerprint of the inputs. Both become parameters of the TextExampleGen and so part of
the key of the service's cache: an unchanged input is not read again, and nothing is trained on it again. So does the
generation of the run (`pipeline.remote_runs`), without which the cache would return artifacts that were removed. It
also says whether there is anything new; if not, the steps after it are skipped and the run succeeds.
"""

import argparse
import json
import os
import sys
from pathlib import Path

from components import registry
from components.example_gen.fingerprint import fingerprint
from components.example_gen.settings import ExamplesSettings
from components.example_gen.sources.sources import find_sources
from components.registry import Claimant
from components.training_log.news import why_nothing_is_new
from pipeline.remote_runs import RunRecord, join_generation
from runners.kfp.clean_up import clean_up_after_remote_run
from runners.kfp.notes import Note, noted, notes_of_this_run
from runners.kfp.steps import NEW_DATA, RUN_VARIABLE


def main() -> None:
    """Run the step."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--settings", required=True, help="Settings of the examples, as JSON.")
    parser.add_argument("--project", required=True, help="Project that pays for queries; may be empty.")
    parser.add_argument("--registry", required=True, help="The push destination.")
    parser.add_argument("--claimant", required=True, help="Name and labels of the pipeline, as JSON.")
    parser.add_argument("--only_new", required=True, help="true: report whether there is nothing new.")
    parser.add_argument(
        "--vertex", default="", help="Where on Vertex AI the models are as well, as JSON; may be empty."
    )
    parser.add_argument("--retention", default="", help="Retention settings, as JSON; empty: the last step cleans up.")
    parser.add_argument("--new", required=True, type=Path, help="File to write: true or false.")
    parser.add_argument("--spans", required=True, type=Path, help="File to write: the spans to read, as JSON.")
    parser.add_argument("--fingerprint", required=True, type=Path, help="File to write: the fingerprint.")
    parser.add_argument("--generation", required=True, type=Path, help="File to write: the generation of the run.")
    parser.add_argument("--record", required=True, type=Path, help="File to write: the record of the run.")
    parser.add_argument("--address", required=True, help="Address that the record will have.")
    arguments = parser.parse_args()
    for file in (arguments.new, arguments.spans, arguments.fingerprint, arguments.generation, arguments.record):
        file.parent.mkdir(parents=True, exist_ok=True)  # Kubeflow's launcher creates it, Vertex AI does not
    with noted():
        claimant = Claimant.model_validate_json(arguments.claimant)
        registry.check_owner(arguments.registry, claimant)
        registry.prepare(arguments.registry)
        clean_up_after_remote_run(arguments.retention, arguments.registry, claimant.pipeline, arguments.vertex)
        settings = ExamplesSettings.model_validate_json(arguments.settings)
        sources = find_sources(settings)
        arguments.spans.write_text(json.dumps(sources.spans), encoding="utf-8")
        inputs = fingerprint(settings, sources, arguments.project)
        arguments.fingerprint.write_text(inputs, encoding="utf-8")
        reason = why_nothing_is_new(settings, arguments.registry, sources) if arguments.only_new == "true" else None
        arguments.new.write_text(json.dumps(reason is None), encoding="utf-8")
        record = _record(arguments.registry, arguments.address, inputs if reason is None else "")
        arguments.generation.write_text(record.generation, encoding="utf-8")
        arguments.record.write_text(f"{record.model_dump_json(indent=2)}\n", encoding="utf-8")
    notes = notes_of_this_run()
    if reason is not None:
        sys.stdout.write(f"Nothing new: {reason}; only_new: false, where the image is configured, trains anyway\n")
        if notes is not None:
            notes.write(NEW_DATA, Note(outcome="no_new_data", reason=reason))


def _record(registry: str, address: str, inputs: str) -> RunRecord:
    """Record this run in the registry.

    Args:
        registry: The push destination.
        address: Address of an output of this step: the run's folder, the step's, and so on. On Kubeflow it is
            ROOT/PIPELINE/RUN/STEP/UUID/KEY (kubeflow/pipelines at 2.16.1, backend/src/v2/metadata/client.go, line 316,
            and driver/driver.go, lines 729-740), on Vertex AI ROOT/PROJECT/RUN/STEP_NUMBER/KEY (tfx 1.21,
            kubeflow_v2_run_executor.py, line 86).
        inputs: Fingerprint of the data; empty if nothing is new.
    """
    run = os.environ[RUN_VARIABLE]
    before, found, _ = address.partition(f"/{run}/")
    return join_generation(registry, run, f"{before}/{run}" if found else "", inputs)


if __name__ == "__main__":
    main()
