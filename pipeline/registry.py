"""The registry of a pipeline before a run begins: whether it belongs to the pipeline, and taking it over."""

from components import registry
from components.common.files import display, is_remote
from components.registry import Claimant
from pipeline.config.configuration import Configuration
from schema.label_list import label_list, read_schema


def claimant(config: Configuration) -> Claimant:
    """Return the pipeline's name and label list, by which a registry knows its owner.

    Raises:
        Refused: The schema cannot be read.
    """
    labels = label_list(read_schema(config.schema_file))
    return Claimant(pipeline=config.name, labels=list(labels.names), renamed=dict(labels.aliases))


def check_registry(config: Configuration, *, adopting: bool = False) -> None:
    """Refuse the registry of another pipeline and a damaged one, and remove what killed pushes left.

    A remote registry is left to `check_remote_registry`: opening it imports TensorFlow.

    Args:
        config: The configuration.
        adopting: Whether the run takes the registry over, so that it may belong to another pipeline.

    Raises:
        Refused: The registry belongs to another pipeline, or a record in it cannot be read.
    """
    if not adopting and not is_remote(config.registry):
        registry.check_owner(config.registry, claimant(config))
    registry.prepare(config.registry)


def check_remote_registry(config: Configuration) -> None:
    """Refuse a registry in an object store that belongs to another pipeline; imports TensorFlow.

    Raises:
        Refused: It belongs to another pipeline.
    """
    if is_remote(config.registry):
        registry.check_owner(config.registry, claimant(config))


def adopt_registry(config: Configuration, base: str) -> str:
    """Make the pipeline the owner of a registry.

    Args:
        config: Configuration of the pipeline.
        base: The registry, which need not be the configuration's: remote runners may have another one.

    Returns:
        A line that says whom it belongs to now, and belonged to before.
    """
    before = registry.adopt(base, claimant(config))
    line = f"{display(base)} belongs to pipeline '{config.name}' now"
    if before is None:
        return line
    if before.pipeline == config.name:
        return f"{line} with another label list; before, with {len(before.labels)} labels"
    return f"{line}; before, to '{before.pipeline}' since {before.since}"
