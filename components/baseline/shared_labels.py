"""Labels that a candidate and a baseline both have, however the label list changed between them."""

from collections.abc import Sequence

from components.registry import ModelRecord


def match_outputs(baseline: ModelRecord, candidate: ModelRecord) -> list[str | None]:
    """Return the candidate's label that each output of the baseline is.

    Labels are matched by name and by the candidate's former names, whatever their index.

    Args:
        baseline: Record of the baseline.
        candidate: Record of the candidate.

    Returns:
        For each output of the baseline, a label that both models have in use; None if there is none.
    """
    active = {label for label in candidate.outputs if label is not None}
    # A label of the same name takes precedence over one that was renamed to it: someone merged the two by hand.
    matched = active & {label for label in baseline.outputs if label is not None}
    outputs: list[str | None] = []
    for label in baseline.outputs:
        name = label if label in active else candidate.renamed.get(label or "")
        is_new_name = name != label and name in active and name not in matched
        outputs.append(name if name == label or is_new_name else None)
        matched |= {name} if name is not None and is_new_name else set()
    return outputs


def missing_labels(outputs: Sequence[str | None], candidate: ModelRecord) -> list[str]:
    """Return the candidate's labels in use that the baseline lacks, in the candidate's order.

    Args:
        outputs: The result of `match_outputs`.
        candidate: Record of the candidate.
    """
    return [label for label in candidate.outputs if label is not None and label not in outputs]
