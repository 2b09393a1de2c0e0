"""tokenizer.json gives the ids of the tokenizer in the exported graph, which are Google's."""

from functools import cache
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tokenizers import Tokenizer

from components.checkpoints.vocabulary import BERT_TOKENS
from components.variants.tokenizer_file import build_tokenizer
from tests.components.preprocessing.test_tokenizer import (
    _INTERESTING,
    _SETTINGS,
    _WORDS,
    KINDS,
    UNCASED,
    ids,
    vocabulary,
)
from tests.components.preprocessing.texts import GOOGLE_ONLY, HARD

_UNLIMITED = 100_000
# Without letters of Unicode 14, which tf.strings.lower lacks; see components.preprocessing.characters.
_GREEK = st.sampled_from("ΑΣσςαάΆa '’.-\u0301\u00ad:·\u0345ΪIİ1ⓐªʰ")
_ANYTHING = st.characters(exclude_categories=["Cs"], exclude_characters="Σ")
_TEXTS = (
    st.text(_ANYTHING)
    | st.text(_INTERESTING)
    | st.text(_GREEK, max_size=12)
    | st.lists(_WORDS | _INTERESTING, max_size=8).map("".join)
)


@cache
def tokenizer(kind: str) -> Tokenizer:
    options = {"strip_accents": None} | _SETTINGS[kind]
    built = build_tokenizer(vocabulary(kind), BERT_TOKENS, max_tokens=_UNLIMITED, **options)
    built.no_padding()
    return Tokenizer.from_str(built.to_str())


def file_ids(kind: str, texts: list[str]) -> list[list[int]]:
    return [each.ids for each in tokenizer(kind).encode_batch_fast(texts)]


@pytest.mark.parametrize("kind", KINDS)
def test_hard_texts_have_the_ids_of_the_graph(kind: str) -> None:
    names, texts = list(HARD | GOOGLE_ONLY), list((HARD | GOOGLE_ONLY).values())
    ours, theirs = file_ids(kind, texts), ids(kind, texts)
    assert [name for name, a, b in zip(names, ours, theirs, strict=True) if a != b] == []


@pytest.mark.parametrize("kind", KINDS)
@settings(max_examples=60, deadline=None)
@given(texts=st.lists(_TEXTS, min_size=1, max_size=16))
def test_any_texts_have_the_ids_of_the_graph(kind: str, texts: list[str]) -> None:
    assert file_ids(kind, texts) == ids(kind, texts)


def test_characters_of_all_kinds_have_the_ids_of_the_graph() -> None:
    # Every second one of those that differ in kind, and some of the planes that are Chinese or empty.
    ranges = ((0, 0x3400, 2), (0xA000, 0xD800, 31), (0xF900, 0x1_4000, 2), (0x1_4000, 0x11_0000, 97))
    codes = [code for each in ranges for code in range(*each)]
    texts = [f"a{chr(code)}b" for code in codes]
    ours, theirs = file_ids(UNCASED, texts), ids(UNCASED, texts)
    assert [hex(code) for code, a, b in zip(codes, ours, theirs, strict=True) if a != b] == []


def test_keeps_the_head_of_a_long_text_and_pads_a_batch(tmp_path: Path) -> None:
    path = str(tmp_path / "tokenizer.json")
    build_tokenizer(vocabulary(UNCASED), BERT_TOKENS, lower_case=True, strip_accents=None, max_tokens=4).save(path)
    long, short = Tokenizer.from_file(path).encode_batch(["one two three four", ""])
    whole = ids(UNCASED, ["one two"])[0]
    assert (long.ids, long.attention_mask) == (whole, [1, 1, 1, 1])
    assert (short.ids, short.attention_mask) == ([whole[0], whole[-1], 0, 0], [1, 1, 0, 0])
