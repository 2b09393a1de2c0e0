"""The list of label columns in the text of a configuration, which keeps its comments and layout when it is edited."""

from pathlib import Path

import yaml

from components.common.yaml_text import parse_yaml
from schema.errors import Refused

_KEYS = ("examples", "labels", "columns")


def add_column(config: Path, name: str) -> str:
    """Return the text of a configuration with a name at the end of `examples.labels.columns`.

    Args:
        config: The configuration.
        name: Name of a column that the list does not have; if it has it, the text is returned as it is.

    Raises:
        Refused: The list is written in a way that cannot be edited, such as by a YAML anchor.
    """
    text = config.read_text(encoding="utf-8")
    intended = parse_yaml(text)
    columns = intended["examples"]["labels"]["columns"]
    if name in columns:
        return text
    columns.append(name)
    node = _find(yaml.compose(text, Loader=yaml.SafeLoader))
    if isinstance(node, yaml.SequenceNode) and node.value:
        edited = _insert(text, node, name)
        if parse_yaml(edited) == intended:
            return edited
    raise Refused(
        f"{config}: examples.labels.columns cannot be edited as it is written; add '{name}' to it, then repeat"
    )


def _find(node: yaml.Node | None) -> yaml.Node | None:
    for key in _KEYS:
        if not isinstance(node, yaml.MappingNode):
            return None
        node = next((value for each, value in node.value if each.value == key), None)
    return node


def _insert(text: str, node: yaml.SequenceNode, name: str) -> str:
    """Insert an item after the last one of a sequence."""
    written = yaml.safe_dump([name], default_flow_style=True, allow_unicode=True, width=10_000).strip()[1:-1]
    last = node.value[-1]
    end = last.end_mark.index
    if node.flow_style:
        return f"{text[:end]}, {written}{text[end:]}"
    line_start = text.rfind("\n", 0, last.start_mark.index) + 1
    marker = text[line_start : last.start_mark.index]
    line_end = text.find("\n", end)
    head, tail = (text[: line_end + 1], text[line_end + 1 :]) if line_end >= 0 else (f"{text}\n", "")
    return f"{head}{marker}{written}\n{tail}"
