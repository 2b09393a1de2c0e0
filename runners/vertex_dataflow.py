"""Beam's arguments for Dataflow, where a Vertex AI pipeline has them: what project, location and image say already."""

from collections.abc import Sequence

from pipeline.vertex_settings import VertexSettings

_RUNNER = "DataflowRunner"


def completed(arguments: Sequence[str], settings: VertexSettings) -> list[str]:
    """The arguments, and behind them those that Dataflow needs and nobody gave.

    Args:
        arguments: Of Beam's command line; of another runner than Dataflow they stay as they are.
        settings: Of Vertex AI.
    """
    given = {_name(argument): _value(argument) for argument in arguments}
    if given.get("runner") != _RUNNER:
        return list(arguments)
    temp = f"{settings.pipeline_root.rstrip('/')}/dataflow"
    known = {
        "project": settings.project,
        "region": settings.location,
        "temp_location": f"{temp}/temp",
        "staging_location": f"{temp}/staging",
        # Workers run the very image of the steps: nothing is installed on them, and nothing can differ.
        "sdk_container_image": settings.image,
        "sdk_location": "container",
        "service_account_email": settings.service_account,
        "dataflow_kms_key": settings.kms_key,
    }
    return [*arguments, *(f"--{name}={value}" for name, value in known.items() if value and name not in given)]


def _name(argument: str) -> str:
    return argument.removeprefix("--").partition("=")[0]


def _value(argument: str) -> str:
    return argument.partition("=")[2]
