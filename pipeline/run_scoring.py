"""Running of the scoring pipeline on this machine: what is left to score, the step, and the summary."""

from rich.console import Console
from rich.text import Text

from components.example_gen.check import check_sources
from components.report.summary import Rows, Summary, failed_summary
from pipeline.check import check_scoring, project_of_queries
from pipeline.config.configuration import Configuration
from pipeline.display import show_account
from pipeline.errors import termination_raised
from pipeline.notify import notified
from pipeline.retention import clean_up_after_run
from pipeline.run import failure_summarized, run_steps
from pipeline.run_folder import RunFolder
from pipeline.running import Runner, RunResult
from pipeline.score import show_scores
from pipeline.work_dir import WorkDir
from serving.scoring.batches import Batches, find_batches, refuse_force
from serving.scoring.record import ScoringResult
from serving.scoring.run import choose, keys_of_scoring, with_id_column

STEP = "TextScorer"


def run_scoring(
    config: Configuration, console: Console, runner: Runner, *, force: bool = False, verbose: bool = False
) -> Summary:
    """Score what is not scored yet, and show the result.

    The run's folder, `<work_dir>/score/runs/<time>`, gets summary.json, artifacts.json, configuration.json and log.txt.

    Args:
        config: The configuration, loaded with `pipeline: score`.
        console: Where progress and result are shown.
        runner: Runner that starts the step.
        force: Refuse instead of ending well if everything was scored.
        verbose: Show also what the libraries log.

    Returns:
        The summary, as written into the run's folder; its outcome is scored or no_new_data.

    Raises:
        Refused: Model, inputs or configuration were refused.
        StepFailed: The step failed.
    """
    with termination_raised(), notified(config.notify, config.name, console) as run:
        with keys_of_scoring():
            batches = _find(config)
        runner.check(config)
        with WorkDir(config.work_dir).locked(config.name, config.concurrency, console.print) as waited:
            folder = RunFolder(WorkDir(config.work_dir).new_run(), config)
            run.folder = str(folder.path)
            with keys_of_scoring():
                batches = _find(config) if waited else batches
            if force:
                refuse_force(batches)
            if batches.nothing_new is not None:
                run.summary = summary = failed_summary(batches.nothing_new, "no_new_data")
                summary.write(str(folder.path))
                console.print(Text(f"Nothing new: {batches.nothing_new}"), soft_wrap=True)
                return summary
            if batches.left_out:
                console.print(Text(f"Spans left out, as not every input has files of them: {batches.left_out}"))
            with failure_summarized(run, folder, console):
                result = run_steps(config, folder, console, runner, verbose=verbose)
                scored = ScoringResult.read(result.artifacts[STEP]["inference_result"])
                run.summary = summary = summarize(scored, result)
                summary.write(str(folder.path))
            clean_up_after_run(config, console, WorkDir(config.work_dir))
        for batch in scored.batches:
            show_scores(console, batch.output, batch.record)
        show_account(console, summary)
        console.print(Text(f"Summary: {folder.path / Summary.FILE}"), soft_wrap=True)
        return summary


def summarize(scored: ScoringResult, result: RunResult | None = None) -> Summary:
    """Return the summary of a run of the scoring pipeline."""
    if scored.nothing_new is not None:
        return failed_summary(scored.nothing_new, "no_new_data")
    rows = [batch.record.rows for batch in scored.batches if batch.record.rows is not None]
    return Summary(
        outcome="scored",
        blessed=False,
        pushed=None,
        reasons=[],
        rows=Rows(
            read=sum(each.read for each in rows),
            accepted=sum(each.scored for each in rows),
            quarantined=sum(each.quarantined for each in rows),
        ),
        scores=[batch.output for batch in scored.batches],
        durations_s={} if result is None else result.durations_s,
    )


def _find(config: Configuration) -> Batches:
    """Find the batches, and check model and inputs of those that are due, which needs no TensorFlow."""
    check_scoring(config)
    assert config.scoring is not None
    project = project_of_queries(config)
    batches = find_batches(config.scoring, project)
    for batch in batches.due:
        choose(batch.settings.output, config.registry)
        check_sources(batch.sources, with_id_column(batch.settings, batch.sources), project)
    return batches
