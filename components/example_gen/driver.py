"""Driver of TextExampleGen: resolves what a run reads before the cache is consulted.

Spans, versions and a fingerprint of the inputs become execution properties and so part of the cache key: an unchanged
input is not read again, a changed one is. On open-source Kubeflow, which runs no drivers, a preceding step does the
same (`runners.kfp.new_data`); if neither has run, the executor resolves the spans.
"""

import json
from contextlib import suppress

from tfx.orchestration.portable.data_types import ExecutionInfo
from tfx.proto.orchestration import driver_output_pb2

from components.common.resolving_driver import ResolvingDriver
from components.example_gen.fingerprint import fingerprint
from components.example_gen.settings import ExamplesSettings
from components.example_gen.sources.sources import Sources, find_sources
from components.example_gen.sources.spans import SpanVersion
from components.stratification.memory import describe_start
from schema.errors import Refused

# Execution properties.
SETTINGS_KEY = "settings"  # ExamplesSettings as JSON
PROJECT_KEY = "project"  # Google Cloud project that pays for queries
SPANS_KEY = "spans"  # spans to read, as JSON: [[span, version], ...]
FINGERPRINT_KEY = "input_fingerprint"  # named by TFX
REGISTRY_KEY = "registry"  # the push destination; only where splits are stratified
DEAL_KEY = "deal"  # entry of the registry that rows are dealt out beside, as `describe_start` returns it


class Driver(ResolvingDriver):
    """Driver that adds spans and fingerprint to the execution properties."""

    def run(self, execution_info: ExecutionInfo) -> driver_output_pb2.DriverOutput:
        """Return the properties to add; called by TFX's launcher."""
        settings = ExamplesSettings.model_validate_json(execution_info.exec_properties[SETTINGS_KEY])
        output = driver_output_pb2.DriverOutput()
        try:
            sources = find_sources(settings)
        except Refused:
            # If a driver fails, TFX leaves its execution as running forever. The executor refuses the same input.
            return output
        output.exec_properties[SPANS_KEY].string_value = json.dumps(sources.spans)
        project = execution_info.exec_properties.get(PROJECT_KEY, "")
        inputs = fingerprint(settings, sources, project)
        output.exec_properties[FINGERPRINT_KEY].string_value = inputs
        if registry := execution_info.exec_properties.get(REGISTRY_KEY):
            with suppress(Refused):  # as above
                output.exec_properties[DEAL_KEY].string_value = describe_start(registry, inputs)
        return output


def resolved_sources(settings: ExamplesSettings, spans: str | None) -> Sources:
    """Return the sources of the spans that the driver chose; if no driver ran, choose the spans now.

    Args:
        settings: Inputs and spans to read.
        spans: Execution property SPANS_KEY; None if no driver ran.
    """
    if spans is None:
        return find_sources(settings)
    return find_sources(settings, [SpanVersion(*span) for span in json.loads(spans)])
