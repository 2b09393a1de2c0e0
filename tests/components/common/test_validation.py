"""Validation errors in one line."""

from typing import Annotated, Any, Literal

import pytest
from pydantic import Field, ValidationError

from components.common.settings import Settings
from components.common.validation import Problem, explain


class Focal(Settings):
    kind: Literal["focal"]
    gamma: float = 2.0


class Plain(Settings):
    kind: Literal["plain"] = "plain"


class Case(Settings):
    text: str
    tags: list[str] = Field(default=["a"], min_length=1)


class Whole(Settings):
    loss: Annotated[Focal | Plain, Field(discriminator="kind")] = Plain()
    cases: list[Annotated[Case, Field(description="A case.")]] = Field(default=[])
    named: dict[str, Case] | None = None
    mode: Literal["head", "head_tail"] = "head"
    layers: Literal["all"] | int = "all"
    requests: list[str | list[str]] = Field(default=[])


def problem(**content: Any) -> Problem:
    with pytest.raises(ValidationError) as error:
        Whole.model_validate(content)
    return explain(error.value, Whole)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ({"case": []}, "unknown key 'case'; did you mean 'cases'?"),
        ({"cases": [{"text": "a"}, {"txt": "b"}]}, "unknown key 'cases[1].txt'; did you mean 'text'?"),
        ({"cases": [{}]}, "key 'cases[0].text' is missing"),
        ({"cases": [3]}, "key 'cases[0]': must be a mapping of keys, got 3"),
        ({"named": {"x": {"text": "a", "tag": 1}}}, "unknown key 'named.x.tag'; did you mean 'tags'?"),
        (
            {"named": {"x": {"text": "a", "tags": []}}},
            "key 'named.x.tags': is empty; give at least one, or",
        ),
        ({"loss": {"kind": "focal", "gama": 1}}, "unknown key 'loss.gama'; did you mean 'gamma'?"),
        ({"loss": {"kind": "plain", "gamma": 1}}, "unknown key 'loss.gamma'; known here: kind"),
        ({"mode": "tail"}, "key 'mode': Input should be 'head' or 'head_tail', got 'tail'; did you mean 'head_tail'?"),
        ({"layers": "some"}, "key 'layers': Input should be 'all', got 'some'"),
        ({"requests": ["a", 3]}, "key 'requests[1]': Input should be a valid string, got 3"),
        ({"mode": "xyz"}, "key 'mode': Input should be 'head' or 'head_tail', got 'xyz'"),
    ],
)
def test_an_error_is_explained_with_key_value_and_nearest_name(content: dict[str, Any], message: str) -> None:
    assert problem(**content).message.startswith(message)


def test_a_misspelt_key_comes_before_the_one_missing_because_of_it() -> None:
    found = problem(cases=[{"txt": "a"}], mode=3)
    assert (found.location, found.others) == (("cases", 0, "txt"), 2)
