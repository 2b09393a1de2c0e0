"""Read vocabularies, or refuse damaged ones."""

from pathlib import Path

import pytest
import tensorflow as tf

from components.checkpoints.vocabulary import read_vocabulary
from components.preprocessing.tokenizer import BertTokenizer
from schema.errors import Refused

SPECIAL = b"[PAD]\n[UNK]\n[CLS]\n[SEP]\n"


def write_vocabulary(folder: Path, content: bytes) -> str:
    path = folder / "vocab.txt"
    path.write_bytes(content)
    return str(path)


def test_reads_a_token_from_every_line(tmp_path: Path) -> None:
    assert read_vocabulary(write_vocabulary(tmp_path, SPECIAL + b"the\n##ing\n")) == [
        *("[PAD]", "[UNK]", "[CLS]", "[SEP]"),
        *("the", "##ing"),
    ]


@pytest.mark.parametrize(
    "content",
    [
        SPECIAL + b"the",
        SPECIAL + b"the\n\n",
        SPECIAL.replace(b"\n", b"\r\n") + b"the\r\n",
        b"\xef\xbb\xbf" + SPECIAL + b"the\n",
    ],
    ids=["no last newline", "blank last line", "carriage returns", "byte order mark"],
)
def test_accepts_any_line_ends(tmp_path: Path, content: bytes) -> None:
    assert read_vocabulary(write_vocabulary(tmp_path, content))[3:] == ["[SEP]", "the"]


def test_keeps_a_token_that_looks_like_a_line_end(tmp_path: Path) -> None:
    tokens = read_vocabulary(write_vocabulary(tmp_path, SPECIAL + "\u2028\n\x85\nx\n".encode()))
    assert tokens[4:] == ["\u2028", "\x85", "x"]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "is empty"),
        (b"\n\n", "is empty"),
        (SPECIAL + b"the\nof\nthe\n", "'the' twice, in lines 5 and 7"),
        (b"[PAD]\n[UNK]\nthe\n", r"has no \[CLS\] \[SEP\]"),
        (SPECIAL + b"\xff\n", r"not UTF-8 text \(byte 24\)"),
        (SPECIAL + b"a" * 257, r"line 5: a token of 257 bytes \('a{20}'\.\.\.\), more than 256"),
        (SPECIAL + b"the\n##" + "é".encode() * 129, r"line 6: a token of 258 bytes"),
        (SPECIAL + b"a\0b\n", r"line 5: a NUL byte \('a\\x00b'\)"),
        (SPECIAL + b"the\n\0\n", r"line 6: a NUL byte"),
    ],
)
def test_refuses_a_damaged_file_in_one_line(tmp_path: Path, content: bytes, message: str) -> None:
    path = write_vocabulary(tmp_path, content)
    with pytest.raises(Refused, match=message) as refused:
        read_vocabulary(path)
    assert path in str(refused.value)
    assert "\n" not in str(refused.value)


def test_tensorflow_text_takes_the_longest_accepted_tokens(tmp_path: Path) -> None:
    longest = [b"a" * 256, b"##" + b"b" * 256, "é".encode() * 128]
    tokenizer = BertTokenizer(
        read_vocabulary(write_vocabulary(tmp_path, SPECIAL + b"\n".join(longest))), lower_case=True
    )
    # In letters, Google's limit of 200 characters a word is lower.
    assert tokenizer(tf.constant(["é" * 128])).to_list() == [[2, 1, 3]], "lower case strips accents"
    assert tokenizer(tf.constant(["a" * 256])).to_list() == [[2, 1, 3]]


def test_refuses_a_missing_file(tmp_path: Path) -> None:
    with pytest.raises(Refused, match=r"missing\.txt cannot be read"):
        read_vocabulary(str(tmp_path / "missing.txt"))


def test_refuses_a_folder(tmp_path: Path) -> None:
    with pytest.raises(Refused, match="cannot be read"):
        read_vocabulary(str(tmp_path))
