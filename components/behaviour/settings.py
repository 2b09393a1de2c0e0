"""What a person writes into the file of behavioural tests, in the manner of CheckList.

Ribeiro et al., Beyond Accuracy: Behavioral Testing of NLP Models with CheckList, ACL 2020. `texts` are its minimum
functionality tests, `edits` its invariance tests; each group of either is a gate.
"""

from typing import Annotated, Any, Literal, Self

from pydantic import BeforeValidator, Field, PositiveInt, model_validator

from components.common.settings import Settings

EditName = Literal["typos", "lower_case", "upper_case", "title_case", "punctuation", "whitespace", "names"]

EVERY_OTHER = "*"


def _with_text(value: Any) -> Any:
    return {"text": value} if isinstance(value, str) else value


class Text(Settings):
    """A text, or a pair of them. `{thing}` in it stands for each value of the slot `thing`; `{{thing}}` for itself."""

    text: str
    text_pair: str | None = Field(None, description="Where the model takes pairs, and only there.")


class Case(Text):
    """A text with what is asked of its labels, besides what its group asks of all."""

    given: list[str] = Field([], description="Labels that must be given.")
    not_given: list[str] = Field(
        [], description='Labels that must not be given; "*" for every one that need not be given.'
    )


class Group(Settings):
    """Cases of one kind, and how many of them must pass."""

    name: str = Field(min_length=1, description="What the group is about, in results and reasons.")
    pass_rate: float = Field(ge=0, le=1, description="At least this share of its cases must pass; 0: only measured.")
    samples: PositiveInt = Field(
        100, description="A text with slots makes so many cases at most, drawn from all its combinations."
    )


class TextsGroup(Group):
    """Texts with labels that must, or must not, be given: a minimum functionality test."""

    given: list[str] = Field([], description="Labels that must be given to every text of the group.")
    not_given: list[str] = Field([], description="Labels that must not be given to any of them; as in a case.")
    cases: list[Annotated[Case, BeforeValidator(_with_text)]] = Field(
        min_length=1, description="A lone text is a case of which only the group asks anything."
    )


class EditsGroup(Group):
    """Texts and one edit that must not change which labels are given: an invariance test."""

    edit: EditName
    times: PositiveInt = Field(1, description="Of typos: so many in a text.")
    names: str | None = Field(None, description="Of names: the slot whose values are exchanged for one another.")
    texts: list[Annotated[Text, BeforeValidator(_with_text)]] = Field([], description="Texts of one's own.")
    test_texts: int = Field(0, ge=0, description="So many texts of the test split; the same ones on every run.")

    @model_validator(mode="after")
    def _has_texts_and_what_the_edit_needs(self) -> Self:
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
    """The whole file."""

    seed: int = Field(0, description="Of everything that is drawn: typos, names, combinations, test texts.")
    slots: dict[Annotated[str, Field(pattern=r"^\w+$")], Annotated[list[str], Field(min_length=1)]] = Field(
        {}, description="What stands in the place of {thing}."
    )
    texts: list[TextsGroup] = Field([], description="Minimum functionality tests.")
    edits: list[EditsGroup] = Field([], description="Invariance tests.")

    @property
    def test_texts(self) -> int:
        """So many texts of the test split are asked for at most."""
        return max((group.test_texts for group in self.edits), default=0)
