"""Edit texts without changing their meaning."""

import random
import unicodedata
from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from components.behaviour.edits import exchange_names, punctuation, title_case, typos, whitespace


def test_a_typo_swaps_two_neighbouring_letters() -> None:
    found = {typos("refund now", 1, random.Random(seed)) for seed in range(200)}
    assert found == {
        "erfund now", "rfeund now", "reufnd now", "refnud now", "refudn now", "refund onw", "refund nwo",
    }  # fmt: skip


def test_typos_never_touch_a_letter_twice() -> None:
    for seed in range(50):
        assert typos("abcd", 9, random.Random(seed)) in ("badc", "acbd")
    assert typos("ab", 1, random.Random(0)) == "ba"


def test_a_text_without_room_for_a_typo_stays_as_it_is() -> None:
    for text in ("", "a", "aa", "1 2 3", "a b", "我要退款", "どこですか", "한국어"):
        assert typos(text, 3, random.Random(0)) == text


def test_a_typo_keeps_accents_on_their_letters() -> None:
    decomposed = unicodedata.normalize("NFD", "été")
    for seed in range(20):
        edited = unicodedata.normalize("NFC", typos(decomposed, 1, random.Random(seed)))
        assert Counter(edited) == Counter("été")


@given(st.text(), st.integers(1, 4), st.integers())
def test_typos_keep_every_character(text: str, times: int, seed: int) -> None:
    edited = typos(text, times, random.Random(seed))
    assert Counter(edited) == Counter(text)
    assert sum(a != b for a, b in zip(text, edited, strict=True)) <= 2 * times
    assert edited == typos(text, times, random.Random(seed))


def test_title_case_does_not_capitalize_after_apostrophes() -> None:
    assert title_case("don't PANIC, élan vital (x2)") == "Don't Panic, Élan Vital (X2)"


def test_removes_or_adds_final_punctuation() -> None:
    assert [punctuation(text) for text in ("Why?!", "Why", "Why...\n", "为什么？", "为什么", " ", "?")] == [
        "Why", "Why.", "Why\n", "为什么", "为什么。", " ", "",
    ]  # fmt: skip


def test_adds_stray_whitespace() -> None:
    assert whitespace("a b") == " a  b "
    assert whitespace("") == ""


def test_exchanges_names_only_where_they_are_whole_words() -> None:
    edit = exchange_names(["Ann", "Bo", "Ann Lee"], random.Random(0))
    once = edit("Ann met Annabel and Bo's dog, Ann")
    assert once.count("Annabel") == 1
    first, last = once.split(" met ")[0], once.split(", ")[1]
    assert first == last != "Ann"
    assert "Bo's" not in once
    assert exchange_names(["王伟", "李娜"], random.Random(0))("我是王伟，你好") == "我是李娜，你好"
