"""Words of a text and drafts of behavioural tests, from what the signature returns."""

from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from cli import main as cli
from components.behaviour.tests_file import read_tests
from components.explanation.explanation import Explanation, Word, words
from components.explanation.suggest import suggest_tests
from schema.infer import infer_schema
from schema.label_list import label_list


def _words(pieces: str, *texts: str) -> list[tuple[str, float, bool]]:
    """Return the words of pieces, the n-th of which adds n."""
    split = pieces.split()
    return [(word.text, word.adds, word.second) for word in words(split, range(len(split)), *texts)]


def test_pieces_of_a_word_are_summed_and_named_as_in_the_text() -> None:
    assert _words("[CLS] cre ##me , unbel ##iev ##able [SEP]", "  Crème, UNBELIEVABLE") == [
        ("Crème", 3, False), ("," , 3, False), ("UNBELIEVABLE", 15, False),
    ]  # fmt: skip


def test_words_that_are_not_in_the_vocabulary_keep_their_pieces() -> None:
    assert _words("[CLS] [UNK] is slow [SEP]", "Ⅷ is slow") == [
        ("[UNK]", 1, False),
        ("is", 2, False),
        ("slow", 3, False),
    ]


def test_chinese_characters_and_accents_apart_from_their_letters_are_found() -> None:
    assert _words("[CLS] 退 款 cafe [SEP]", "退 款cafe\u0301!") == [
        ("退", 1, False),
        ("款", 2, False),
        ("cafe\u0301", 3, False),
    ]


def test_the_second_text_of_a_pair_has_words_of_its_own() -> None:
    assert _words("[CLS] a refund [SEP] refund [SEP]", "a refund", "Refund") == [
        ("a", 1, False), ("refund", 2, False), ("Refund", 4, True),
    ]  # fmt: skip
    padded = list(words(["[CLS]", "a", "[SEP]", "[SEP]", "", ""], np.zeros(6).tolist(), "a", ""))
    assert [word.text for word in padded] == ["a"]


def _explanation(text: str, label: str = "refund", pair: str | None = None, **adds: float) -> Explanation:
    found = tuple(
        Word(word, adds.get(word, 0.0), False, (text.index(word), text.index(word) + len(word)))
        for word in text.split()
    )
    return Explanation(text, pair, label, sum(adds.values()) - 3.0, -3.0, found, 16)


def test_completeness_is_the_difference_that_the_words_do_not_add_up_to() -> None:
    exact = _explanation("refund me", refund=4.0, me=-1.0)
    assert exact.gap == pytest.approx(0.0)
    assert exact.is_complete
    off = Explanation(exact.text, None, "refund", 2.0, -3.0, exact.words, 256)
    assert off.gap == pytest.approx(2.0)
    assert not off.is_complete


def test_decisive_words_are_as_few_as_have_half_of_what_is_added() -> None:
    explanation = _explanation("please refund my money now", refund=3.0, money=2.0, please=-4.0, now=1.0)
    assert [word.text for word in explanation.decisive()] == ["refund"]
    assert [word.text for word in explanation.decisive(0.8)] == ["refund", "money"]
    assert [word.text for word in explanation.decisive(1.0, most=2)] == ["refund", "money"]


def test_a_draft_is_a_valid_file_of_behavioural_tests(tmp_path: Path) -> None:
    labels = label_list(infer_schema(["praise", "refund"], []))
    draft = suggest_tests([
        _explanation("please refund my money", refund=3.0, money=2.0),
        _explanation("refund the {thing}", refund=3.0),
        _explanation("thanks: great", label="praise", great=1.0),
        _explanation("nothing adds", label="praise"),
    ])  # fmt: skip
    (tmp_path / "draft.yaml").write_text(draft, encoding="utf-8")
    tests = read_tests(str(tmp_path / "draft.yaml"), labels, pair=False)
    groups = {group.name: group for group in tests.texts}
    assert [case.text for case in groups["refund by its words alone"].cases] == ["refund"]
    assert groups["refund by its words alone"].given == ["refund"]
    assert [case.text for case in groups["refund without its words"].cases] == ["please my money", "the {{thing}}"]
    assert groups["refund without its words"].not_given == ["refund"]
    assert [case.text for case in groups["praise without its words"].cases] == ["thanks:"]
    assert draft.startswith("# Draft of behavioural tests, from the words that labels hang on in 4 texts.")


def test_a_draft_for_pairs_has_both_texts(tmp_path: Path) -> None:
    labels = label_list(infer_schema(["refund"], [], pair=True))
    (tmp_path / "draft.yaml").write_text(suggest_tests([_explanation("refund me", pair="why", refund=1.0)]))
    tests = read_tests(str(tmp_path / "draft.yaml"), labels, pair=True)
    assert [(case.text, case.text_pair) for group in tests.texts for case in group.cases] == [
        ("refund", ""), ("me", "why"),
    ]  # fmt: skip


def test_the_command_refuses_two_forms_of_output() -> None:
    result = CliRunner().invoke(cli.app, ["explain", "--model", "m", "--text", "t", "--suggest", "--json"])
    assert "--suggest prints YAML; leave --json out" in str(result.exception)
