"""Search for likely label errors in the data of a run on this machine."""

import logging
from pathlib import Path

from pydantic import ValidationError
from rich.console import Console
from rich.text import Text

from components.common.memory import check_memory
from components.example_gen.settings import ExamplesSettings
from components.preprocessing.settings import LongTextSettings, WindowSettings
from components.suspects.suspects import Suspects, check_table
from pipeline.display import RunDisplay
from pipeline.libraries import libraries_logged
from pipeline.report import write_report
from pipeline.run_folder import RUN_LOG, find_transformed_run, has_ended, read_configuration, read_outputs
from schema.errors import Refused

_STEP = "Suspects"


def search_suspects(path: Path, console: Console, *, top: int, folds: int, output: str | None) -> Suspects:
    """Find likely label errors in the train split of a run, and write the run's report again with them.

    The run's folder gets suspects.json, and suspects.csv unless another table is named.

    Args:
        path: The run's folder, or a working directory, which stands for its newest run.
        console: Where progress is shown.
        top: Number of suspects to return and to show in the report; the table has all.
        folds: Number of folds.
        output: Table to write, .csv or .parquet.

    Raises:
        Refused: There is no such run, its artifacts are gone, or the data are too small or too large.
    """
    if output is not None:
        check_table(output)
    run = find_transformed_run(path)
    outputs, checkpoint = read_outputs(run), read_configuration(run).get("checkpoint")
    for key in ("examples", "transform_graph", "schema"):
        if key not in outputs or not Path(outputs[key]).is_dir():
            raise Refused(f"{run}: its artifact {key} is gone; run again")
    if not isinstance(checkpoint, str):
        raise Refused(f"{run}: its configuration.json names no checkpoint; run again")
    check_memory()
    console.print(Text("Loading TensorFlow ..."))
    handlers: list[logging.Handler] = [logging.FileHandler(run / RUN_LOG, encoding="utf-8")]
    with libraries_logged(run / RUN_LOG, handlers), RunDisplay(console) as display:
        # After stderr was redirected: TensorFlow writes there when it is imported.
        from components.suspects.find import SuspectSource, find_suspects

        display.step_started(_STEP, 1, 1)
        source = SuspectSource(
            outputs["examples"], outputs["transform_graph"], outputs["schema"], checkpoint, *_soft_cut_and_windows(run)
        )
        found = find_suspects(source, folds=folds, most=top, table=output or str(run / "suspects.csv"))
    found.write(str(run))
    if has_ended(run):
        write_report(run)
    return found


def _soft_cut_and_windows(run: Path) -> tuple[float | None, WindowSettings | None]:
    """Return the share of annotators from which on a label counts as given, and the windows of long texts."""
    configuration = read_configuration(run)
    try:
        examples = ExamplesSettings.model_validate(configuration.get("examples"))
        long_texts = LongTextSettings.model_validate(configuration.get("long_texts", {}))
    except ValidationError:
        raise Refused(f"{run}: its configuration.json is another release's, or damaged (examples); run again") from None
    return examples.soft_cut, long_texts.windows
