"""Report and model card of a run, built from the files that the run left. Needs no TensorFlow."""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from components.common.files import is_remote, write_whole
from components.common.validation import explain
from components.report.card import CARD_FILE, write_card
from components.report.page import REPORT_FILE, build_comparison, write_page
from components.report.settings import ReportSettings
from components.report.summary import Summary
from components.report.views.material import Material, gather_material
from components.report.views.trend import MOST_RUNS, PastResult, merge_results, registry_results
from components.suspects.suspects import Suspects
from pipeline.config.configuration import Configuration
from pipeline.history import read_history
from pipeline.run_folder import find_ended_run, read_configuration, read_outputs, read_provenance, start_time
from schema.errors import Refused


def write_report(run: Path, *, texts: bool | None = None) -> Path:
    """Write report.html and model_card.md into the folder of a run, from its summary and what is left of its artifacts.

    Args:
        run: The run's folder, with its summary.json.
        texts: Whether the report shows texts of examples; None: as the run's configuration says.

    Returns:
        Path of the report.
    """
    material = _gather(run, texts)
    write_page(str(run), material)
    write_card(str(run), material)
    return run / REPORT_FILE


def write_short_report(path: Path, *, texts: bool | None = None) -> Path:
    """Write report-short.html into the folder of a run; the arguments are those of `rebuild_report`."""
    run = find_ended_run(path)
    return Path(write_page(str(run), _gather(run, texts), short=True))


def write_comparison(first: Path, second: Path, *, texts: bool | None = None) -> Path:
    """Write a page that shows two runs side by side into the folder of the second.

    Args:
        first: Folder of a run, or a working directory, which stands for its newest run that has ended.
        second: The same, of the run that is compared with it.
        texts: Whether the page shows texts of examples; None: if the configurations of both runs say so.

    Returns:
        Path of the page.

    Raises:
        Refused: There is no such run, or both are the same.
    """
    runs = find_ended_run(first), find_ended_run(second)
    if runs[0].resolve() == runs[1].resolve():
        raise Refused(f"{second}: is the same run as {first}; give two runs to compare")
    materials = [_gather(run, texts) for run in runs]
    shows_texts = all(material.texts for material in materials)
    page = build_comparison(*(replace(material, texts=shows_texts) for material in materials))
    path = runs[1] / f"comparison-{runs[0].resolve().name}.html"
    write_whole(str(path), page.encode())
    return path


def _gather(run: Path, texts: bool | None) -> Material:
    configuration = read_configuration(run)
    settings = _report_settings(run, configuration)
    return gather_material(
        read_outputs(run) | ({"suspects": str(run)} if (run / Suspects.FILE).exists() else {}),
        Summary.read(str(run)),
        configuration=configuration,
        when=start_time(run),
        texts=settings.texts if texts is None else texts,
        mistakes=settings.mistakes,
        slice_drop=settings.attention.slice_drop,
        past=_past_results(run, configuration),
        chosen=_differences_from_defaults(configuration),
        provenance=read_provenance(run),
    )


def _past_results(run: Path, configuration: Mapping[str, Any]) -> list[PastResult]:
    """Return the results of the last runs of the same working directory, and of the versions in its registry.

    A registry in a bucket is not asked: a report of files on this machine needs neither network nor TensorFlow.
    """
    registry = configuration.get("registry")
    versions = registry_results(registry) if isinstance(registry, str) and not is_remote(registry) else []
    try:
        runs = read_history(run.parent.parent, MOST_RUNS) if run.parent.name == "runs" else []
    except Refused:  # such as a damaged metadata file; the report does without
        runs = []
    results = [PastResult(each.when, each.macro_f1, each.pushed) for each in runs if each.macro_f1 is not None]
    return merge_results(results, versions)


def _differences_from_defaults(configuration: Mapping[str, Any]) -> dict[str, Any] | None:
    """Return the keys that differ from the defaults of this version; None if it cannot read the configuration."""
    try:
        return Configuration.model_validate(configuration).model_dump(mode="json", exclude_defaults=True)
    except (ValidationError, Refused):
        return None


def _report_settings(run: Path, configuration: Mapping[str, Any]) -> ReportSettings:
    """Return the settings of the run's report; those that only another version has are left out."""
    section = configuration.get("report", {})
    try:
        known = {key: value for key, value in section.items() if key in ReportSettings.model_fields}
        return ReportSettings.model_validate(known)
    except (ValidationError, AttributeError) as error:
        reason = explain(error, ReportSettings).message if isinstance(error, ValidationError) else "not a mapping"
        raise Refused(f"{run}: its configuration.json is damaged (report: {reason}); restore it") from None


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
