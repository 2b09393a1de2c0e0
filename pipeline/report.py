"""Report and model card of a run, built from the files that the run left. Needs no TensorFlow."""

from pathlib import Path

from components.report.card import CARD_FILE, write_card
from components.report.page import REPORT_FILE, write_page
from components.report.settings import ReportSettings
from components.report.summary import Summary
from components.report.views.material import gather_material
from pipeline.run_folder import find_ended_run, read_configuration, read_outputs, start_time


def write_report(run: Path, *, texts: bool | None = None) -> Path:
    """Write report.html and model_card.md into the folder of a run, from its summary and what is left of its artifacts.

    Args:
        run: The run's folder, with its summary.json.
        texts: Whether the report shows texts of examples; None: as the run's configuration says.

    Returns:
        Path of the report.
    """
    configuration = read_configuration(run)
    settings = ReportSettings.model_validate(configuration.get("report", {}))
    material = gather_material(
        read_outputs(run),
        Summary.read(str(run)),
        configuration=configuration,
        when=start_time(run),
        texts=settings.texts if texts is None else texts,
        mistakes=settings.mistakes,
    )
    write_page(str(run), material)
    write_card(str(run), material)
    return run / REPORT_FILE


def rebuild_report(path: Path, *, texts: bool | None = None) -> tuple[Path, Path]:
    """Write the report of a run again, for instance after an upgrade or to leave out the texts.

    Args:
        path: The run's folder, or a working directory, which stands for its newest run that has ended.
        texts: Whether the report shows texts of examples; None: as the run's configuration says.

    Returns:
        Paths of the report and the model card.

    Raises:
        Refused: There is no such run.
    """
    run = find_ended_run(path)
    return write_report(run, texts=texts), run / CARD_FILE
