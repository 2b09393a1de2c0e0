"""Parameters of steps in a spelling that Kubernetes and Argo leave as it is."""

import json
from typing import Any

from schema.errors import Refused

# The parameter that is a protocol buffer in text format: step and name.
_TEXT_FORMAT = ("SchemaImport", "text")

Spec = dict[str, Any]


def protect_json(text: str) -> str:
    r"""Spell a JSON text so that Kubernetes and Argo leave it as it is; see `protect_parameters`.

    Example:
        >>> protect_json('{"command": "echo $(HOME) {{x}}"}')
        '{"command": "echo \\u0024(HOME) \\u007b\\u007bx}}"}'
    """
    return text.replace("$", "\\u0024").replace("{{", "\\u007b\\u007b")


def protect_parameters(step: str, task: Spec) -> None:
    """Spell the parameters of a step so that Kubernetes and Argo leave them as they are, in place.

    Kubeflow passes parameters in the command of a pod, in which Kubernetes replaces `$$` and `$(NAME)`
    (kubeflow/pipelines at 2.16.1, backend/src/v2/driver/driver.go, lines 283-304), and in templates of Argo, which
    replaces `{{workflow.name}}` and others (Argo 3.7.8, util/template/template.go). JSON and the text format of
    protocol buffers have another spelling of these characters.

    Args:
        step: Name of the step.
        task: Its task.

    Raises:
        Refused: A parameter that is neither would be changed.
    """
    for name, source in task.get("inputs", {}).get("parameters", {}).items():
        value = source.get("runtimeValue", {}).get("constant")
        if not isinstance(value, str):
            continue
        if _is_json(value):
            value = protect_json(value)
        elif (step, name) == _TEXT_FORMAT:
            value = value.replace("$", "\\044").replace("{{", "\\173\\173")
        elif any(replaced in value for replaced in ("$$", "$(", "{{")):
            raise Refused(
                f"step {step}: {name} {value}: Kubeflow would replace $$, $(...) and {{{{...}}}} in it; rename it"
            )
        source["runtimeValue"]["constant"] = value


def _is_json(value: str) -> bool:
    try:
        return isinstance(json.loads(value), dict | list)
    except ValueError:
        return False
