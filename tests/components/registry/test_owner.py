"""The pipeline that a registry belongs to: who becomes it, who is refused, and how a registry is taken over."""

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from components.registry import (
    Claimant,
    FormerOwner,
    ModelRecord,
    Owner,
    adopt,
    check_owner,
    find_owner,
    push,
    versions,
)
from schema.errors import Refused
from tests.components.registry.test_registry import make_model, record_of

TICKETS = Claimant(pipeline="tickets", labels=["a", "价格"])


@pytest.fixture
def model(tmp_path: Path) -> str:
    return make_model(tmp_path / "model")


@pytest.fixture
def base(tmp_path: Path) -> str:
    return str(tmp_path / "registry")


def of_labels(labels: list[str], renamed: dict[str, str] | None = None) -> ModelRecord:
    update = {"labels": labels, "thresholds": [0.5] * len(labels), "renamed": renamed or {}}
    return record_of("".join(labels)).model_copy(update=update)


def test_a_registry_belongs_to_the_first_pipeline_that_pushes(model: str, base: str) -> None:
    assert check_owner(base, TICKETS) is None
    assert not Path(base).exists()
    push(model, base, record_of("a"), "tickets")
    owner = check_owner(base, TICKETS)
    assert owner is not None
    assert (owner.pipeline, owner.labels, owner.former) == ("tickets", ["a", "价格"], [])
    with pytest.raises(Refused) as refused:
        push(model, base, record_of("b"), "billing")
    assert str(refused.value) == (
        f"{base}/.owner.json: the registry belongs to pipeline 'tickets' with labels a, 价格, not to 'billing'; choose "
        "another registry, or take this one over with `models adopt` or `run --adopt`"
    )
    # Also a model that is the latest already, which would not be pushed again.
    with pytest.raises(Refused, match="belongs to pipeline 'tickets'"):
        push(model, base, record_of("a"), "billing")
    assert len(versions(base)) == 1


def test_a_registry_of_an_earlier_release_is_taken_by_the_first_pipeline_that_pushes(model: str, base: str) -> None:
    push(model, base, record_of("a"))
    assert find_owner(base) is None
    push(model, base, record_of("a"), "tickets")
    owner = find_owner(base)
    assert owner is not None
    assert owner.pipeline == "tickets"
    assert len(versions(base)) == 1


def test_a_pipeline_may_add_rename_and_retire_labels_but_not_move_or_drop_them(model: str, base: str) -> None:
    push(model, base, of_labels(["billing", "refund"]), "tickets")
    push(model, base, of_labels(["billing", "money_back", "praise"], {"refund": "money_back"}), "tickets")
    owner = find_owner(base)
    assert owner is not None
    assert owner.labels == ["billing", "money_back", "praise"]
    for labels, found in (
        (["billing", "money_back"], "'praise' at index 2, where its list now has no label"),
        (["money_back", "billing", "praise"], "'billing' at index 0, where its list now has 'money_back'"),
        (["invoice"], "'billing' at index 0, where its list now has 'invoice'"),
    ):
        with pytest.raises(Refused, match=found):
            push(model, base, of_labels(labels), "tickets")
    assert len(versions(base)) == 2


def test_a_push_that_fails_does_not_change_the_list(model: str, base: str) -> None:
    push(model, base, of_labels(["a"]), "tickets")
    with pytest.raises(Refused, match=r"there is no saved_model\.pb to push"):
        push(f"{model}/assets", base, of_labels(["a", "b"]), "tickets")
    check_owner(base, TICKETS.model_copy(update={"labels": ["a"]}))


def test_adopting_takes_a_registry_over_and_records_whom_it_belonged_to(model: str, base: str) -> None:
    assert adopt(base, TICKETS) is None
    assert adopt(base, TICKETS) is None
    push(model, base, record_of("a"), "tickets")
    billing = Claimant(pipeline="billing", labels=["invoice"])
    before = adopt(base, billing)
    assert before is not None
    assert before.pipeline == "tickets"
    push(model, base, of_labels(["invoice"]), "billing")
    with pytest.raises(Refused, match="belongs to pipeline 'billing' with labels invoice, not to 'tickets'"):
        check_owner(base, TICKETS)
    # The same name with another list, which the pipeline's own pushes would be refused for.
    adopt(base, billing.model_copy(update={"labels": ["paid", "invoice"]}))
    owner = find_owner(base)
    assert owner is not None
    assert owner.labels == ["paid", "invoice"]
    assert [(former.pipeline, former.labels) for former in owner.former] == [
        ("tickets", ["a", "价格"]), ("billing", ["invoice"]),
    ]  # fmt: skip


def test_an_unreadable_owner_is_not_taken_for_none(model: str, base: str) -> None:
    push(model, base, record_of("a"), "tickets")
    Path(base, Owner.FILE).write_text("{")
    with pytest.raises(Refused, match=r"\.owner\.json: is damaged .*; whom the registry belongs to is unknown until"):
        push(model, base, record_of("b"), "tickets")
    assert adopt(base, TICKETS) is None
    owner = check_owner(base, TICKETS)
    assert owner is not None
    assert owner.former == [FormerOwner(pipeline=None, until=owner.since)]


def test_one_of_two_pipelines_that_push_first_at_once_gets_the_registry(tmp_path: Path, base: str) -> None:
    names = [f"pipeline{number}" for number in range(4)]
    models = [make_model(tmp_path / name, name) for name in names]

    def try_push(name: str, model: str) -> str:
        try:
            push(model, base, record_of(name), name)
        except Refused as refused:
            return str(refused)
        return ""

    with ThreadPoolExecutor(len(names)) as pool:
        refusals = list(pool.map(try_push, names, models))
    (winner,) = (name for name, refusal in zip(names, refusals, strict=True) if not refusal)
    owner, (version,) = find_owner(base), versions(base)
    assert owner is not None
    assert owner.pipeline == winner == ModelRecord.read(version.path).model_id
    assert all(f"belongs to pipeline '{winner}'" in refusal for refusal in refusals if refusal)
