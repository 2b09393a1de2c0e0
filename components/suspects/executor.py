"""Executor of `LabelSuspects`."""

from typing import Any

from tfx import types
from tfx.dsl.components.base import base_executor
from tfx.types import artifact_utils
from tfx.types.standard_component_specs import EXAMPLES_KEY, SCHEMA_KEY, TRANSFORM_GRAPH_KEY

from components.common.progress import PROGRESS
from components.suspects.find import SuspectSource, find_suspects
from components.suspects.settings import SuspectsConfig
from components.suspects.suspects import Suspects
from schema.errors import Refused

SETTINGS_KEY = "settings"
SUSPECTS_KEY = "suspects"


class Executor(base_executor.BaseExecutor):  # type: ignore[misc]
    """Searches the train split, and writes suspects.json and suspects.csv.

    Data that are too small or too large for a search cost no run: what was found then is why nothing was.
    """

    def Do(  # noqa: N802 - TFX's name
        self,
        input_dict: dict[str, list[types.Artifact]],
        output_dict: dict[str, list[types.Artifact]],
        exec_properties: dict[str, Any],
    ) -> None:
        config = SuspectsConfig.model_validate_json(exec_properties[SETTINGS_KEY])
        folder = artifact_utils.get_single_uri(output_dict[SUSPECTS_KEY])
        uris = {key: artifact_utils.get_single_uri(artifacts) for key, artifacts in input_dict.items()}
        source = SuspectSource(
            examples=uris[EXAMPLES_KEY],
            transform_graph=uris[TRANSFORM_GRAPH_KEY],
            schema=uris[SCHEMA_KEY],
            checkpoint=config.checkpoint,
            soft_cut=config.soft_cut,
            windows=config.windows,
        )
        folds = config.search.folds
        try:
            found = find_suspects(source, folds=folds, most=config.search.top, table=f"{folder}/suspects.csv")
        except Refused as refused:
            PROGRESS.warning("no search for label errors: %s", refused)
            found = Suspects.none_searched(folds, str(refused))
        found.write(folder)
