"""The command `predict`."""

from typing import Annotated

import typer

from cli.options import ModelOption, TextPairOption

app = typer.Typer()


@app.command()
def predict(
    model: ModelOption,
    text: Annotated[list[str] | None, typer.Option(help="Text to classify; repeat the option for more.")] = None,
    text_pair: TextPairOption = None,
    file: Annotated[
        str | None,
        typer.Option(
            metavar="FILE",
            help="Instead of --text: a UTF-8 file with one text per line, or - for standard input. Blank lines are"
            " left out; everything is held in memory.",
        ),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object per text instead of a table.")] = False,
) -> None:
    """Classify texts: print the probability of each label, and whether it is above its threshold."""
    from rich.table import Table

    from cli.prediction import chosen_texts, predict_texts
    from components.common.garbage import paused_collection
    from pipeline.console import PlainConsole, print_json

    texts = chosen_texts(text or (), file, text_pair or ())
    with paused_collection():
        predictions = predict_texts(model, texts, text_pair or ())
    for prediction in predictions:
        if as_json:
            print_json(prediction.as_json())
            continue
        title = "\n".join(filter(None, (prediction.text, prediction.text_pair)))
        table = Table("label", "probability", "threshold", "given", title=title, title_justify="left")
        for label in prediction.labels:
            table.add_row(
                label.name, f"{label.probability:.3f}", f"{label.threshold:.3f}", "yes" if label.given else ""
            )
        PlainConsole().print(table)
