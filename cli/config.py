"""Commands about the configuration: `config schema` and `config show`."""

import json
import sys

import typer

from cli.options import ConfigOption, SetOption

app = typer.Typer(help="Print the JSON Schema of the configuration, or a configuration in full.", no_args_is_help=True)


@app.command()
def schema() -> None:
    """Print the JSON Schema of the configuration, with which editors complete and check the YAML file."""
    from pipeline.config.json_schema import json_schema

    sys.stdout.write(json.dumps(json_schema(), indent=2, ensure_ascii=False) + "\n")


@app.command()
def show(config: ConfigOption, set_: SetOption = None) -> None:
    """Print a configuration in full: every key, with its default where the file does not set it."""
    import yaml

    from pipeline.config.loading import load_configuration

    content = load_configuration(config, set_ or ()).model_dump(mode="json")
    yaml.safe_dump(content, sys.stdout, sort_keys=False, allow_unicode=True, width=110)
