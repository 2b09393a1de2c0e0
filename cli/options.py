"""Arguments and options that several commands take."""

from pathlib import Path
from typing import Annotated

import typer

ConfigOption = Annotated[Path, typer.Option("--config", help="Configuration of the pipeline, a YAML file.")]
SetOption = Annotated[
    list[str] | None,
    typer.Option(
        "--set",
        metavar="KEY=VALUE",
        help="Replace a key of the configuration, such as training.epochs=1; repeat the option for more.",
    ),
]
ModelOption = Annotated[
    str,
    typer.Option("--model", help="A version in the registry; or the registry itself, for its newest version."),
]
TextPairOption = Annotated[
    list[str] | None,
    typer.Option(
        "--text-pair", help="Second text, for a model of text pairs; give one for each --text, in the same order."
    ),
]
_RUN = typer.Argument(help="Folder of a run, <work_dir>/runs/<time>; or a work_dir, for its newest run.")
RunArgument = Annotated[Path, _RUN]
OptionalRunArgument = Annotated[Path | None, _RUN]
PipelineOption = Annotated[
    str, typer.Option("--pipeline", help="train, or score: the pipeline of `scoring`; `schedule` also takes watch.")
]


def overrides_of(set_: list[str] | None, pipeline: str) -> list[str]:
    """Return the values of `--set`, with the pipeline among them if it is not that of the configuration."""
    return [*(set_ or ()), *([] if pipeline == "train" else [f"pipeline={pipeline}"])]
