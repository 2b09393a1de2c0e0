"""Assignment of rows to splits."""

from collections import Counter
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from components.example_gen.parsing.row_parser import LabelledText
from components.example_gen.sources.settings import SPLITS, Split
from components.example_gen.splitting import Splitter, describe_rule, stable_hash
from tests.components.example_gen.support import settings_for

SHARED = {"pattern": "*", "split": {"train": 8, "eval": 1, "test": 1}}


def splitter(split: Any = SHARED["split"], **changes: Any) -> Splitter:
    rest = {"pattern": "rest", "split": {"train": 1, "eval": 1, "test": 1}}
    settings = settings_for("d", inputs=[{"pattern": "*", "split": split}, rest], **changes)
    return Splitter(settings, settings.inputs[0])


def split_of(splitter: Splitter, row: LabelledText) -> Split:
    return SPLITS[splitter.assign(row).split]


def row_of(text: str, key: str = "k") -> LabelledText:
    return LabelledText(key, text, [], [])


def test_a_row_is_in_the_same_split_on_every_machine_and_in_every_version() -> None:
    assert stable_hash("a text") == 0x536408935BE0E950
    by_text = splitter()
    splits = [split_of(by_text, row_of(f"text {number}")) for number in range(8)]
    assert splits == ["test", "train", "train", "train", "eval", "train", "train", "test"]


def test_divides_rows_by_weight() -> None:
    by_weight = splitter()
    counts = Counter(split_of(by_weight, row_of(f"text {number}")) for number in range(10_000))
    assert 7_800 < counts["train"] < 8_200
    assert 900 < counts["eval"] < 1_100
    assert 900 < counts["test"] < 1_100


@given(text=st.text(), key=st.text())
def test_assigns_copies_of_a_text_to_one_split(text: str, key: str) -> None:
    by_text = splitter()
    copy = "  " + text.replace(" ", "\n\t") + " "
    assert split_of(by_text, row_of(text, key)) == split_of(by_text, row_of(copy, "another"))
    assert split_of(by_text, row_of("Some TEXT")) == split_of(by_text, row_of("some text"))


@given(key=st.text(min_size=1))
def test_ignores_the_text_when_splitting_by_id(key: str) -> None:
    by_id = splitter(id="id", split_by="id")
    assert split_of(by_id, row_of("one", key)) == split_of(by_id, row_of("other", key))


def test_assigns_a_whole_file_to_its_split() -> None:
    assert {split_of(splitter("eval"), row_of(f"text {number}")) for number in range(100)} == {"eval"}


def test_describes_the_rule_of_a_split() -> None:
    settings = settings_for("d", inputs=[SHARED, {"pattern": "test/*", "split": "test"}])
    assert describe_rule(settings.inputs, "test", "text") == (
        "examples.inputs[0] ('*', 1 of 10 by the hash of the text) and examples.inputs[1] ('test/*', every row)"
    )
