"""`bert-multilabel report`: report.html and model_card.md of a run, made again from what it left; no TensorFlow."""

from pathlib import Path

from components.report.card import CARD_FILE, write_card
from components.report.page import REPORT_FILE, write_page
from components.report.settings import ReportSettings
from components.report.summary import Summary
from components.report.views.material import gather_material
from pipeline.run_folder import configuration_of, newest_run, outputs_of, started


def write_report(run: Path, *, texts: bool | None = None) -> Path:
    """Writes both into the folder of a run, from its summary and its artifacts as far as they are there.

    Args:
        run: The folder, with its summary.json.
        texts: Whether to show the examples' texts; None: as the run's configuration says.

    Returns:
        Where the report is.
    """
    configuration = configuration_of(run)
    settings = ReportSettings.model_validate(configuration.get("report", {}))
    material = gather_material(
        outputs_of(run),
        Summary.read(str(run)),
        configuration=configuration,
        when=started(run),
        texts=settings.texts if texts is None else texts,
        mistakes=settings.mistakes,
    )
    write_page(str(run), material)
    write_card(str(run), material)
    return run / REPORT_FILE


def rebuild_report(run: Path, *, texts: bool | None = None) -> tuple[Path, Path]:
    """As `write_report`, of the run that a person means.

    Args:
        run: As `newest_run` takes it.
        texts: As `write_report` takes it.

    Returns:
        Where the report and the model card are.

    Raises:
        Refused: There is no such run.
    """
    folder = newest_run(run)
    return write_report(folder, texts=texts), folder / CARD_FILE
