"""Compare token ids with Google's, and with Hugging Face's where it agrees with Google."""

import json
import os
import subprocess
import sys
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import tensorflow as tf
from hypothesis import given, settings
from hypothesis import strategies as st

from components.preprocessing.tokenizer import BertTokenizer
from tests.components.preprocessing.conftest import REPOSITORY, cased_vocabulary, uncased_vocabulary
from tests.components.preprocessing.reference import GoogleTokenizer, hugging_face
from tests.components.preprocessing.texts import GOOGLE_ONLY, HARD

UNCASED, CASED, LOWER_WITH_ACCENTS = "uncased", "cased", "lower case with accents"
KINDS = (UNCASED, CASED, LOWER_WITH_ACCENTS)
_UNLIMITED = 100_000
_SETTINGS: dict[str, dict[str, Any]] = {
    UNCASED: {"lower_case": True},
    CASED: {"lower_case": False},
    LOWER_WITH_ACCENTS: {"lower_case": True, "strip_accents": False},
}


def vocabulary(kind: str) -> tuple[str, ...]:
    return uncased_vocabulary() if kind == UNCASED else cased_vocabulary()


@cache
def in_graph(kind: str) -> BertTokenizer:
    return BertTokenizer(vocabulary(kind), max_tokens=_UNLIMITED, **_SETTINGS[kind])


@cache
def google(kind: str) -> GoogleTokenizer:
    return GoogleTokenizer(vocabulary(kind), **_SETTINGS[kind])


def ids(kind: str, texts: list[str] | list[bytes]) -> list[list[int]]:
    tokenized: list[list[int]] = in_graph(kind)(tf.constant(texts, tf.string)).to_list()
    return tokenized


def google_ids(kind: str, texts: list[str]) -> list[list[int]]:
    return [google(kind).ids(text) for text in texts]


def hugging_face_ids(kind: str, texts: list[str]) -> list[list[int]]:
    reference = hugging_face(vocabulary(kind), **_SETTINGS[kind])
    return [encoding.ids for encoding in reference.encode_batch(texts)]


# === Hard texts ===


@pytest.mark.parametrize("name", [*HARD, *GOOGLE_ONLY])
@pytest.mark.parametrize("kind", KINDS)
def test_hard_texts_have_googles_ids(kind: str, name: str) -> None:
    text = {**HARD, **GOOGLE_ONLY}[name]
    assert ids(kind, [text]) == google_ids(kind, [text])


@pytest.mark.parametrize("kind", KINDS)
def test_hard_texts_have_hugging_faces_ids(kind: str) -> None:
    texts = list(HARD.values())
    ours, theirs = ids(kind, texts), hugging_face_ids(kind, texts)
    differing = [name for name, a, b in zip(HARD, ours, theirs, strict=True) if a != b]
    assert differing == []


def test_a_spelled_special_token_is_text() -> None:
    token_ids = {token: index for index, token in enumerate(uncased_vocabulary())}
    assert ids(UNCASED, ["[MASK]"]) == [[token_ids[token] for token in ("[CLS]", "[", "mask", "]", "[SEP]")]]


def test_a_word_of_200_characters_is_split_and_one_of_201_is_unknown() -> None:
    token_ids = {token: index for index, token in enumerate(uncased_vocabulary())}
    split, unknown = ids(UNCASED, ["a" * 200, "a" * 201])
    assert token_ids["[UNK]"] not in split
    assert unknown == [token_ids["[CLS]"], token_ids["[UNK]"], token_ids["[SEP]"]]


# === Any text ===

_INTERESTING = st.sampled_from(
    "aAbIiİıſΣßẞéÉ\u0301\u0307\u0327,.'’-#[] \t\n\u00a0\u2028\0\x85\u200d\ufffd天豈ﬁ…Ｆ①😀가"
)
# Without Σ, because of the letters of Unicode 14: see components.preprocessing.characters.
_ANYTHING = st.characters(exclude_categories=["Cs"], exclude_characters="Σ")
_WORDS = st.sampled_from(["playing", "Zürich", "unaffable", "x" * 199, "y" * 200, "é" * 201, "[MASK]"])
_TEXTS = st.text(_ANYTHING) | st.text(_INTERESTING) | st.lists(_WORDS | _INTERESTING, max_size=8).map("".join)


@pytest.mark.parametrize("kind", KINDS)
@settings(max_examples=300, deadline=None)
@given(texts=st.lists(_TEXTS, min_size=1, max_size=8))
def test_any_texts_have_googles_ids(kind: str, texts: list[str]) -> None:
    assert ids(kind, texts) == google_ids(kind, texts)


@pytest.mark.parametrize("kind", [UNCASED, CASED])
def test_every_character_has_googles_ids(kind: str) -> None:
    # Planes 4-13 are empty, 15 and 16 are private use: a sample of them is enough.
    codes = [*range(0xD800), *range(0xE000, 0x3_2400), *range(0xE_0000, 0xE_0200), *range(0x4_0000, 0x11_0000, 0x1111)]
    texts = [f"a{chr(code)}b" for code in codes]
    ours, theirs = ids(kind, texts), google_ids(kind, texts)
    differing = [hex(code) for code, a, b in zip(codes, ours, theirs, strict=True) if a != b]
    assert differing == []


# === Real texts ===


@pytest.fixture(scope="module")
def goemotions() -> list[str]:
    default = REPOSITORY / "../shared/data/goemotions"
    folder = Path(os.environ.get("GOEMOTIONS_DIR", default))
    files = [folder / name for name in ("train.tsv", "dev.tsv")]
    if not all(file.exists() for file in files):
        pytest.skip(f"no GoEmotions in {folder}; set GOEMOTIONS_DIR")
    lines = [line for file in files for line in file.read_bytes().decode().split("\n") if line]
    return [line.split("\t")[0] for line in lines]


@pytest.mark.parametrize("kind", [UNCASED, CASED])
def test_every_text_of_goemotions_has_the_ids_of_both_references(kind: str, goemotions: list[str]) -> None:
    ours = ids(kind, goemotions)
    for theirs in (hugging_face_ids(kind, goemotions), google_ids(kind, goemotions)):
        assert [text for text, a, b in zip(goemotions, ours, theirs, strict=True) if a != b] == []


# === Bytes that are not text ===

_BROKEN = [
    b"\xff",
    b"a\xc0\x80b",
    b"surrogate \xed\xa0\x80 here",
    b"too high \xf4\x90\x80\x80",
    b"cut \xe4\xbd",
    b"cut \xe4\xbdA",
    b"\x80 stray",
    b"latin caf\xe9 cr\xe8me",
    b"\xf0\x80\x80\x80",
]


@pytest.mark.parametrize("broken", _BROKEN)
def test_drops_bytes_that_are_not_utf_8(broken: bytes) -> None:
    good = "Good text…"
    assert ids(UNCASED, [broken, good.encode()]) == google_ids(UNCASED, [broken.decode("utf-8", "ignore"), good])


@settings(max_examples=200, deadline=None)
@given(broken=st.lists(st.binary() | st.text().map(lambda text: text.encode()[:-1]), min_size=1, max_size=4))
def test_reads_any_bytes_like_google(broken: list[bytes]) -> None:
    assert ids(UNCASED, broken) == google_ids(UNCASED, [each.decode("utf-8", "ignore") for each in broken])


# === Shapes and limits ===


@pytest.mark.parametrize("max_tokens", [3, 4, 8])
def test_truncates_sequences_at_their_end(max_tokens: int) -> None:
    texts = ["one two three four five six seven", "one", ""]
    tokenizer = BertTokenizer(uncased_vocabulary(), lower_case=True, max_tokens=max_tokens)
    whole = google_ids(UNCASED, texts)
    assert tokenizer(tf.constant(texts)).to_list() == [[*row[:-1][: max_tokens - 1], row[-1]] for row in whole]


def test_returns_no_rows_for_an_empty_batch() -> None:
    tokens = in_graph(UNCASED)(tf.constant([], tf.string))
    assert tokens.to_list() == []
    assert tokens.dtype == tf.int64


def test_refuses_fewer_than_three_tokens() -> None:
    with pytest.raises(ValueError, match=r"at least 3.*got 2"):
        BertTokenizer(uncased_vocabulary(), lower_case=True, max_tokens=2)


def test_keeps_private_use_characters_of_the_vocabulary() -> None:
    tokens = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "\ue000", "##\ue001", "\u0378"]
    tokenizer = BertTokenizer(tokens, lower_case=True)
    texts = ["\ue000\ue001 \u0378", "\ue002", "z" * 201]
    assert tokenizer(tf.constant(texts)).to_list() == [[2, 4, 5, 6, 3], [2, 1, 3], [2, 1, 3]]


# === The host's locale ===

_PRINT_IDS = """
import json, sys
import tensorflow as tf
from components.preprocessing.tokenizer import BertTokenizer
vocabulary, texts = json.load(sys.stdin)
tokenizers = [BertTokenizer(vocabulary, lower_case=True, strip_accents=strip) for strip in (True, False)]
print(json.dumps([tokenizer(tf.constant(texts)).to_list() for tokenizer in tokenizers]))
"""


@pytest.mark.parametrize("locale", ["tr_TR.UTF-8", "lt_LT.UTF-8"])
def test_ids_do_not_depend_on_the_locale_of_the_host(locale: str) -> None:
    # ICU reads the variable itself, so the locale need not be installed.
    texts = [HARD["turkish i"], HARD["lithuanian letters"], "THIS IS ISTANBUL"]
    letters = [token for token in cased_vocabulary() if len(token.removeprefix("##")) == 1 or token.startswith("[")]
    process = subprocess.run(
        [sys.executable, "-c", _PRINT_IDS],
        input=json.dumps([letters, texts]),
        env={**os.environ, "LC_ALL": locale},
        cwd=REPOSITORY,
        capture_output=True,
        text=True,
        check=True,
    )
    references = [GoogleTokenizer(letters, lower_case=True, strip_accents=strip) for strip in (True, False)]
    assert json.loads(process.stdout) == [[reference.ids(text) for text in texts] for reference in references]
