"""`.owner.json`: the pipeline that a registry belongs to, and the label list that it has pushed there.

Models of another pipeline would be served under the same name, compared with as baselines and started from, although
their labels mean something else; so would those of the same pipeline whose labels have other indices. TensorFlow
Serving ignores the file, like every name that is not a number.
"""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import ClassVar

from pydantic import Field

from components.common.record import Record, Value
from components.registry.lock import locked
from schema.errors import Refused

_SHOWN = 5


class Claimant(Value):
    """Pipeline that uses a registry.

    Attributes:
        pipeline: Its name.
        labels: Its labels in the order of the model's outputs, retired ones included; None: only the name is known, and
            compared.
        renamed: Present name by former name, of the labels that were renamed.
    """

    pipeline: str
    labels: list[str] | None = None
    renamed: dict[str, str] = Field(default={})


class FormerOwner(Value):
    """Pipeline that a registry was taken over from.

    Attributes:
        pipeline: Its name; None if the file that named it was damaged.
        labels: Its labels at its last push.
        until: Time of the takeover, ISO 8601.
    """

    pipeline: str | None
    labels: list[str] = Field(default=[])
    until: str


class Owner(Record):
    """Pipeline that a registry belongs to.

    Attributes:
        pipeline: Its name.
        labels: Its labels at the last push, or at the takeover.
        since: Time of its first push or of the takeover, ISO 8601.
        former: Owners that the registry was taken over from, oldest first.
    """

    FILE: ClassVar = ".owner.json"

    pipeline: str
    labels: list[str]
    since: str
    former: list[FormerOwner] = Field(default=[])


def find_owner(base: str) -> Owner | None:
    """Return the owner of a registry; None if nothing was pushed to it yet, or only by releases without owners.

    Raises:
        Refused: The file is damaged; whom the registry belongs to is unknown then, and not taken for nobody.
    """
    folder = base.rstrip("/")
    try:
        return Owner.read(folder)
    except FileNotFoundError:
        return None
    except Refused as refused:
        raise Refused(
            f"{str(refused).partition(';')[0]}; whom the registry belongs to is unknown until the file is restored, or "
            "the registry taken over with `models adopt` or `run --adopt`"
        ) from None


def check_owner(base: str, claimant: Claimant) -> Owner | None:
    """Check that a registry belongs to a pipeline, or to none yet, and that the pipeline continues its label list.

    A pipeline may add, rename and retire labels, as `bert-multilabel labels` does: every label keeps its index. A list
    in which a label is missing or has another index is another list, also under the same name.

    Args:
        base: The registry; need not exist.
        claimant: The pipeline.

    Returns:
        The owner; None if there is none yet.

    Raises:
        Refused: It belongs to another pipeline, or to this one with another label list; or the file is damaged.
    """
    owner = find_owner(base)
    problem = "" if owner is None else find_conflict(owner, claimant)
    if problem:
        raise Refused(
            f"{base.rstrip('/')}/{Owner.FILE}: {problem}; choose another registry, or take this one over with"
            " `models adopt` or `run --adopt`"
        )
    return owner


def find_conflict(owner: Owner, claimant: Claimant) -> str:
    """Return why a registry of an owner is not a pipeline's, in words; empty if it is.

    Example:
        >>> owner = Owner(pipeline="tickets", labels=["billing", "refund"], since="2026-01-01T00:00:00+00:00")
        >>> changed = Claimant(pipeline="tickets", labels=["billing", "money_back", "praise"],
        ...                    renamed={"refund": "money_back"})
        >>> find_conflict(owner, changed)
        ''
        >>> find_conflict(owner, Claimant(pipeline="tickets", labels=["refund", "billing"]))
        "the models of pipeline 'tickets' there have label 'billing' at index 0, where its list now has 'refund'"
    """
    if owner.pipeline != claimant.pipeline:
        labels = _in_short(owner.labels)
        return f"the registry belongs to pipeline '{owner.pipeline}' with labels {labels}, not to '{claimant.pipeline}'"
    if claimant.labels is None:
        return ""
    for index, label in enumerate(owner.labels):
        given = claimant.labels[index] if index < len(claimant.labels) else None
        if given != claimant.renamed.get(label, label):
            has = "no label" if given is None else f"'{given}'"
            return (
                f"the models of pipeline '{owner.pipeline}' there have label '{label}' at index {index}, where its list"
                f" now has {has}"
            )
    return ""


def claim(base: str, claimant: Claimant) -> Owner:
    """Return the owner of a registry, which the first pipeline that pushes becomes; the caller holds the lock.

    Raises:
        Refused: As `check_owner`.
    """
    owner = check_owner(base, claimant)
    if owner is None:
        owner = Owner(pipeline=claimant.pipeline, labels=claimant.labels or [], since=_now())
        owner.write(base.rstrip("/"))
    return owner


def note_labels(base: str, owner: Owner, labels: Sequence[str]) -> None:
    """Write down the labels of a model that was pushed; the caller holds the lock."""
    if owner.labels != list(labels):
        owner.model_copy(update={"labels": list(labels)}).write(base.rstrip("/"))


def adopt(base: str, claimant: Claimant) -> Owner | None:
    """Make a pipeline the owner of a registry, whomever it belongs to, and write down whom it belonged to.

    Args:
        base: The registry; created if it does not exist.
        claimant: The pipeline.

    Returns:
        The owner before; None if there was none, if it cannot be read, or if it is the same with the same labels.
    """
    with locked(base):
        try:
            before = find_owner(base)
        except Refused:
            former = [FormerOwner(pipeline=None, until=_now())]
            before = None
        else:
            former = [] if before is None else list(before.former)
            if before is not None:
                if not find_conflict(before, claimant):
                    return None
                former.append(FormerOwner(pipeline=before.pipeline, labels=before.labels, until=_now()))
        owner = Owner(pipeline=claimant.pipeline, labels=claimant.labels or [], since=_now(), former=former)
        owner.write(base.rstrip("/"))
    return before


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")


def _in_short(labels: Sequence[str]) -> str:
    rest = f" and {len(labels) - _SHOWN} more" if len(labels) > _SHOWN else ""
    return ", ".join(labels[:_SHOWN]) + rest
