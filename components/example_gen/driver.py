"""Resolves what a run reads before the cache is asked, on runners that have drivers.

Spans, versions and a fingerprint of the files become execution properties and so part of the cache key: an unchanged
input is not read again, a changed one is. On open-source Kubeflow, where no driver runs, a step before does the same
(`runners.kfp.new_data`); where nothing does, the executor resolves them.
"""

import json

from tfx.orchestration.portable.data_types import ExecutionInfo
from tfx.proto.orchestration import driver_output_pb2

from components.common.resolving_driver import ResolvingDriver
from components.example_gen.settings import ExamplesSettings
from components.example_gen.sources.fingerprint import fingerprint
from components.example_gen.sources.sources import Sources, find_sources
from components.example_gen.sources.spans import SpanVersion
from schema.errors import Refused

SETTINGS_KEY = "settings"  # the execution property that holds the settings as JSON
PROJECT_KEY = "project"  # what pays for queries
SPANS_KEY = "spans"  # likewise the spans to read, as [[span, version], ...]
FINGERPRINT_KEY = "input_fingerprint"  # TFX's name


class Driver(ResolvingDriver):
    """Puts spans and fingerprint into the execution's properties."""

    def run(self, execution_info: ExecutionInfo) -> driver_output_pb2.DriverOutput:
        """Called by the launcher."""
        settings = ExamplesSettings.model_validate_json(execution_info.exec_properties[SETTINGS_KEY])
        output = driver_output_pb2.DriverOutput()
        try:
            sources = find_sources(settings)
        except Refused:
            # TFX would leave an execution whose driver fails as running for ever. The executor refuses the same.
            return output
        output.exec_properties[SPANS_KEY].string_value = json.dumps(sources.spans)
        project = execution_info.exec_properties.get(PROJECT_KEY, "")
        output.exec_properties[FINGERPRINT_KEY].string_value = fingerprint(settings, sources, project)
        return output


def decided_sources(settings: ExamplesSettings, spans: str | None) -> Sources:
    """What the driver decided on, or where none ran, the same decided now.

    Args:
        settings: The configuration.
        spans: The execution property, None where no driver ran.
    """
    if spans is None:
        return find_sources(settings)
    return find_sources(settings, [SpanVersion(*span) for span in json.loads(spans)])
