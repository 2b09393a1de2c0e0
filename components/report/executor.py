"""Executor of the Report."""

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from tfx import types
from tfx.dsl.components.base import base_executor
from tfx.types import artifact_utils

from components.report.attention import read_eval_positives, with_attention
from components.report.card import write_card
from components.report.gather import gather_summary
from components.report.page import write_page
from components.report.settings import ReportSettings
from components.report.summary import Provenance, merge_measured, with_measured
from components.report.summary.cut import write_slices
from components.report.summary.measured import PROPERTY
from components.report.views.material import gather_material
from components.report.views.trend import registry_results

Artifacts = dict[str, list[types.Artifact]]


class Executor(base_executor.BaseExecutor):  # type: ignore[misc]
    """Writes summary.json, report.html and model_card.md into the RunReport."""

    def Do(  # noqa: N802 - TFX's name
        self, input_dict: Artifacts, output_dict: Artifacts, exec_properties: dict[str, Any]
    ) -> None:
        uris = {
            key: artifact_utils.get_single_instance(artifacts).uri for key, artifacts in input_dict.items() if artifacts
        }
        folder = artifact_utils.get_single_instance(output_dict["report"]).uri
        summary, slices = gather_summary(
            quarantine_uri=uris["quarantine"],
            data_verdict_uri=uris["data_verdict"],
            model_uri=uris["model"],
            baseline_uri=uris["baseline"],
            evaluation_uri=uris["evaluation"],
            blessing_uri=uris["blessing"],
            canary_uri=uris["canary"],
            pushed_uri=uris["pushed_model"],
            variants_uri=uris.get("variants"),
        )
        settings = ReportSettings.model_validate_json(exec_properties["settings"])
        summary = with_attention(summary, read_eval_positives(uris["model_run"]), settings.attention)
        summary = with_measured(summary, merge_measured(_properties(input_dict)))
        summary.write(folder)
        provenance = _provenance(exec_properties)
        if provenance is not None:
            provenance.write(folder)
        if summary.slices_note:
            write_slices(folder, slices)
        material = gather_material(
            uris | {"results": uris["behaviour"], "verdict": uris["data_verdict"]},
            summary,
            configuration=json.loads(exec_properties["configuration"]),
            when=datetime.now(UTC),
            texts=settings.texts,
            mistakes=settings.mistakes,
            slice_drop=settings.attention.slice_drop,
            past=registry_results(exec_properties["registry"]),
            chosen=json.loads(exec_properties["chosen"]),
            provenance=provenance,
        )
        write_page(folder, material)
        write_card(folder, material)


def _properties(inputs: Artifacts) -> list[str]:
    """Return what each input says that steps took; empty where it says nothing, as on one machine."""
    return [str(artifact.get_string_custom_property(PROPERTY)) for listed in inputs.values() for artifact in listed]


def _provenance(exec_properties: Mapping[str, Any]) -> Provenance | None:
    text = exec_properties.get("provenance")
    return Provenance.model_validate_json(text) if text else None
