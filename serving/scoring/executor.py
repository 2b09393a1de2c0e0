"""Executor of TextScorer."""

import re
from collections.abc import Sequence
from typing import Any

from tfx.dsl.components.base.base_beam_executor import BaseBeamExecutor
from tfx.types import artifact_utils
from tfx.types.standard_component_specs import INFERENCE_RESULT_KEY

from components.common.progress import LASTING, PROGRESS
from components.example_gen.check import check_sources
from serving.scoring.batches import Batch, find_batches
from serving.scoring.record import ScoredBatch, ScoringRecord, ScoringResult
from serving.scoring.run import begin, choose, keys_of_scoring, run, with_id_column
from serving.scoring.settings import ScoringSettings

SETTINGS_KEY = "settings"  # ScoringSettings as JSON
REGISTRY_KEY = "registry"
PROJECT_KEY = "project"  # Google Cloud project that pays for queries
_WORKERS = re.compile(r"--direct_num_workers=(\d+)")


class Executor(BaseBeamExecutor):  # type: ignore[misc]
    """Executor that scores every batch that is not scored yet, each with the live version of that moment."""

    def Do(  # noqa: N802 - named by TFX
        self, input_dict: dict[str, list[Any]], output_dict: dict[str, list[Any]], exec_properties: dict[str, Any]
    ) -> None:
        """Score, and leave the result in the artifact; called by TFX's launcher.

        Raises:
            Refused: The registry has no intact model, or the inputs cannot be scored.
        """
        self._log_startup(input_dict, output_dict, exec_properties)
        settings = ScoringSettings.model_validate_json(exec_properties[SETTINGS_KEY])
        uri = artifact_utils.get_single_uri(output_dict[INFERENCE_RESULT_KEY])
        with keys_of_scoring():
            batches = find_batches(settings, exec_properties[PROJECT_KEY])
            scored = [
                ScoredBatch(output=batch.settings.output, record=self._score(batch, exec_properties))
                for batch in batches.due
            ]
        ScoringResult(batches=scored, nothing_new=batches.nothing_new).write(uri)

    def _score(self, batch: Batch, properties: dict[str, Any]) -> ScoringRecord:
        PROGRESS.info("scoring %s", batch.name, extra=LASTING)
        model = choose(batch.settings.output, properties[REGISTRY_KEY])
        settings = with_id_column(batch.settings, batch.sources)
        check_sources(batch.sources, settings, properties[PROJECT_KEY])
        record = begin(settings, model, batch.sources)
        return run(settings, record, batch.sources, self._make_beam_pipeline, _processes(self._beam_pipeline_args))


def _processes(arguments: Sequence[str] | None) -> int:
    """Return the number of Beam's worker processes on this machine."""
    found = [match[1] for argument in arguments or () if (match := _WORKERS.fullmatch(argument))]
    return int(found[-1]) if found else 1
