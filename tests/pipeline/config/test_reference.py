"""The reference of the configuration."""

import re
from typing import Annotated, Literal

from pydantic import Field

from components.common.settings import Settings
from pipeline.config.configuration import Configuration
from pipeline.config.reference import reference


class _Part(Settings):
    """A part."""

    kind: Literal["small", "large"] = "small"
    share: float = Field(0.5, gt=0, le=1, description="Share of rows.")


class _Whole(Settings):
    """A whole.

    More about it.
    """

    name: str = Field(description="Name of the <pipeline>.")
    parts: list[_Part] = Field([], description="Its parts.")
    only: Annotated[_Part, Field(description="The only one.")] = _Part()
    delimiter: str | None = "|"


def test_describes_each_key_with_type_default_and_bounds() -> None:
    text = reference(_Whole)
    assert "| `name` | text | **required** | Name of the \\<pipeline\\>. |" in text
    assert '| `delimiter` | text or null | `"\\|"` |  |' in text
    assert "| `kind` | `small`, `large` | `small` |  |" in text
    assert "| `share` | number, > 0, ≤ 1 | `0.5` | Share of rows. |" in text
    assert "More about it" not in text


def test_links_every_key_to_the_one_section_of_its_model() -> None:
    text = reference(_Whole)
    assert text.count("A part.") == 1
    assert "## `parts[]` { #parts }" in text
    assert "list of [mappings](#parts)" in text
    assert "| `only` | [mapping](#parts) | its own defaults | The only one. |" in text


def test_has_every_key_of_the_configuration() -> None:
    text = reference()
    for name in Configuration.model_fields:
        assert f"| `{name}` |" in text
    links, anchors = set(re.findall(r"\]\(#([^)]+)\)", text)), set(re.findall(r"\{ #([^ ]+) \}", text))
    assert links <= anchors
    for section in ("examples", "training-loss-kind-focal", "runner-kubeflow", "runner-vertex-push", "notify"):
        assert section in anchors


def test_names_types_in_words() -> None:
    types = re.findall(r"^\| `[a-z_]+` \| (.*?) \| ", reference(), re.MULTILINE)
    words = [re.sub(r"`[^`]*`|\(#[^)]*\)", "", kind) for kind in types]
    assert words
    assert not [kind for kind in words if re.search(r"[A-Z]|typing|class", kind)]
