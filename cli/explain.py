"""The command `explain`."""

from typing import TYPE_CHECKING, Annotated

import typer

from cli.options import ModelOption, TextPairOption

if TYPE_CHECKING:
    from cli.prediction import TextPrediction
    from components.explanation.explanation import Explanation

app = typer.Typer()


@app.command()
def explain(
    model: ModelOption,
    text: Annotated[list[str] | None, typer.Option(help="Text to explain; repeat the option for more.")] = None,
    text_pair: TextPairOption = None,
    file: Annotated[
        str | None,
        typer.Option(metavar="FILE", help="Instead of --text: a UTF-8 file with one text per line, or - for stdin."),
    ] = None,
    label: Annotated[
        list[str] | None,
        typer.Option(
            help="Label to explain; repeat the option for more. Default: the labels given to each text, or the most"
            " probable one."
        ),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object per text and label.")] = False,
    suggest: Annotated[
        bool,
        typer.Option("--suggest", help="Print a draft of behavioural tests from the words that given labels hang on."),
    ] = False,
) -> None:
    """Explain why labels are given: how much each word adds to them, by integrated gradients.

    The model must have been exported with training.export.explain: true.
    """
    import sys

    from cli.explanation import explain_texts
    from cli.prediction import chosen_texts
    from pipeline.console import print_json
    from schema.errors import Refused

    if suggest and as_json:
        raise Refused("--suggest prints YAML; leave --json out")
    pairs = text_pair or ()
    explained = explain_texts(model, chosen_texts(text or (), file, pairs), pairs, label or ())
    if suggest:
        from components.explanation.suggest import suggest_tests

        # Of labels that were not given, nothing is known to hang on the words.
        given = [each for each, prediction in explained if _is_given(prediction, each.label)]
        if not given:
            raise Refused("no label is given to any text; --suggest needs texts that have labels")
        sys.stdout.write(suggest_tests(given))
        return
    for each, prediction in explained:
        if as_json:
            print_json(each.as_json() | {"probability": prediction.probability_of(each.label)})
        else:
            _show(each, prediction)


def _is_given(prediction: "TextPrediction", label: str) -> bool:
    return any(each.given for each in prediction.labels if each.name == label)


def _show(explanation: "Explanation", prediction: "TextPrediction") -> None:
    from rich.table import Table

    from pipeline.console import PlainConsole

    (label,) = (each for each in prediction.labels if each.name == explanation.label)
    texts = "\n".join(filter(None, (explanation.text, explanation.text_pair)))
    given = "given" if label.given else "not given"
    title = f"{texts}\n{label.name}: probability {label.probability:.3f}, threshold {label.threshold:.3f}, {given}"
    table = Table("word", "adds", "", title=title, title_justify="left")
    largest = max((abs(word.adds) for word in explanation.words), default=0.0) or 1.0
    for word in explanation.words:
        bar = ("+" if word.adds > 0 else "-") * round(20 * abs(word.adds) / largest)
        table.add_row(word.text, f"{word.adds:+.2f}", bar)
    console = PlainConsole()
    console.print(table)
    total = explanation.logit - explanation.baseline_logit
    console.print(
        f"log odds {explanation.logit:+.2f} = {explanation.baseline_logit:+.2f} without words {total:+.2f} of words; "
        f"{abs(explanation.gap):.3f} of that unexplained after {explanation.steps} steps"
        + ("" if explanation.is_complete else ": not exact, take the numbers as a hint"),
        soft_wrap=True,
    )  # fmt: skip
