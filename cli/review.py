"""Commands that ask people: `review sample` and `review collect`."""

from datetime import datetime
from typing import Annotated

import typer

from schema.errors import Refused

app = typer.Typer(help="Draw texts to label, and read the answers back.", no_args_is_help=True)

_TIMES = ["%Y-%m-%d", "%Y-%m-%dT%H:%M:%S", "%Y-%m-%dT%H:%M:%S%z"]
_SHOWN = 10


@app.command()
def sample(
    output: Annotated[str, typer.Option(help="Folder to write the tasks to.")],
    scores: Annotated[
        list[str] | None,
        typer.Option(
            help="Folder that score wrote with --fields text,probabilities; or a .parquet, .jsonl or .csv file with id,"
            " text and probabilities. Repeat the option for more."
        ),
    ] = None,
    log: Annotated[str | None, typer.Option(help="Folder of a request log.")] = None,
    model: Annotated[
        str | None,
        typer.Option(help="Model, or registry, whose thresholds count; not needed where the scores name it."),
    ] = None,
    count: Annotated[int, typer.Option(min=1, help="Number of texts.")] = 200,
    band: Annotated[
        float, typer.Option(min=0, help="Distance from a threshold, in log odds, up to which a text is in question.")
    ] = 1.0,
    since: Annotated[datetime | None, typer.Option(formats=_TIMES, help="Of a log: first time, in UTC.")] = None,
    until: Annotated[datetime | None, typer.Option(formats=_TIMES, help="Of a log: time after the last.")] = None,
    seed: Annotated[int, typer.Option(help="Seed of the choice among equals.")] = 0,
) -> None:
    """Draw texts that are near the threshold of a label, as tasks of Label Studio and as a table.

    The labels take turns, so that rare ones are asked about as well.
    """
    if (scores is None) == (log is None):
        raise Refused("review sample: give either --scores or --log")
    from itertools import chain

    from rich.text import Text

    from pipeline.console import PlainConsole
    from serving.request_log.reader import Window
    from serving.review.candidates import judge_of, read_log, read_scores
    from serving.review.review import CONFIGURATION_FILE, TABLE_FILE, TASKS_FILE, write_review
    from serving.review.sampling import choose_texts

    judge = None if model is None else judge_of(model)
    if log is not None:
        parts = read_log(log, Window(_in_utc(since), _in_utc(until)))
    else:
        parts = chain.from_iterable(read_scores(path, judge) for path in scores or ())
    review = write_review(output.rstrip("/"), choose_texts(parts, count, band, seed))
    console = PlainConsole()
    questions = ", ".join(f"{label} ({asked})" for label, asked in list(review.questions.items())[:_SHOWN])
    more = f" and {len(review.questions) - _SHOWN} more labels" if len(review.questions) > _SHOWN else ""
    console.print(Text(f"{review.texts} texts; questions about {questions}{more}"), soft_wrap=True)
    console.print(
        Text(
            f"Label Studio: import {output}/{TASKS_FILE} into a project with the labelling configuration"
            f" {output}/{CONFIGURATION_FILE}, and export as JSON. Without it: correct the labels in"
            f" {output}/{TABLE_FILE}, and write yes into done."
        ),
        soft_wrap=True,
    )


@app.command()
def collect(
    answers: Annotated[
        list[str],
        typer.Argument(metavar="FILE...", help="Exports of Label Studio (JSON, JSON-MIN, CSV), or tasks.csv."),
    ],
    output: Annotated[str, typer.Option(help="Source to write: .jsonl (labels as lists) or .csv (delimited).")],
    delimiter: Annotated[str, typer.Option(help="Text between two labels in CSV.")] = "|",
) -> None:
    """Read answers back as a source of the pipeline, in which only what was asked is known."""
    from rich.text import Text

    from pipeline.console import PlainConsole
    from serving.review.answers import ASKED, combine, write_source
    from serving.review.label_studio import read_answers

    found = [answer for path in answers for answer in read_answers(path)]
    if not found:
        raise Refused(f"{', '.join(answers)}: nobody has answered yet; annotate the tasks, or write yes into done")
    reviewed, disagreements = combine(found)
    write_source(output, reviewed, delimiter)
    known, given = sum(len(row.asked) for row in reviewed), sum(len(row.labels) for row in reviewed)
    console = PlainConsole()
    console.print(
        Text(
            f"{len(reviewed)} texts with {known} known labels, {given} of them given; {disagreements} disagreements,"
            " which count as unknown"
        ),
        soft_wrap=True,
    )
    name = output.rpartition("/")[2]
    console.print(Text(f"In examples.inputs: - {{pattern: {name}, split: train, asked: {ASKED}}}"), soft_wrap=True)


def _in_utc(time: datetime | None) -> datetime | None:
    from datetime import UTC

    return time if time is None or time.tzinfo is not None else time.replace(tzinfo=UTC)
