"""The first step on Kubeflow: does, in a container, what drivers do where there are some.

It resolves spans and takes the inputs' fingerprint. Both become parameters of the TextExampleGen and so part of what
Kubeflow's cache asks for: an unchanged input is not read again, nor is anything trained again on it. And it says
whether there is anything new; the steps after it are skipped if not, and the run ends well.
"""

import argparse
import json
import sys
from pathlib import Path

from components.example_gen.settings import ExamplesSettings
from components.example_gen.sources.fingerprint import fingerprint
from components.example_gen.sources.sources import find_sources
from components.training_log.news import why_nothing_is_new
from runners.kfp.notes import Note, ended_in_words, notes_here
from runners.kubeflow.runner import NEW_DATA


def main() -> None:
    """Runs the step."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--settings", required=True, help="The examples' settings, as JSON.")
    parser.add_argument("--project", required=True, help="Pays for queries; may be empty.")
    parser.add_argument("--registry", required=True, help="The push destination.")
    parser.add_argument("--only_new", required=True, help="true: say that there is nothing new where there is not.")
    parser.add_argument("--new", required=True, type=Path, help="File for: true or false.")
    parser.add_argument("--spans", required=True, type=Path, help="File for the spans to read, as JSON.")
    parser.add_argument("--fingerprint", required=True, type=Path, help="File for the fingerprint.")
    asked = parser.parse_args()
    for file in (asked.new, asked.spans, asked.fingerprint):
        file.parent.mkdir(parents=True, exist_ok=True)  # Kubeflow's launcher makes it, Vertex AI does not
    with ended_in_words():
        settings = ExamplesSettings.model_validate_json(asked.settings)
        sources = find_sources(settings)
        asked.spans.write_text(json.dumps(sources.spans), encoding="utf-8")
        asked.fingerprint.write_text(fingerprint(settings, sources, asked.project), encoding="utf-8")
        nothing_new = why_nothing_is_new(settings, asked.registry, sources) if asked.only_new == "true" else None
        asked.new.write_text(json.dumps(nothing_new is None), encoding="utf-8")
    notes = notes_here()
    if nothing_new is not None:
        sys.stdout.write(f"Nothing new: {nothing_new}; only_new: false, where the image is configured, runs even so\n")
        if notes is not None:
            notes.write(NEW_DATA, Note(outcome="no_new_data", reason=nothing_new))


if __name__ == "__main__":
    main()
