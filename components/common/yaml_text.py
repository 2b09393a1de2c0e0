"""Reading of YAML that a person wrote: what the file says twice, or what no person writes, is an error."""

from typing import Any

import yaml

# No configuration comes near. A file that names an anchor within anchors grows to gigabytes ("billion laughs"), and one
# that nests thousands of brackets exhausts the stack.
_MOST_VALUES, _DEEPEST = 1_000_000, 100


class InvalidYamlError(ValueError):
    """The text is not YAML, or ambiguous; the message is one line, with the place where there is one."""


def parse_yaml(text: str) -> Any:
    """Return the content of a YAML document.

    Raises:
        InvalidYamlError: The text is not YAML, has a key twice, a key that is not a scalar, or is not finite.

    Example:
        >>> parse_yaml("a: [1, 2]")
        {'a': [1, 2]}
    """
    try:
        content = yaml.load(text, Loader=_Loader)
    except yaml.YAMLError as error:
        raise InvalidYamlError(f"not YAML: {' '.join(str(error).split())}") from None
    except (ValueError, OverflowError, RecursionError) as error:  # such as the date 2026-13-45, or 5,000 brackets
        what = "nested too deeply" if isinstance(error, RecursionError) else " ".join(str(error).split())
        raise InvalidYamlError(f"not YAML: {what}") from None
    _check_size(content)
    return content


class _Loader(yaml.SafeLoader):
    """Safe loader that refuses a key that occurs twice, where YAML's own lets the last one win."""

    def compose_mapping_node(self, anchor: Any) -> yaml.MappingNode:
        node = super().compose_mapping_node(anchor)
        seen: set[str] = set()
        for key, _ in node.value:
            if not isinstance(key, yaml.ScalarNode):
                raise yaml.composer.ComposerError(None, None, "a key is not a name", key.start_mark)
            if key.value in seen:
                raise yaml.composer.ComposerError(None, None, f"key '{key.value}' twice; remove one", key.start_mark)
            seen.add(key.value)
        return node


def _check_size(content: Any) -> None:
    """Refuse content that aliases make larger or deeper than a person would write."""
    waiting, count = [(content, 0)], 0
    while waiting:
        value, depth = waiting.pop()
        count += 1
        if depth > _DEEPEST or count > _MOST_VALUES:
            raise InvalidYamlError("has values within values without end; remove the aliases (*)")
        if isinstance(value, dict):
            waiting += [(each, depth + 1) for each in value.values()]
        elif isinstance(value, list | set | tuple):
            waiting += [(each, depth + 1) for each in value]
