"""Behavioural tests as a person writes them, in the manner of CheckList.

Source: Ribeiro et al., Beyond Accuracy: Behavioral Testing of NLP Models with CheckList, ACL 2020. `texts` are its
minimum functionality tests, `edits` its invariance tests. Each group of either is a gate.
"""

from typing import Annotated, Any, Literal, Self

from pydantic import BeforeValidator, Field, PositiveInt, model_validator

from components.common.settings import Settings

EditName = Literal["typos", "lower_case", "upper_case", "title_case", "punctuation", "whitespace", "names"]

EVERY_OTHER = "*"


def _text_as_mapping(value: Any) -> Any:
    if isinstance(value, str):
        return {"text": value}
    if not isinstance(value, dict | Text):
        raise ValueError(f"must be a text (in quotes if need be) or a mapping of keys, got {value!r}")
    return value


class Text(Settings):
    """Text, or pair of texts. `{thing}` in it stands for each value of the slot `thing`, `{{thing}}` for itself."""

    text: str
    text_pair: str | None = Field(None, description="Second text; required where the model takes pairs.")


class Case(Text):
    """Text with demands on its labels, in addition to those of its group."""

    given: list[str] = Field([], description="Labels that must be given.")
    not_given: list[str] = Field(
        [], description='Labels that must not be given; "*" for every label that need not be given.'
    )


class Group(Settings):
    """Cases of one kind, and the share of them that must pass."""

    name: str = Field(min_length=1, description="Subject of the group, for results and reasons.")
    pass_rate: float = Field(ge=0, le=1, description="Least share of cases that must pass; 0: only measure.")
    samples: PositiveInt = Field(
        100, description="Greatest number of cases of a text with slots, drawn from all combinations."
    )


class TextsGroup(Group):
    """Texts with labels that must, or must not, be given: a minimum functionality test."""

    given: list[str] = Field([], description="Labels that must be given to every text of the group.")
    not_given: list[str] = Field(
        [], description='Labels that must not be given to any text of the group; "*" as in a case.'
    )
    cases: list[Annotated[Case, BeforeValidator(_text_as_mapping)]] = Field(
        min_length=1, description="Texts with their demands; a plain text has those of the group alone."
    )


class EditsGroup(Group):
    """Texts and one edit that must not change which labels are given: an invariance test."""

    edit: EditName
    times: PositiveInt = Field(1, description="Edit typos: number of typos in a text.")
    names: str | None = Field(None, description="Edit names: slot whose values are exchanged for one another.")
    texts: list[Annotated[Text, BeforeValidator(_text_as_mapping)]] = Field([], description="Texts to edit.")
    test_texts: int = Field(
        0, ge=0, description="Number of texts of the test split to edit as well; the same on every run."
    )

    @model_validator(mode="after")
    def _check_texts_and_edit(self) -> Self:
        if not self.texts and not self.test_texts:
            raise ValueError("has no case: give texts, or test_texts: 200")
        if (self.edit == "names") != (self.names is not None):
            raise ValueError(
                "edit names needs `names`, the slot whose values are names"
                if self.names is None
                else f"`names` is for edit names, not {self.edit}"
            )
        if self.edit != "typos" and self.times != 1:
            raise ValueError(f"`times` is for edit typos, not {self.edit}")
        return self


class BehaviourTests(Settings):
    """File of behavioural tests."""

    seed: int = Field(0, description="Seed of all draws: typos, names, combinations, test texts.")
    slots: dict[Annotated[str, Field(pattern=r"^\w+$")], Annotated[list[str], Field(min_length=1)]] = Field(
        {}, description="Values that replace {thing} in texts, by slot."
    )
    texts: list[TextsGroup] = Field([], description="Minimum functionality tests.")
    edits: list[EditsGroup] = Field([], description="Invariance tests.")

    @property
    def test_texts(self) -> int:
        """Greatest number of texts of the test split that a group asks for."""
        return max((group.test_texts for group in self.edits), default=0)
