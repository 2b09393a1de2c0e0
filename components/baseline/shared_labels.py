"""The labels that a candidate and its baseline both have, whatever became of the label list between them."""

from collections.abc import Sequence

from components.registry import ModelRecord


def outputs_in_terms_of(baseline: ModelRecord, candidate: ModelRecord) -> list[str | None]:
    """Which label of the candidate each output of the baseline is.

    By name, and by what the candidate's labels were called before; wherever the label stands in the other's list.

    Returns:
        One for each output of the baseline: a label that both have in use, or None.
    """
    active = {label for label in candidate.outputs if label is not None}
    # A label of the very name is never displaced by one that was merged into it by hand.
    found = active & {label for label in baseline.outputs if label is not None}
    outputs: list[str | None] = []
    for label in baseline.outputs:
        now = label if label in active else candidate.renamed.get(label or "")
        is_new_name = now != label and now in active and now not in found
        outputs.append(now if now == label or is_new_name else None)
        found |= {now} if now is not None and is_new_name else set()
    return outputs


def lacking(outputs: Sequence[str | None], candidate: ModelRecord) -> list[str]:
    """The candidate's labels in use that are no output of the baseline, in the candidate's order."""
    return [label for label in candidate.outputs if label is not None and label not in outputs]
