"""Reading of a summary.json that was written before it had the key `outcome`."""

import re
from collections.abc import Mapping
from typing import Any

from components.common.outcome import Outcome

_STEP_FAILED = re.compile(r"\w+ failed: ")


def infer_outcome(summary: Mapping[str, Any]) -> Outcome:
    """Infer how the run of an old summary ended.

    Args:
        summary: The parsed file.

    Returns:
        The outcome. Of a run that ended early it is inferred from the wording of the reason, the only trace then.

    Example:
        >>> infer_outcome({"pushed": None, "reasons": ["Trainer failed: MemoryError: no message"]})
        'failed'
    """
    if summary.get("pushed") is not None:
        return "blessed"
    if summary.get("metrics") is not None:
        return "not_blessed"
    reason = str((summary.get("reasons") or [""])[0])
    if summary.get("rows") is None and reason.startswith("no span is newer"):
        return "no_new_data"
    return "failed" if _STEP_FAILED.match(reason) else "refused"
